/* Enroll: an invitation is used up by one enrolment, which is a pair of keys.
 *
 *     open ──▶ claimed by the first enrolment ──▶ answered: repeated, the same answer
 *                        │                           │
 *                        └────── another one ────────┴──▶ held: nobody gets anything
 *
 * The claim is durable before anything goes inward, so that two enrolments can't pass one another.
 *
 * An enrolment replaces: with it all earlier certificates of the member are revoked, whoever holds
 * them, and the invitations before its own are over. That is how a member whose key was stolen gets
 * rid of the thief. A suspended member enrols too and stays suspended.
 *
 * When a second enrolment comes after the first was answered, one of the two is not the member, and
 * nobody here can know which. The member is suspended and not revoked: what was issued does nothing
 * from that moment either way, and an operator who finds that the member itself tried twice can
 * take a suspension back, but not a revocation.
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

/* The audit entries of an enrolment are about the member. */
static struct kw_result subject_make(struct kw_authz_call *call, const struct kw_member_row *member,
                                     struct kw_error *err)
{
    char name[KW_RESOURCE_NAME_SIZE];

    (void)kw_resource_name1(member->kind == KW_MEMBER_PARTNER ? KW_RESOURCE_PARTNER
                                                              : KW_RESOURCE_STATION,
                            member->id, name);
    call->subject = kw_arena_text(call->arena, name, strlen(name));
    KW_ENSURE(call->subject != NULL, err, MEMORY, "a name");
    return KW_OK;
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
    KW_ENSURE(!enrolment->invitation.ended, err, IDENTITY_INVALID,
              "enrolled under a later invitation");
    KW_TRY(kw_member_find(tx, enrolment->invitation.member, call->arena, &member, &found, err));
    KW_ENSURE(found, err, INTERNAL, "an invitation without member");
    call->caller.member = member;
    return subject_make(call, &member, err);
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

/* Somebody else came first, and has what the invitation gives: see above. The suspension has the
 * invitation's id, as in a cell that hears of two enrolments (kw_invitation_react). */
static struct kw_result member_stop(struct kw_authz_call *call, struct kw_tx *tx,
                                    struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);

    KW_TRY(
        kw_member_suspend(&feed_tx, call->caller.member.id, call->caller.id.id, call->now_ms, err));
    call->disabled = true;
    return kw_authz_call_audit(call, tx, err);
}

static struct kw_result hold(struct kw_authz_call *call, struct kw_tx *tx,
                             struct enrolment *enrolment, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);

    if (enrolment->invitation.held) {
        return KW_OK;
    }
    enrolment->newly_held = true;
    KW_TRY(kw_invitation_hold(&feed_tx, enrolment->invitation.id, enrolment->digest, call->now_ms,
                              err));
    return enrolment->invitation.response.len > 0 ? member_stop(call, tx, err) : KW_OK;
}

struct kw_result kw_authz_enroll(struct kw_authz_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct enrolment *enrolment = kw_arena_alloc(call->arena, sizeof(*enrolment));
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);

    KW_ENSURE(enrolment != NULL, err, MEMORY, "an enrolment");
    KW_TRY(invitation_read(call, tx, enrolment, err));
    KW_TRY(keys_read(call, enrolment->digest, err));
    enrolment->fate = fate_of(enrolment);
    call->state = enrolment;
    if (call->validate_only) {
        return KW_OK;
    }
    if (enrolment->fate == FATE_HELD) {
        return hold(call, tx, enrolment, err);
    }
    return kw_invitation_claim(&feed_tx, enrolment->invitation.id, enrolment->digest, err);
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
           KW_F_STR("member", call->subject), KW_F_STR("peer", call->caller.peer),
           KW_F_STR("suspended", enrolment->invitation.response.len > 0 ? "yes" : "no"));
}

/* What was answered first, under the receipt of that time. */
static void answer_again(struct kw_authz_call *call, const struct kw_invitation_row *invitation)
{
    call->response = invitation->response;
    call->inner.outcome.receipt_id = invitation->receipt;
    call->replayed = true;
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
        answer_again(call, &enrolment->invitation);
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
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);
    struct kw_certificate_row certificate;

    KW_TRY(kw_register_read(call, issued, role_of(member), &certificate, err));
    KW_ENSURE(kw_id_equal(certificate.owner, member->id), err, INTERNAL,
              "a certificate for another member");
    KW_TRY(kw_certificate_insert(&feed_tx, &certificate, err));
    keys->certificate_expire_ms = certificate.expire_ms;
    return kw_member_raise_keys(&feed_tx, member->id, keys, call->now_ms, err);
}

/* What the member had before is over, and so are the ways to get more of it. */
static struct kw_result earlier_end(struct kw_authz_call *call, struct kw_tx *tx,
                                    const struct enrolment *enrolment, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);
    int64_t revoked;

    KW_TRY(kw_invitation_end_earlier(&feed_tx, &enrolment->invitation, call->now_ms, err));
    KW_TRY(kw_certificate_revoke_all(&feed_tx, enrolment->invitation.member, call->now_ms, &revoked,
                                     err));
    if (revoked > 0) {
        call->disabled = true;
        KW_TRY(kw_authz_call_audit(call, tx, err));
    }
    return KW_OK;
}

static struct kw_result enrolment_register(struct kw_authz_call *call, struct kw_tx *tx,
                                           const struct enrolment *enrolment, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);
    const Keyward__V1__EnrollResponse *response;
    struct kw_member_keys keys = {0};
    ProtobufCMessage *message;

    KW_TRY(kw_message_unpack(&keyward__v1__enroll_response__descriptor, call->response, call->arena,
                             &message, err));
    response = (const Keyward__V1__EnrollResponse *)message;
    KW_ENSURE(response->transport_key_version > 0, err, INTERNAL, "an enrolment without version");
    keys.transport_version = response->transport_key_version;
    KW_TRY(earlier_end(call, tx, enrolment, err));
    KW_TRY(certificate_register(call, tx, response->tls_certificate, &keys, err));
    return kw_invitation_answer(&feed_tx, enrolment->invitation.id, call->response,
                                call->inner.outcome.receipt_id, call->now_ms, err);
}

/* It may have been held or ended while the core issued: then it registers nobody. Or the same
 * enrolment was answered twice at once: then the first answer is the answer, and its certificate
 * must not be taken for an earlier one. */
struct kw_result kw_authz_enroll_effect(struct kw_authz_call *call, struct kw_tx *tx,
                                        struct kw_error *err)
{
    struct enrolment *enrolment = call->state;

    KW_TRY(invitation_read(call, tx, enrolment, err));
    switch (fate_of(enrolment)) {
    case FATE_HELD:
        return held(err);
    case FATE_ANSWERED:
        answer_again(call, &enrolment->invitation);
        return KW_OK;
    case FATE_FORWARD:
        break;
    }
    return enrolment_register(call, tx, enrolment, err);
}

/* The certificate that asks must be good in this very transaction: one that is revoked would leave
 * another behind it. */
struct kw_result kw_authz_renew_effect(struct kw_authz_call *call, struct kw_tx *tx,
                                       struct kw_error *err)
{
    struct kw_member_keys keys = {0};
    ProtobufCMessage *message;

    KW_TRY(kw_authz_call_admit(call, tx, err));
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
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);

    return kw_member_raise_keys(&feed_tx, call->caller.member.id, &keys, call->now_ms, err);
}
