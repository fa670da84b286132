/* Capsule, dry runs, lag and caller's signature. */
#include "services/cryptocore/admit.h"

#include "common/audit/request_signature.h"
#include "common/base/clock.h"
#include "common/rpc/messages.h"
#include "common/rpc/resource.h"

struct kw_result kw_core_caller_ca(enum kw_role role, enum kw_hsm_signer *ret_ca,
                                   struct kw_error *err)
{
    switch (role) {
    case KW_ROLE_PARTNER:
        *ret_ca = KW_HSM_CA_PARTNERS;
        return KW_OK;
    case KW_ROLE_STATION:
        *ret_ca = KW_HSM_CA_STATIONS;
        return KW_OK;
    case KW_ROLE_OPERATOR:
        *ret_ca = KW_HSM_CA_OPERATORS;
        return KW_OK;
    case KW_ROLE_SERVICE:
    case KW_ROLE_INVITATION:
    case KW_ROLE_COUNT_:
        break;
    }
    KW_FAIL(err, IDENTITY_INVALID, "%s is not a caller with a CA of its own", kw_role_name(role));
}

/* An invitation is issued by the CA of the kind it invites; which one only its chain tells. */
static struct kw_result invitation_trust(struct kw_core *core, const struct kw_certificate *leaf,
                                         uint64_t at_ms, struct kw_error *err)
{
    const struct kw_trust *partners = &core->pki.trust[kw_core_ca_index(KW_HSM_CA_PARTNERS)];
    const struct kw_trust *stations = &core->pki.trust[kw_core_ca_index(KW_HSM_CA_STATIONS)];

    if (kw_ok(kw_trust_verify(partners, leaf, NULL, KW_PURPOSE_CLIENT, at_ms, NULL))) {
        return KW_OK;
    }
    return kw_trust_verify(stations, leaf, NULL, KW_PURPOSE_CLIENT, at_ms, err);
}

struct kw_result kw_core_caller_verify(struct kw_core *core, struct kw_bytes der, uint64_t at_ms,
                                       struct kw_certificate *ret_certificate,
                                       struct kw_spiffe *ret_id, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_spiffe id;
    enum kw_hsm_signer ca = KW_HSM_CA_PARTNERS;

    KW_TRY(kw_certificate_from_der(&leaf, der, err));
    KW_TRY(kw_certificate_identity(&leaf, core->config->trust_domain, &id, err));
    if (id.role == KW_ROLE_INVITATION) {
        KW_TRY(invitation_trust(core, &leaf, at_ms, err));
    } else {
        KW_TRY(kw_core_caller_ca(id.role, &ca, err));
        KW_TRY(kw_trust_verify(&core->pki.trust[kw_core_ca_index(ca)], &leaf, NULL,
                               KW_PURPOSE_CLIENT, at_ms, err));
    }
    *ret_certificate = leaf;
    leaf = (struct kw_certificate){0};
    *ret_id = id;
    return KW_OK;
}

/* The capsule says who called; the certificate that signed must be that caller's, the very one. */
static struct kw_result caller_matches(const struct kw_core_call *call,
                                       const struct kw_certificate *certificate,
                                       const struct kw_spiffe *id, struct kw_error *err)
{
    uint8_t fingerprint[KW_SHA256_LEN];
    char text[KW_SPIFFE_TEXT_SIZE];

    KW_TRY(kw_certificate_fingerprint(certificate, fingerprint, err));
    KW_ENSURE(kw_bytes_equal(KW_BYTES_OF(fingerprint), KW_BYTES_OF(call->capsule.fingerprint)), err,
              SIGNATURE_INVALID, "signed with another certificate than the capsule names");
    KW_ENSURE(kw_bytes_equal(kw_bytes_str(kw_spiffe_text(id, text)), call->capsule.caller), err,
              SIGNATURE_INVALID, "the certificate is not the capsule's caller's");
    return KW_OK;
}

static struct kw_result signature_verify(struct kw_core_call *call, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_signed_request request = {.method = kw_bytes_str(call->method->path),
                                        .body_hash = call->body_hash};
    struct kw_spiffe id;
    struct kw_id request_id;

    KW_TRY(kw_core_caller_verify(call->core,
                                 kw_bytes_field(call->authorization->caller_certificate),
                                 call->now_ms, &certificate, &id, err));
    KW_TRY(caller_matches(call, &certificate, &id, err));
    KW_TRY(kw_certificate_public_key(&certificate, &key, err));
    KW_TRY(kw_request_id_parse(kw_message_request_id(call->body), &request_id, err));
    request.request_id = kw_id_bytes(&request_id);
    return kw_request_signature_verify_fresh(
        &key, &request, kw_bytes_field(call->authorization->caller_signature), call->now_ms, err);
}

/* Authz looked at the method table before it signed; a capsule is not believed on that. */
static struct kw_result role_check(const struct kw_core_call *call, struct kw_error *err)
{
    struct kw_spiffe caller;

    KW_TRY(kw_spiffe_parse(call->capsule.caller, &caller, err));
    KW_ENSURE(kw_method_admits(call->method, caller.role), err, PERMISSION_DENIED,
              "a %s may not call %s", kw_role_name(caller.role), call->method->name);
    return KW_OK;
}

/* A dry run ends at the orchestrator. One that comes here is somebody's attempt to have done what
 * the caller signed not to be done. */
static struct kw_result dry_run_check(const struct kw_core_call *call, struct kw_error *err)
{
    KW_ENSURE(!kw_message_validate_only(call->body), err, CAPSULE_INVALID,
              "the caller asked to have nothing done");
    return KW_OK;
}

struct kw_result kw_core_admit(struct kw_core_call *call, struct kw_error *err)
{
    struct kw_core *core = call->core;
    const struct kw_capsule_gate gate = {.seals = core->seals, .replay = core->replay};
    const struct kw_capsule_expected expected = {
        .region = kw_bytes_str(core->config->region),
        .cell = kw_bytes_str(core->config->cell),
        .method = (uint16_t)call->method->id,
        .operations = call->operation->operations,
        .body_hash = call->body_hash,
        .arrival = call->arrival,
        .mono_ns = kw_clock_mono_ns(),
    };

    KW_TRY(kw_capsule_admit(&gate, kw_bytes_field(call->authorization->capsule),
                            kw_bytes_field(call->authorization->signer_certificate), &expected,
                            &call->capsule, err));
    KW_TRY(kw_capsule_actor(&call->capsule, &call->actor, err));
    KW_TRY(role_check(call, err));
    KW_TRY(dry_run_check(call, err));
    KW_TRY(kw_ledger_admit(core->ledger, call->stream, &call->capsule.witness, err));
    call->admitted = true;
    if (kw_method_has(call->method, KW_METHOD_SIGNED)) {
        KW_TRY(signature_verify(call, err));
    }
    return kw_id_v7(&call->receipt_id, err);
}
