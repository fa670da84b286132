/* CreatePartnerInvitation and CreateStationInvitation: the core makes the certificate, authz keeps
 * the operator's signed request (KWI1) against which the core will register the invited party. */
#include "services/authz/operations.h"

#include "common/audit/invitation.h"
#include "common/pki/csr.h"
#include "keyward/v1/partner_service.pb-c.h"
#include "keyward/v1/station_service.pb-c.h"
#include "services/authz/check.h"
#include "services/authz/forward.h"
#include "services/authz/invitation_table.h"
#include "services/authz/register.h"

/* The fields of the two requests, alike. */
struct invite {
    enum kw_member_kind kind;
    struct kw_id member;
    struct kw_bytes csr;
    const Google__Protobuf__Timestamp *expire;
};

static struct kw_result request_read(struct kw_authz_call *call, struct invite *ret_invite,
                                     struct kw_error *err)
{
    bool partner = call->method->id == KW_METHOD_CREATE_PARTNER_INVITATION;
    const Keyward__V1__CreatePartnerInvitationRequest *partners =
        (const Keyward__V1__CreatePartnerInvitationRequest *)call->request;
    const Keyward__V1__CreateStationInvitationRequest *stations =
        (const Keyward__V1__CreateStationInvitationRequest *)call->request;
    struct kw_resource_ids ids;

    KW_TRY(kw_authz_call_name(call, partner ? KW_RESOURCE_PARTNER : KW_RESOURCE_STATION, "parent",
                              partner ? partners->parent : stations->parent, &ids, err));
    *ret_invite = (struct invite){
        .kind = partner ? KW_MEMBER_PARTNER : KW_MEMBER_STATION,
        .member = ids.id[0],
        .csr = kw_bytes_field(partner ? partners->csr : stations->csr),
        .expire = partner ? partners->expire_time : stations->expire_time,
    };
    return KW_OK;
}

static struct kw_result fields_check(struct kw_authz_call *call, const struct invite *invite,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    uint64_t expire_ms;

    KW_FIELD_ENSURE(call, kw_ok(kw_csr_verify(invite->csr, &key, NULL)), "csr", err,
                    "not a request signed by its own P-256 or P-384 key");
    if (invite->expire != NULL) {
        KW_TRY(kw_check_time(call, "expire_time", invite->expire, &expire_ms, err));
        KW_FIELD_ENSURE(
            call, expire_ms > call->now_ms && expire_ms - call->now_ms <= KW_INVITATION_MAX_MS,
            "expire_time", err, "past, or more than 7 days ahead");
    }
    return KW_OK;
}

struct kw_result kw_authz_invite(struct kw_authz_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_member_row member = {0};
    struct invite invite;
    bool found;

    KW_TRY(request_read(call, &invite, err));
    KW_TRY(kw_member_find(tx, invite.member, call->arena, &member, &found, err));
    KW_ENSURE(found && member.kind == invite.kind, err, NOT_FOUND, "no such member");
    /* A suspended one too: it enrols again with new keys, and only then is it reinstated. */
    KW_TRY(fields_check(call, &invite, err));
    call->inner.slot.capsule = kw_forward_capsule(call);
    call->inner.slot.capsule.owner = invite.member;
    return KW_OK;
}

/* --- the way back --- */

static struct kw_result certificate_of(struct kw_authz_call *call,
                                       const Keyward__V1__IssuedCertificate **ret_certificate,
                                       struct kw_error *err)
{
    const ProtobufCMethodDescriptor *messages = kw_method_messages(call->method);
    const Keyward__V1__Invitation *invitation;
    ProtobufCMessage *response;

    KW_TRY(kw_message_unpack(messages->output, call->response, call->arena, &response, err));
    invitation = call->method->id == KW_METHOD_CREATE_PARTNER_INVITATION
                     ? ((Keyward__V1__CreatePartnerInvitationResponse *)response)->invitation
                     : ((Keyward__V1__CreateStationInvitationResponse *)response)->invitation;
    KW_ENSURE(invitation != NULL && invitation->certificate != NULL &&
                  invitation->certificate->n_chain > 0,
              err, INTERNAL, "an invitation without certificate");
    *ret_certificate = invitation->certificate;
    return KW_OK;
}

static struct kw_result record_make(struct kw_authz_call *call, struct kw_buf *record,
                                    struct kw_error *err)
{
    const struct kw_invitation invitation = {
        .method = kw_bytes_str(call->method->path),
        .body = call->body,
        .request_id = kw_id_bytes(&call->request_id),
        .signature = call->caller.signature,
        .certificate = call->caller.certificate,
    };

    return kw_invitation_encode(&invitation, record, err);
}

struct kw_result kw_authz_invite_effect(struct kw_authz_call *call, struct kw_tx *tx,
                                        struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const Keyward__V1__IssuedCertificate *issued;
    struct kw_certificate_row certificate;
    struct kw_invitation_row row = {.created_ms = call->now_ms};
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);
    struct invite invite;

    KW_TRY(request_read(call, &invite, err));
    KW_TRY(certificate_of(call, &issued, err));
    KW_TRY(kw_register_read(call, issued, KW_ROLE_INVITATION, &certificate, err));
    KW_TRY(record_make(call, &record, err));
    row.id = certificate.owner;
    row.member = invite.member;
    row.record = kw_buf_bytes(&record);
    row.expire_ms = certificate.expire_ms;
    KW_TRY(kw_invitation_insert(&feed_tx, &row, err));
    return kw_certificate_insert(&feed_tx, &certificate, err);
}
