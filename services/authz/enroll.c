/* Enroll: an invitation is used up by one enrolment, which is a pair of keys.
 *
 *     open ──first enrolment──▶ claimed ──the core has issued──▶ answered: repeated, the same
 * answer └────────────────────────┴──── another enrolment ──────▶ held: nobody gets anything
 *
 * The claim is durable before anything goes inward, so that two enrolments can't pass one another.
 */
#include "services/authz/operations.h"

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/pki/csr.h"
#include "keyward/v1/enrollment_service.pb-c.h"
#include "services/authz/forward.h"
#include "services/authz/invitation_table.h"
#include "services/authz/register.h"

enum fate {
    FATE_FORWARD,
    FATE_ANSWERED,
    FATE_HELD,
};

/* What the first job found. */
struct enrolment {
    enum fate fate;
    bool newly_held;
    struct kw_invitation_row invitation;
    uint8_t digest[KW_SHA256_LEN];
};

/* The digest of the two public keys: what an enrolment is, whatever its request id. */
static struct kw_result keys_read(struct kw_authz_call *call, uint8_t *ret_digest,
                                  struct kw_error *err)
{
    const Keyward__V1__EnrollRequest *request = (const Keyward__V1__EnrollRequest *)call->request;
    KW_SCOPED(kw_public_key_done) struct kw_public_key tls = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key transport = {0};
    struct kw_spki spkis[2];
    struct kw_bytes parts[2];

    KW_FIELD_ENSURE(call, kw_ok(kw_csr_verify(kw_bytes_field(request->tls_csr), &tls, NULL)),
                    "tls_csr", err, "not a request signed by its own P-256 or P-384 key");
    KW_FIELD_ENSURE(
        call,
        kw_ok(kw_csr_verify(kw_bytes_field(request->transport_csr), &transport, NULL)) &&
            transport.curve == KW_CURVE_P384,
        "transport_csr", err, "not a request signed by its own P-384 key");
    KW_FIELD_ENSURE(call, !kw_public_key_equal(&tls, &transport), "transport_csr", err,
                    "both requests hold one key");
    KW_TRY(kw_public_key_spki(&tls, &spkis[0], err));
    KW_TRY(kw_public_key_spki(&transport, &spkis[1], err));
    parts[0] = kw_spki_bytes(&spkis[0]);
    parts[1] = kw_spki_bytes(&spkis[1]);
    return kw_sha256_list(parts, 2, ret_digest, err);
}

static struct kw_result invitation_read(struct kw_authz_call *call, struct kw_tx *tx,
                                        struct enrolment *enrolment, struct kw_error *err)
{
    struct kw_member_row member;
    bool found;

    KW_TRY(kw_invitation_find(tx, call->caller.id.id, call->arena, &enrolment->invitation, &found,
                              err));
    KW_ENSURE(found, err, IDENTITY_INVALID, "unknown invitation");
    KW_ENSURE(call->now_ms < enrolment->invitation.expire_ms, err, IDENTITY_INVALID,
              "expired invitation");
    KW_TRY(kw_member_find(tx, enrolment->invitation.member, call->arena, &member, &found, err));
    KW_ENSURE(found, err, INTERNAL, "an invitation without member");
    KW_ENSURE(!member.suspended, err, STATE_CONFLICT, "the member is suspended");
    call->caller.member = member;
    return KW_OK;
}

static enum fate fate_of(const struct enrolment *enrolment)
{
    const struct kw_invitation_row *invitation = &enrolment->invitation;

    if (invitation->held) {
        return FATE_HELD;
    }
    if (!invitation->claimed) {
        return FATE_FORWARD;
    }
    if (!kw_bytes_equal(KW_BYTES_OF(invitation->enrolment), KW_BYTES_OF(enrolment->digest))) {
        return FATE_HELD;
    }
    return invitation->response.len > 0 ? FATE_ANSWERED : FATE_FORWARD;
}

struct kw_result kw_authz_enroll(struct kw_authz_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct enrolment *enrolment = kw_arena_alloc(call->arena, sizeof(*enrolment));

    KW_ENSURE(enrolment != NULL, err, MEMORY, "an enrolment");
    KW_TRY(invitation_read(call, tx, enrolment, err));
    KW_TRY(keys_read(call, enrolment->digest, err));
    enrolment->fate = fate_of(enrolment);
    call->state = enrolment;
    if (call->validate_only) {
        return KW_OK;
    }
    if (enrolment->fate == FATE_HELD && !enrolment->invitation.held) {
        enrolment->newly_held = true;
        return kw_invitation_hold(tx, enrolment->invitation.id, call->now_ms, err);
    }
    return kw_invitation_claim(tx, enrolment->invitation.id, enrolment->digest, err);
}

static struct kw_result held(struct kw_error *err)
{
    KW_FAIL(err, ENROLLMENT_HELD, "two different enrolments under one invitation");
}

static void alarm_held(const struct kw_authz_call *call, const struct enrolment *enrolment)
{
    kw_metric_add(KW_M_ENROLLMENTS_HELD, NULL, 1);
    KW_LOG(ERROR, "alarm: invitation held, two different enrolments were tried",
           KW_F_ID("invitation", KW_ID_INVITATION, enrolment->invitation.id),
           KW_F_ID("member", KW_ID_PARTNER, enrolment->invitation.member),
           KW_F_STR("peer", call->caller.peer));
}

void kw_authz_enroll_proceed(struct kw_authz_call *call)
{
    const struct enrolment *enrolment = call->state;
    struct kw_error error;

    if (enrolment->fate == FATE_HELD) {
        if (enrolment->newly_held) {
            alarm_held(call, enrolment);
        }
        KW_IGNORE(held(&error));
        kw_authz_call_fail(call, &error);
        return;
    }
    if (enrolment->fate == FATE_ANSWERED) {
        call->response = enrolment->invitation.response;
        call->replayed = true;
        kw_authz_call_answer(call);
        return;
    }
    call->inner.slot.capsule = kw_forward_capsule(call);
    call->inner.slot.capsule.owner = enrolment->invitation.member;
    call->inner.invitation = enrolment->invitation.record;
    kw_forward_start(call);
}

/* --- the way back --- */

static enum kw_role role_of(const struct kw_member_row *member)
{
    return member->kind == KW_MEMBER_PARTNER ? KW_ROLE_PARTNER : KW_ROLE_STATION;
}

/* The certificate is the member's and nobody else's, whatever inner layers say. */
static struct kw_result certificate_register(struct kw_authz_call *call, struct kw_tx *tx,
                                             const Keyward__V1__IssuedCertificate *issued,
                                             struct kw_member_keys *keys, struct kw_error *err)
{
    const struct kw_member_row *member = &call->caller.member;
    struct kw_certificate_row certificate;

    KW_TRY(kw_register_read(call, issued, role_of(member), &certificate, err));
    KW_ENSURE(kw_id_equal(certificate.owner, member->id), err, INTERNAL,
              "a certificate for another member");
    KW_TRY(kw_certificate_insert(tx, &certificate, err));
    keys->certificate_expire_ms = certificate.expire_ms;
    return kw_member_raise_keys(tx, member->id, keys, call->now_ms, &call->stamp, err);
}

struct kw_result kw_authz_enroll_effect(struct kw_authz_call *call, struct kw_tx *tx,
                                        struct kw_error *err)
{
    struct enrolment *enrolment = call->state;
    const Keyward__V1__EnrollResponse *response;
    struct kw_member_keys keys = {0};
    ProtobufCMessage *message;

    KW_TRY(invitation_read(call, tx, enrolment, err)); /* held meanwhile: it registers nobody */
    if (fate_of(enrolment) == FATE_HELD) {
        return held(err);
    }
    KW_TRY(kw_message_unpack(&keyward__v1__enroll_response__descriptor, call->response, call->arena,
                             &message, err));
    response = (const Keyward__V1__EnrollResponse *)message;
    KW_ENSURE(response->transport_key_version > 0, err, INTERNAL, "an enrolment without version");
    keys.transport_version = response->transport_key_version;
    KW_TRY(certificate_register(call, tx, response->tls_certificate, &keys, err));
    return kw_invitation_answer(tx, enrolment->invitation.id, call->response, err);
}

struct kw_result kw_authz_renew_effect(struct kw_authz_call *call, struct kw_tx *tx,
                                       struct kw_error *err)
{
    struct kw_member_keys keys = {0};
    ProtobufCMessage *message;

    KW_TRY(kw_message_unpack(&keyward__v1__renew_certificate_response__descriptor, call->response,
                             call->arena, &message, err));
    return certificate_register(
        call, tx, ((const Keyward__V1__RenewCertificateResponse *)message)->certificate, &keys,
        err);
}

/* --- ConfirmTransportKey --- */

struct kw_result kw_authz_confirm(struct kw_authz_call *call, struct kw_tx *tx,
                                  struct kw_error *err)
{
    const Keyward__V1__ConfirmTransportKeyRequest *request =
        (const Keyward__V1__ConfirmTransportKeyRequest *)call->request;
    uint32_t version = request->transport_key_version;

    (void)tx;
    KW_ENSURE(version >= 1 && version <= call->caller.member.transport_version, err, NOT_FOUND,
              "transport key version %u", version);
    call->inner.slot.capsule = kw_forward_capsule(call);
    call->inner.slot.capsule.ptk_version = version;
    return KW_OK;
}

struct kw_result kw_authz_confirm_effect(struct kw_authz_call *call, struct kw_tx *tx,
                                         struct kw_error *err)
{
    const Keyward__V1__ConfirmTransportKeyRequest *request =
        (const Keyward__V1__ConfirmTransportKeyRequest *)call->request;
    const struct kw_member_keys keys = {.confirmed_version = request->transport_key_version};

    return kw_member_raise_keys(tx, call->caller.member.id, &keys, call->now_ms, &call->stamp, err);
}
