/* The orchestrator's part in enrolment, and what it does when it is stopped half-way. */
#include "common/audit/invitation.h"
#include "common/base/failpoint.h"
#include "common/pki/csr.h"
#include "services/orchestrator/core_link.h"
#include "tests/component/orchestrator_fixture.h"
#include "tests/support/faults.h"

#include <keyward/v1/device_access_service.pb-c.h>
#include <keyward/v1/enrollment_service.pb-c.h>
#include <keyward/v1/key_service.pb-c.h>
#include <keyward/v1/partner_service.pb-c.h>
#include <stdlib.h>

static struct orch_fixture fx;

static void init(void)
{
    orch_fixture_init(&fx);
}

static void done(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator_member, .init = init, .fini = done, .timeout = 60);

/* --- enrolment --- */

struct enrolment {
    struct kw_buf tls;
    struct kw_buf transport;
    struct kw_buf invitation;
    Keyward__V1__EnrollRequest body;
    struct asking asking;
};

static void make_csr(enum kw_curve curve, struct kw_buf *csr)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};

    MUST(kw_private_key_generate(&key, curve, err));
    kw_buf_clear(csr);
    MUST(kw_csr_build(&key, csr, err));
}

static void enrolment_init(struct enrolment *e)
{
    const struct kw_invitation invitation = {
        .method = kw_bytes_str("/keyward.v1.PartnerService/CreatePartnerInvitation"),
        .body = kw_bytes_str("body"),
        .request_id = kw_bytes_str("0123456789abcdef"),
        .signature = kw_bytes_str("signature"),
        .certificate = kw_bytes_str("certificate")};

    *e = (struct enrolment){.body = KEYWARD__V1__ENROLL_REQUEST__INIT};
    make_csr(KW_CURVE_P256, &e->tls);
    make_csr(KW_CURVE_P384, &e->transport);
    MUST(kw_invitation_encode(&invitation, &e->invitation, err));
    e->body.request_id = orch_request_id(&fx);
    e->body.tls_csr = kw_field_bytes(kw_buf_bytes(&e->tls));
    e->body.transport_csr = kw_field_bytes(kw_buf_bytes(&e->transport));
    e->asking = (struct asking){.method = KW_METHOD_ENROLL,
                                .body = &e->body.base,
                                .role = KW_ROLE_INVITATION,
                                .invitation = kw_buf_bytes(&e->invitation)};
    MUST(kw_id_random(&e->asking.caller, err));
    MUST(kw_id_random(&e->asking.owner, err));
}

static void enrolment_done(struct enrolment *e)
{
    kw_buf_done(&e->tls);
    kw_buf_done(&e->transport);
    kw_buf_done(&e->invitation);
}

static const Keyward__V1__EnrollResponse *enroll(struct enrolment *e)
{
    struct asked asked = orch_ask(&fx, &e->asking);

    return (const Keyward__V1__EnrollResponse *)orch_message(
        &fx, &asked, 0, &keyward__v1__enroll_response__descriptor);
}

Test(orchestrator_member, enrols_with_certificates_key_and_nonce)
{
    struct enrolment e;
    const Keyward__V1__EnrollResponse *response;

    enrolment_init(&e);
    response = enroll(&e);
    cr_assert(eq(str, response->member, orch_name(&fx, KW_RESOURCE_PARTNER, e.asking.owner)));
    cr_assert(eq(u32, response->transport_key_version, 1));
    cr_assert(eq(sz, response->confirmation_nonce.len, 16));
    cr_assert(eq(sz, response->tls_certificate->n_chain, 1));
    cr_assert(response->tls_certificate->expire_time != NULL);
    enrolment_done(&e);
}

Test(orchestrator_member, answers_the_same_enrolment_again_whatever_its_request_id)
{
    struct enrolment e;
    const Keyward__V1__EnrollResponse *first;
    const Keyward__V1__EnrollResponse *second;

    faults_off(); /* counts the core's calls */
    enrolment_init(&e);
    first = enroll(&e);
    e.body.request_id = orch_request_id(&fx);
    second = enroll(&e);
    cr_assert(kw_bytes_equal(kw_bytes_field(first->transport_key),
                             kw_bytes_field(second->transport_key)));
    cr_assert(eq(u32, fx.core.calls, 1));
    enrolment_done(&e);
}

#define ROUNDS_MAX 50 /* until both were under way at once */

static uint32_t version_made(const struct asked *asked)
{
    const Keyward__V1__EnrollResponse *response = (const Keyward__V1__EnrollResponse *)orch_message(
        &fx, asked, 0, &keyward__v1__enroll_response__descriptor);

    return response->transport_key_version;
}

/* One owner's two enrolments. True: one was refused for the other's sake. */
static bool enroll_both(void)
{
    struct enrolment e[2];
    struct asked asked[2];

    for (size_t i = 0; i < 2; i++) {
        enrolment_init(&e[i]);
    }
    e[1].asking.owner = e[0].asking.owner;
    for (size_t i = 0; i < 2; i++) {
        orch_ask_start(&fx, &e[i].asking, &asked[i]);
    }
    EVENTUALLY(&fx, asked[0].over && asked[1].over);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(asked[i].reason == KW_E_NONE || asked[i].reason == KW_E_STORE_CONFLICT);
        enrolment_done(&e[i]);
    }
    if (asked[0].reason == asked[1].reason) { /* one came when the other was done */
        cr_assert(ne(u32, version_made(&asked[0]), version_made(&asked[1])));
    }
    return asked[0].reason != asked[1].reason;
}

/* Under two invitations: each sees that there is no key yet, and the core makes both. */
Test(orchestrator_member, makes_one_transport_key_of_a_version)
{
    bool was_close = false;

    faults_off(); /* both are under way */
    for (unsigned round = 0; round < ROUNDS_MAX && !was_close; round++) {
        was_close = enroll_both();
    }
    cr_assert(was_close);
}

Test(orchestrator_member, holds_another_enrolment_under_the_same_invitation)
{
    struct enrolment e;

    enrolment_init(&e);
    (void)enroll(&e);
    make_csr(KW_CURVE_P256, &e.tls);
    e.body.tls_csr = kw_field_bytes(kw_buf_bytes(&e.tls));
    e.body.request_id = orch_request_id(&fx);
    cr_assert(eq(int, orch_ask(&fx, &e.asking).reason, KW_E_ENROLLMENT_HELD));
    enrolment_done(&e);
}

Test(orchestrator_member, names_an_invitation_by_its_certificate)
{
    Keyward__V1__CreatePartnerInvitationRequest body =
        KEYWARD__V1__CREATE_PARTNER_INVITATION_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_CREATE_PARTNER_INVITATION,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id,
                                  .owner = fx.partner};
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};
    const Keyward__V1__CreatePartnerInvitationResponse *response;
    struct kw_resource_ids ids;
    struct asked asked;

    make_csr(KW_CURVE_P256, &csr);
    body.request_id = orch_request_id(&fx);
    body.parent = orch_name(&fx, KW_RESOURCE_PARTNER, fx.partner);
    body.csr = kw_field_bytes(kw_buf_bytes(&csr));
    asked = orch_ask(&fx, &asking);
    response = (const Keyward__V1__CreatePartnerInvitationResponse *)orch_message(
        &fx, &asked, 0, &keyward__v1__create_partner_invitation_response__descriptor);
    MUST(kw_resource_parse(KW_RESOURCE_PARTNER_INVITATION, response->invitation->name, &ids, err));
    cr_assert(kw_id_equal(ids.id[0], fx.partner));
}

Test(orchestrator_member, confirms_a_transport_key_and_delivers_under_it_then)
{
    Keyward__V1__ConfirmTransportKeyRequest body = KEYWARD__V1__CONFIRM_TRANSPORT_KEY_REQUEST__INIT;
    static uint8_t proof[16] = {9};
    struct asking asking = {
        .method = KW_METHOD_CONFIRM_TRANSPORT_KEY, .body = &body.base, .role = KW_ROLE_PARTNER};
    struct enrolment e;

    enrolment_init(&e);
    (void)enroll(&e);
    asking.caller = e.asking.owner;
    body.request_id = orch_request_id(&fx);
    body.transport_key_version = 1;
    body.proof = (ProtobufCBinaryData){.data = proof, .len = sizeof(proof)};
    fx.core.fault = CORE_REFUSES;
    fx.core.refusal = KW_E_TRANSPORT_KEY_UNCONFIRMED;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_POSSESSION_UNPROVEN));
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    body.transport_key_version = 2;
    body.request_id = orch_request_id(&fx);
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NOT_FOUND));
    enrolment_done(&e);
}

/* --- what does not fit --- */

static void no_items(Keyward__Internal__V1__CoreReply *reply)
{
    reply->n_items = 0;
}

static void no_certificates(Keyward__Internal__V1__CoreReply *reply)
{
    reply->n_certificates = 0;
}

static void no_transport_key(Keyward__Internal__V1__CoreReply *reply)
{
    reply->transport_key = NULL;
}

static void key_of_another_version(Keyward__Internal__V1__CoreReply *reply)
{
    reply->transport_key->version++;
}

Test(orchestrator_member, enrols_nobody_with_half_of_what_was_asked_for)
{
    void (*const oddities[])(Keyward__Internal__V1__CoreReply *) = {
        no_items, no_certificates, no_transport_key, key_of_another_version};
    struct enrolment e;

    enrolment_init(&e);
    for (size_t i = 0; i < sizeof(oddities) / sizeof(oddities[0]); i++) {
        fx.core.spoil = oddities[i];
        cr_assert(eq(int, orch_ask(&fx, &e.asking).reason, KW_E_INTERNAL), "%zu", i);
    }
    cr_assert(eq(u32, enroll(&e)->transport_key_version, 1)); /* nothing is left of the others */
    enrolment_done(&e);
}

/* A certificate by the right issuer for somebody else, in this place of the answer. */
static struct kw_buf stranger;
static size_t stranger_place;

static void make_stranger(enum kw_role role, struct kw_id id)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    uint64_t now = kw_clock_wall_ms();
    struct kw_spiffe identity;
    const struct kw_leaf_plan plan = {.subject = &public,
                                      .identity = &identity,
                                      .validity = {now, now + 3600000},
                                      .usage = KW_USAGE_CLIENT};

    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    MUST(kw_private_key_public(&key, &public, err));
    MUST(kw_spiffe_caller("test", role, id, &identity, err));
    MUST(kw_certificate_issue(&plan, &fx.issuer, &leaf, err));
    kw_buf_clear(&stranger);
    MUST(kw_certificate_to_der(&leaf, &stranger, err));
}

static void certificate_of_a_stranger(Keyward__Internal__V1__CoreReply *reply)
{
    reply->certificates[stranger_place]->certificates[0] = kw_field_bytes(kw_buf_bytes(&stranger));
}

Test(orchestrator_member, enrols_nobody_with_a_certificate_of_somebody_else)
{
    struct enrolment e;

    enrolment_init(&e);
    for (stranger_place = 0; stranger_place < 2; stranger_place++) {
        make_stranger(KW_ROLE_PARTNER, fx.partner);
        fx.core.spoil = certificate_of_a_stranger;
        cr_assert(eq(int, orch_ask(&fx, &e.asking).reason, KW_E_INTERNAL), "%zu", stranger_place);
        make_stranger(KW_ROLE_STATION, e.asking.owner); /* the same id as something else */
        fx.core.spoil = certificate_of_a_stranger;
        cr_assert(eq(int, orch_ask(&fx, &e.asking).reason, KW_E_INTERNAL), "%zu", stranger_place);
    }
    cr_assert(eq(u32, enroll(&e)->transport_key_version, 1)); /* nothing is left of the others */
    kw_buf_done(&stranger);
    enrolment_done(&e);
}

Test(orchestrator_member, enrols_nobody_who_was_invited_by_something_else)
{
    const struct kw_invitation invitation = {
        .method = kw_bytes_str("/keyward.v1.StatusService/GetStatus"),
        .body = kw_bytes_str("body"),
        .request_id = kw_bytes_str("0123456789abcdef"),
        .signature = kw_bytes_str("signature"),
        .certificate = kw_bytes_str("certificate")};
    struct enrolment e;

    enrolment_init(&e);
    kw_buf_clear(&e.invitation);
    MUST(kw_invitation_encode(&invitation, &e.invitation, err));
    e.asking.invitation = kw_buf_bytes(&e.invitation);
    cr_assert(eq(int, orch_ask(&fx, &e.asking).reason, KW_E_CAPSULE_INVALID));
    enrolment_done(&e);
}

Test(orchestrator_member, gives_nothing_under_a_key_that_is_not_confirmed)
{
    Keyward__V1__GetDeviceAccessRequest body = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__INIT;
    struct asking asking = {
        .method = KW_METHOD_GET_DEVICE_ACCESS, .body = &body.base, .role = KW_ROLE_PARTNER};
    struct enrolment e;

    enrolment_init(&e);
    (void)enroll(&e);
    asking.caller = e.asking.owner;
    body.selector_case = KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;
    body.device = orch_released_device(&fx)->device;
    body.epoch = 1;
    body.purpose = (char *)(uintptr_t) "care";
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_TRANSPORT_KEY_UNCONFIRMED));
    enrolment_done(&e);
}

Test(orchestrator_member, a_confirmation_that_the_core_refuses_says_why)
{
    Keyward__V1__ConfirmTransportKeyRequest body = KEYWARD__V1__CONFIRM_TRANSPORT_KEY_REQUEST__INIT;
    static uint8_t proof[16] = {9};
    struct asking asking = {
        .method = KW_METHOD_CONFIRM_TRANSPORT_KEY, .body = &body.base, .role = KW_ROLE_PARTNER};
    struct enrolment e;

    enrolment_init(&e);
    (void)enroll(&e);
    asking.caller = e.asking.owner;
    body.request_id = orch_request_id(&fx);
    body.transport_key_version = 1;
    body.proof = (ProtobufCBinaryData){.data = proof, .len = sizeof(proof)};
    fx.core.fault = CORE_REFUSES;
    fx.core.refusal = KW_E_HSM_UNAVAILABLE;
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_HSM_UNAVAILABLE));
    enrolment_done(&e);
}

/* --- stopped half-way --- */

static void arm(enum kw_failpoint point)
{
    char text[96];

    snprintf(text, sizeof(text), "%s=error:1", kw_failpoint_row(point)->name);
    setenv("KEYWARD_FAILPOINTS", text, 1);
    MUST(kw_failpoint_load(err));
}

/* A batch is asked for twice under one request id, the first time with a failure at the place. */
static struct asked batch_after(enum kw_failpoint point, enum kw_reason first)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, 2);

    arm(point);
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, first));
    return orch_ask(&fx, &asking);
}

Test(orchestrator_member, makes_a_batch_after_a_failure_before_the_core)
{
    struct asked asked = batch_after(KW_FP_ORCH_BEFORE_CORE, KW_E_SYSTEM);

    cr_assert(eq(sz, orch_chunk(&fx, &asked)->n_items, 2));
    cr_assert(eq(u64, fx.core.chain.seq, 1));
}

Test(orchestrator_member, keeps_the_receipt_when_the_effect_could_not_be_written)
{
    struct asked asked = batch_after(KW_FP_ORCH_BEFORE_EFFECT, KW_E_SYSTEM);

    cr_assert(eq(sz, orch_chunk(&fx, &asked)->n_items, 2));
    cr_assert(not(asked.outcome->replayed));
    cr_assert(eq(u64, fx.core.chain.seq, 2));
    EVENTUALLY(&fx, fx.core.acked == 2);
}

Test(orchestrator_member, rolls_an_effect_back_whole)
{
    struct asked asked = batch_after(KW_FP_ORCH_AFTER_EFFECT, KW_E_SYSTEM);

    cr_assert(eq(sz, orch_chunk(&fx, &asked)->n_items, 2));
    cr_assert(not(asked.outcome->replayed));
    EVENTUALLY(&fx, fx.core.acked == 2);
}

Test(orchestrator_member, replays_what_was_durable_but_never_answered)
{
    struct asked asked = batch_after(KW_FP_ORCH_BEFORE_ANSWER, KW_E_SYSTEM);

    cr_assert(eq(sz, orch_chunk(&fx, &asked)->n_items, 2));
    cr_assert(asked.outcome->replayed);
    cr_assert(eq(u64, fx.core.chain.seq, 1));
}

Test(orchestrator_member, does_not_suspend_twice_after_a_failure)
{
    Keyward__V1__SuspendKeyRequest body = KEYWARD__V1__SUSPEND_KEY_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_SUSPEND_KEY,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};
    const Keyward__V1__SuspendKeyResponse *response;
    struct asked asked;

    body.request_id = orch_request_id(&fx);
    body.name = orch_released_device(&fx)->key;
    body.justification = (char *)(uintptr_t) "lost";
    arm(KW_FP_ORCH_BEFORE_ANSWER);
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_SYSTEM));
    asked = orch_ask(&fx, &asking);
    response = (const Keyward__V1__SuspendKeyResponse *)orch_message(
        &fx, &asked, 0, &keyward__v1__suspend_key_response__descriptor);
    cr_assert(asked.outcome->replayed);
    cr_assert(eq(sz, response->key->n_suspensions, 1));
}
