/* Invitations and renewals: one certificate for a key the caller brought. */
#include "services/cryptocore/operations.h"

#include "common/base/limits.h"
#include "common/rpc/resource.h"
#include "keyward/v1/enrollment_service.pb-c.h"
#include "keyward/v1/partner_service.pb-c.h"
#include "keyward/v1/station_service.pb-c.h"
#include "services/cryptocore/admit.h"
#include "services/cryptocore/issue.h"

#define DAY_MS 86400000ULL

/* The same fields of two messages. */
struct invite {
    enum kw_resource parent_kind;
    const char *parent;
    ProtobufCBinaryData csr;
    const Google__Protobuf__Timestamp *expire;
    enum kw_hsm_signer issuer;
};

static struct invite invite_read(const struct kw_core_call *call)
{
    const Keyward__V1__CreatePartnerInvitationRequest *partner =
        (const Keyward__V1__CreatePartnerInvitationRequest *)call->body;
    const Keyward__V1__CreateStationInvitationRequest *station =
        (const Keyward__V1__CreateStationInvitationRequest *)call->body;

    if (call->method->id == KW_METHOD_CREATE_PARTNER_INVITATION) {
        return (struct invite){KW_RESOURCE_PARTNER, partner->parent, partner->csr,
                               partner->expire_time, KW_HSM_CA_PARTNERS};
    }
    return (struct invite){KW_RESOURCE_STATION, station->parent, station->csr, station->expire_time,
                           KW_HSM_CA_STATIONS};
}

static struct kw_result life_of(const struct kw_core_call *call,
                                const Google__Protobuf__Timestamp *expire, uint64_t *ret_life_ms,
                                struct kw_error *err)
{
    uint64_t expire_ms;

    if (expire == NULL) {
        *ret_life_ms = KW_INVITATION_DEFAULT_MS;
        return KW_OK;
    }
    KW_ENSURE(expire->seconds > 0 && expire->seconds < INT64_C(253402300800), err, ARGUMENT_INVALID,
              "expire_time is not a time");
    expire_ms = (uint64_t)expire->seconds * 1000;
    KW_ENSURE(expire_ms > call->now_ms && expire_ms - call->now_ms <= KW_INVITATION_MAX_MS, err,
              ARGUMENT_INVALID, "expire_time is past or more than 7 days ahead");
    *ret_life_ms = expire_ms - call->now_ms;
    return KW_OK;
}

struct kw_result kw_core_invite_prepare(struct kw_core_call *call, struct kw_error *err)
{
    struct invite invite = invite_read(call);
    struct kw_resource_ids ids;
    struct kw_id id;
    struct kw_hsm_issue issue;
    uint64_t life_ms = 0;

    KW_TRY(kw_core_items_make(call, 1, err));
    KW_ENSURE(call->actor == KW_ACTOR_OPERATOR, err, PERMISSION_DENIED, "only an operator invites");
    KW_TRY(kw_resource_parse(invite.parent_kind, invite.parent, &ids, err));
    KW_ENSURE(kw_id_equal(ids.id[0], call->capsule.owner), err, CAPSULE_INVALID,
              "the capsule is for another member");
    KW_TRY(life_of(call, invite.expire, &life_ms, err));
    KW_TRY(kw_id_v7(&id, err));
    KW_TRY(kw_issue_plan(call, invite.issuer, KW_ROLE_INVITATION, id, kw_bytes_field(invite.csr),
                         life_ms, KW_USAGE_CLIENT, &issue, err));
    kw_core_request_add(call, 0, KW_HSM_ISSUE_CERTIFICATE)->issue = issue;
    return KW_OK;
}

struct kw_result kw_core_renew_prepare(struct kw_core_call *call, struct kw_error *err)
{
    const Keyward__V1__RenewCertificateRequest *body =
        (const Keyward__V1__RenewCertificateRequest *)call->body;
    uint64_t life_ms = call->core->config->partner_certificate_days * DAY_MS;
    enum kw_hsm_signer issuer = KW_HSM_CA_PARTNERS;
    struct kw_spiffe caller;
    struct kw_hsm_issue issue;

    KW_TRY(kw_core_items_make(call, 1, err));
    KW_TRY(kw_spiffe_parse(call->capsule.caller, &caller, err));
    KW_ENSURE(kw_id_equal(caller.id, call->capsule.owner), err, CAPSULE_INVALID,
              "the capsule is for another member");
    KW_TRY(kw_core_caller_ca(caller.role, &issuer, err));
    KW_TRY(kw_issue_plan(call, issuer, caller.role, caller.id, kw_bytes_field(body->csr), life_ms,
                         KW_USAGE_CLIENT, &issue, err));
    kw_core_request_add(call, 0, KW_HSM_ISSUE_CERTIFICATE)->issue = issue;
    return KW_OK;
}

struct kw_result kw_core_invite_complete(struct kw_core_call *call,
                                         const struct kw_hsm_answer *answers, size_t count,
                                         struct kw_error *err)
{
    (void)count;
    if (!kw_ok(answers[0].result)) {
        return kw_core_answer_failure(&answers[0], err);
    }
    KW_TRY(kw_issue_chain(call, call->requests[0].issue.issuer, answers[0].certificate, err));
    KW_TRY(kw_issue_result(&call->items[0], answers[0].certificate, err));
    call->items[0].reason = KW_E_NONE;
    return KW_OK;
}
