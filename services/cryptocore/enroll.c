/* Enroll: an invited party becomes a member. The core believes an operator's signature and the
 * invitation's key, and neither authz nor orchestrator (docs/security.md).
 *
 *     operator's certificate ──signs──▶ KWI1 {Create…Invitation {parent, csr}}
 *                        csr's key ──▶ invitation certificate
 *     invitation's key ──signs──▶ Enroll {tls_csr, transport_csr}
 */
#include "services/cryptocore/operations.h"

#include "common/audit/invitation.h"
#include "common/pki/csr.h"
#include "common/rpc/resource.h"
#include "keyward/v1/enrollment_service.pb-c.h"
#include "keyward/v1/partner_service.pb-c.h"
#include "keyward/v1/station_service.pb-c.h"
#include "services/cryptocore/admit.h"
#include "services/cryptocore/issue.h"
#include "services/cryptocore/material.h"

#define DAY_MS 86400000ULL

enum {
    ROUND_CERTIFIED = 1,
    ROUND_KEYED = 2
};

/* Whom an operator invited. */
struct invited {
    enum kw_role role;
    enum kw_hsm_signer issuer;
    struct kw_id id;
    struct kw_bytes csr; /* of the invitation's one-time key */
};

static struct kw_result operator_verify(struct kw_core_call *call,
                                        const struct kw_invitation *invitation,
                                        struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_spiffe id;

    KW_TRY(kw_core_caller_verify(call->core, invitation->certificate, call->now_ms, &certificate,
                                 &id, err));
    KW_ENSURE(id.role == KW_ROLE_OPERATOR, err, SIGNATURE_INVALID,
              "the invitation is not signed by an operator");
    KW_TRY(kw_certificate_public_key(&certificate, &key, err));
    return kw_invitation_verify(invitation, &key, err);
}

static struct kw_result invited_read(struct kw_core_call *call,
                                     const struct kw_invitation *invitation,
                                     struct invited *ret_invited, struct kw_error *err)
{
    const struct kw_method *method = kw_method_by_path(invitation->method);
    bool partner = method != NULL && method->id == KW_METHOD_CREATE_PARTNER_INVITATION;
    ProtobufCMessage *message;
    struct kw_resource_ids ids;
    const char *parent;

    KW_ENSURE(partner || (method != NULL && method->id == KW_METHOD_CREATE_STATION_INVITATION), err,
              SIGNATURE_INVALID, "what the operator signed is no invitation");
    KW_TRY(kw_message_unpack(kw_method_messages(method)->input, invitation->body, call->arena,
                             &message, err));
    if (partner) {
        parent = ((const Keyward__V1__CreatePartnerInvitationRequest *)message)->parent;
        ret_invited->csr =
            kw_bytes_field(((const Keyward__V1__CreatePartnerInvitationRequest *)message)->csr);
    } else {
        parent = ((const Keyward__V1__CreateStationInvitationRequest *)message)->parent;
        ret_invited->csr =
            kw_bytes_field(((const Keyward__V1__CreateStationInvitationRequest *)message)->csr);
    }
    ret_invited->role = partner ? KW_ROLE_PARTNER : KW_ROLE_STATION;
    ret_invited->issuer = partner ? KW_HSM_CA_PARTNERS : KW_HSM_CA_STATIONS;
    KW_TRY(
        kw_resource_parse(partner ? KW_RESOURCE_PARTNER : KW_RESOURCE_STATION, parent, &ids, err));
    ret_invited->id = ids.id[0];
    return KW_OK;
}

/* The certificate that calls is over the very key the operator invited; its signature over the body
 * was checked at admission. */
static struct kw_result invitation_matches(const struct kw_core_call *call,
                                           const struct invited *invited, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key certified = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key requested = {0};

    KW_TRY(kw_certificate_from_der(&certificate,
                                   kw_bytes_field(call->authorization->caller_certificate), err));
    KW_TRY(kw_certificate_public_key(&certificate, &certified, err));
    KW_TRY(kw_csr_verify(invited->csr, &requested, err));
    KW_ENSURE(kw_public_key_equal(&certified, &requested), err, SIGNATURE_INVALID,
              "the invitation is for another key");
    KW_ENSURE(kw_id_equal(invited->id, call->capsule.owner), err, CAPSULE_INVALID,
              "the capsule is for another member than was invited");
    return KW_OK;
}

static struct kw_result invitation_verify(struct kw_core_call *call, struct invited *ret_invited,
                                          struct kw_error *err)
{
    struct kw_invitation invitation;

    KW_TRY(kw_invitation_decode(kw_bytes_field(call->authorization->invitation), &invitation, err));
    KW_TRY(operator_verify(call, &invitation, err));
    KW_TRY(invited_read(call, &invitation, ret_invited, err));
    return invitation_matches(call, ret_invited, err);
}

struct kw_result kw_core_enroll_prepare(struct kw_core_call *call, struct kw_error *err)
{
    const Keyward__V1__EnrollRequest *body = (const Keyward__V1__EnrollRequest *)call->body;
    uint64_t life_ms = call->core->config->partner_certificate_days * DAY_MS;
    struct invited invited = {0};
    struct kw_hsm_issue tls;
    struct kw_hsm_issue transport;

    KW_TRY(kw_core_items_make(call, 1, err));
    KW_TRY(invitation_verify(call, &invited, err));
    KW_TRY(kw_issue_plan(call, invited.issuer, invited.role, invited.id,
                         kw_bytes_field(body->tls_csr), life_ms, KW_USAGE_CLIENT, &tls, err));
    KW_TRY(kw_issue_plan(call, invited.issuer, invited.role, invited.id,
                         kw_bytes_field(body->transport_csr), life_ms, KW_USAGE_TRANSPORT,
                         &transport, err));
    kw_core_request_add(call, 0, KW_HSM_ISSUE_CERTIFICATE)->issue = tls;
    kw_core_request_add(call, 0, KW_HSM_ISSUE_CERTIFICATE)->issue = transport;
    return KW_OK;
}

static struct kw_result certified(struct kw_core_call *call, const struct kw_hsm_answer *answers,
                                  struct kw_error *err)
{
    enum kw_hsm_signer issuer = call->requests[0].issue.issuer;
    struct kw_bytes transport;

    for (size_t i = 0; i < 2; i++) {
        KW_TRY(kw_issue_chain(call, issuer, answers[i].certificate, err));
        KW_TRY(kw_issue_result(&call->items[0], answers[i].certificate, err));
    }
    KW_TRY(kw_arena_copy(call->arena, answers[1].certificate, &transport, err));
    kw_core_request_add(call, 0, KW_HSM_PTK_CREATE)->ptk_create =
        (struct kw_hsm_ptk_create){.owner = call->capsule.owner,
                                   .version = call->request->transport_key_version,
                                   .kek_version = call->core->config->kek_version,
                                   .certificate = transport};
    return KW_OK;
}

static struct kw_result keyed(struct kw_core_call *call, const struct kw_hsm_ptk_created *created,
                              struct kw_error *err)
{
    KW_TRY(kw_material_transport_message(call, &created->stored, &call->reply.transport_key, err));
    KW_TRY(kw_core_field(call, created->enveloped, &call->reply.transport_key_cms, err));
    call->items[0].reason = KW_E_NONE;
    return KW_OK;
}

struct kw_result kw_core_enroll_complete(struct kw_core_call *call,
                                         const struct kw_hsm_answer *answers, size_t count,
                                         struct kw_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!kw_ok(answers[i].result)) {
            return kw_core_answer_failure(&answers[i], err);
        }
    }
    return call->step == ROUND_CERTIFIED ? certified(call, answers, err)
                                         : keyed(call, &answers[0].ptk, err);
}
