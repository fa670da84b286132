/* Compromise drills at the crypto core: what a lying authz, orchestrator, database or caller gets
 * for it. Each test spoils one thing in a question that is right in all else, and names the
 * refusal. */
#include "common/audit/envelope.h"
#include "common/base/limits.h"
#include "common/crypto/kdf.h"
#include "common/crypto/keywrap.h"
#include "common/lifecycle/fact.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/resource.h"
#include "keyward/v1/device_access_service.pb-c.h"
#include "keyward/v1/enrollment_service.pb-c.h"
#include "keyward/v1/key_service.pb-c.h"
#include "keyward/v1/partner_service.pb-c.h"
#include "tests/support/core_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct core_fixture fx;
static struct core_caller station;
static struct core_caller partner;
static struct core_device device;

static void up(void)
{
    core_fixture_init(&fx);
    core_member(&fx, KW_ROLE_STATION, &station);
    core_member(&fx, KW_ROLE_PARTNER, &partner);
    core_device(&fx, &station, &device);
}

static void down(void)
{
    core_device_done(&device);
    core_caller_done(&station);
    core_caller_done(&partner);
    core_fixture_done(&fx);
}

TestSuite(core_drill, .init = up, .fini = down, .timeout = 120);

#define REFUSED(ask, expected)                                                                     \
    do {                                                                                           \
        enum kw_reason got_ = core_ask(&fx, (ask)).reason;                                         \
        if (got_ != (expected)) {                                                                  \
            cr_fatal("%s instead of %s",                                                           \
                     got_ == KW_E_NONE ? "allowed" : kw_reason_row(got_)->name,                    \
                     kw_reason_row(expected)->name);                                               \
        }                                                                                          \
    } while (0)

static void allowed(struct core_ask *ask)
{
    enum kw_reason reason = core_ask(&fx, ask).reason;

    if (reason != KW_E_NONE) {
        cr_fatal("refused: %s", kw_reason_row(reason)->name);
    }
}

static struct core_ask access_ask(void)
{
    struct core_ask ask;

    core_access_ask(&fx, &ask, &device, &partner);
    return ask;
}

/* --- the story itself --- */

Test(core_drill, a_key_use_delivers_what_the_pen_derives)
{
    struct core_ask ask = access_ask();
    struct core_answer answer = core_ask(&fx, &ask);
    KW_SCOPED(kw_secret_done) struct kw_secret expected = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret delivered = {0};
    struct kw_envelope envelope;

    cr_assert(answer.reason == KW_E_NONE);
    cr_assert(kw_ok(
        kw_envelope_decode(kw_bytes_field(answer.reply->items[0]->envelope), &envelope, NULL)));
    cr_assert(kw_ok(kw_kwp_unwrap(&partner.transport, envelope.wrapped, &delivered, NULL)));
    cr_assert(
        kw_ok(kw_kdf_partner_key(&device.value, partner.id, 1, KW_SUITE_AES256, &expected, NULL)));
    cr_assert(kw_bytes_equal(kw_secret_bytes(&expected), kw_secret_bytes(&delivered)));
    cr_assert(kw_ok(
        kw_envelope_verify(kw_bytes_field(answer.reply->items[0]->envelope), &delivered, NULL)));
}

/* --- capsules --- */

Test(core_drill, a_capsule_signed_by_another_key_is_refused)
{
    struct core_ask ask = access_ask();
    KW_SCOPED(kw_private_key_done) struct kw_private_key forger = {0};

    cr_assert(kw_ok(kw_private_key_generate(&forger, KW_CURVE_P256, NULL)));
    ask.seal_key = &forger;
    REFUSED(&ask, KW_E_CAPSULE_INVALID);
}

Test(core_drill, a_capsule_signed_by_another_service_is_refused)
{
    struct core_ask ask = access_ask();
    struct kw_credentials gateway = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    char path[PATH_MAX];

    cr_assert(kw_ok(kw_credentials_load(
        &gateway, kw_mesh_path(&fx.dir, "region/credentials/gateway", path), NULL)));
    cr_assert(kw_ok(kw_certificate_to_der(&gateway.leaf, &der, NULL)));
    ask.seal_key = &gateway.key;
    ask.seal_certificate = kw_buf_bytes(&der);
    REFUSED(&ask, KW_E_CAPSULE_INVALID);
    kw_credentials_done(&gateway);
}

Test(core_drill, a_capsule_of_another_cell_is_refused)
{
    struct core_ask ask = access_ask();

    ask.capsule.cell = kw_bytes_str("b");
    REFUSED(&ask, KW_E_CAPSULE_INVALID);
}

Test(core_drill, an_expired_capsule_is_refused)
{
    struct core_ask ask = access_ask();

    ask.capsule.issued_ms -= 20000;
    ask.capsule.not_after_ms = ask.capsule.issued_ms + KW_CAPSULE_LIFETIME_MS;
    REFUSED(&ask, KW_E_CAPSULE_EXPIRED);
}

Test(core_drill, a_capsule_from_the_future_is_refused)
{
    struct core_ask ask = access_ask();

    ask.capsule.issued_ms += 60000;
    ask.capsule.not_after_ms = ask.capsule.issued_ms + KW_CAPSULE_LIFETIME_MS;
    REFUSED(&ask, KW_E_CAPSULE_EXPIRED);
}

Test(core_drill, a_capsule_works_once)
{
    struct core_ask ask = access_ask();

    allowed(&ask);
    REFUSED(&ask, KW_E_CAPSULE_REPLAYED);
}

Test(core_drill, an_altered_capsule_is_refused)
{
    struct core_ask good = access_ask();
    struct core_ask bad = access_ask();
    uint8_t *copy;

    allowed(&good);
    copy = kw_arena_alloc(fx.arena, good.sealed.len);
    kw_copy(copy, good.sealed.data, good.sealed.len);
    copy[good.sealed.len / 2] ^= 1;
    bad.sealed = KW_BYTES(copy, good.sealed.len);
    REFUSED(&bad, KW_E_CAPSULE_INVALID);
}

Test(core_drill, a_capsule_for_another_request_is_refused)
{
    struct core_ask ask = access_ask();
    struct core_ask other = access_ask();

    ((Keyward__V1__GetDeviceAccessRequest *)(uintptr_t)other.body)->purpose =
        (char *)(uintptr_t) "other";
    cr_assert(kw_ok(kw_arena_pack(fx.arena, other.body, &ask.body_bytes, NULL)));
    REFUSED(&ask, KW_E_CAPSULE_INVALID);
}

Test(core_drill, a_capsule_for_another_method_is_refused)
{
    struct core_ask ask = access_ask();

    ask.capsule.method = KW_METHOD_DERIVE_SESSION;
    REFUSED(&ask, KW_E_CAPSULE_INVALID);
}

/* --- stored material --- */

Test(core_drill, device_a_s_capsule_with_device_b_s_blob_is_refused)
{
    struct core_ask ask = access_ask();
    struct core_device other;

    core_device(&fx, &station, &other);
    ask = access_ask();
    ask.request.keys[0] = other.key;
    REFUSED(&ask, KW_E_CAPSULE_INVALID);
    core_device_done(&other);
}

Test(core_drill, device_b_s_blob_under_device_a_s_name_is_refused)
{
    struct core_device other;
    struct core_ask ask;

    core_device(&fx, &station, &other);
    ask = access_ask();
    ask.request.keys[0]->wrapped = other.key->wrapped;
    ask.request.keys[0]->check_value = other.key->check_value;
    ask.request.keys[0]->mac = other.key->mac;
    REFUSED(&ask, KW_E_BINDING_INVALID);
    core_device_done(&other);
}

Test(core_drill, partner_a_s_capsule_with_partner_b_s_transport_key_is_refused)
{
    struct core_caller other;
    struct core_ask ask;

    core_member(&fx, KW_ROLE_PARTNER, &other);
    ask = access_ask();
    ask.request.transport_key = other.ptk;
    REFUSED(&ask, KW_E_CAPSULE_INVALID);
    core_caller_done(&other);
}

Test(core_drill, partner_b_s_transport_key_under_partner_a_s_name_is_refused)
{
    struct core_caller other;
    struct core_ask ask;

    core_member(&fx, KW_ROLE_PARTNER, &other);
    other.ptk->owner_id = partner.ptk->owner_id;
    ask = access_ask();
    ask.request.transport_key = other.ptk;
    REFUSED(&ask, KW_E_BINDING_INVALID);
    core_caller_done(&other);
}

Test(core_drill, a_changed_blob_is_refused)
{
    struct core_ask ask = access_ask();

    device.key->wrapped.data[5] ^= 1;
    REFUSED(&ask, KW_E_BINDING_INVALID);
}

Test(core_drill, a_changed_binding_mac_is_refused)
{
    struct core_ask ask = access_ask();

    device.key->mac.data[0] ^= 1;
    REFUSED(&ask, KW_E_BINDING_INVALID);
}

Test(core_drill, a_changed_batch_is_refused)
{
    struct core_ask ask = access_ask();

    device.key->batch_id.data[0] ^= 1;
    REFUSED(&ask, KW_E_BINDING_INVALID);
}

Test(core_drill, a_changed_enabling_fact_is_refused)
{
    struct core_ask ask = access_ask();
    ProtobufCBinaryData fact = device.key->facts[device.key->n_facts - 1]->fact;

    fact.data[fact.len - 1] ^= 1; /* the last letter of the actor */
    REFUSED(&ask, KW_E_BINDING_INVALID);
}

Test(core_drill, an_enabling_fact_with_a_made_up_mac_is_refused)
{
    struct core_ask ask = access_ask();

    device.key->facts[device.key->n_facts - 1]->mac.data[3] ^= 1;
    REFUSED(&ask, KW_E_BINDING_INVALID);
}

Test(core_drill, without_its_activation_a_key_is_not_released)
{
    struct core_ask ask = access_ask();

    device.key->n_facts--;
    REFUSED(&ask, KW_E_KEY_STATE);
}

/* A disabling fact that one side deleted is still known to the other. */
static struct kw_bytes suspension(void)
{
    struct kw_fact fact = {.kind = KW_FACT_SUSPENDED,
                           .time_ms = 1,
                           .actor = kw_bytes_str("spiffe://keyward.test/operator/x"),
                           .ref = {{9}}};
    struct kw_buf record = {0};
    struct kw_bytes copy = KW_BYTES_NONE;

    cr_assert(kw_ok(kw_id_from_bytes(kw_bytes_field(device.key->key_id), &fact.key, NULL)));
    cr_assert(kw_ok(kw_fact_encode(&fact, &record, NULL)));
    cr_assert(kw_ok(kw_arena_copy(fx.arena, kw_buf_bytes(&record), &copy, NULL)));
    kw_buf_done(&record);
    return copy;
}

Test(core_drill, a_suspension_that_the_orchestrator_hides_is_in_the_capsule)
{
    struct core_ask ask = access_ask();
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    struct kw_fact fact;

    cr_assert(kw_ok(kw_fact_decode(suspension(), &fact, NULL)));
    cr_assert(kw_ok(kw_capsule_disabled_add(&ask.capsule, &list, &fact, NULL)));
    REFUSED(&ask, KW_E_KEY_STATE);
}

Test(core_drill, a_suspension_that_authz_hides_is_in_the_orchestrator_s_facts)
{
    struct core_ask ask = access_ask();
    Keyward__Internal__V1__Fact hidden = KEYWARD__INTERNAL__V1__FACT__INIT;
    Keyward__Internal__V1__Fact *list[8];

    hidden.fact = kw_field_bytes(suspension());
    kw_copy(list, device.key->facts, device.key->n_facts * sizeof(list[0]));
    list[device.key->n_facts++] = &hidden;
    device.key->facts = list;
    REFUSED(&ask, KW_E_KEY_STATE);
}

Test(core_drill, a_grant_for_another_batch_does_not_reach_the_device)
{
    struct core_ask ask = access_ask();

    ask.capsule.scope = KW_SCOPE_BATCH;
    ask.capsule.scope_id = (struct kw_id){{1}};
    REFUSED(&ask, KW_E_SCOPE_MISMATCH);
}

/* --- callers --- */

static struct core_ask lift_ask(const struct core_caller *caller)
{
    Keyward__V1__ActivateKeyRequest *body = kw_arena_alloc(fx.arena, sizeof(*body));
    struct kw_resource_ids ids = {.id = {device.device}};
    char *name = kw_arena_alloc(fx.arena, KW_RESOURCE_NAME_SIZE);
    struct core_ask ask;

    cr_assert(kw_ok(kw_id_from_bytes(kw_bytes_field(device.key->key_id), &ids.id[1], NULL)));
    keyward__v1__activate_key_request__init(body);
    body->request_id = core_request_id(&fx);
    body->name = kw_resource_name(KW_RESOURCE_KEY, &ids, name);
    core_ask_init(&fx, &ask, KW_METHOD_ACTIVATE_KEY, &body->base, caller);
    ask.request.keys = kw_arena_alloc(fx.arena, sizeof(device.key));
    ask.request.keys[0] = device.key;
    ask.request.n_keys = 1;
    ask.capsule.scope = KW_SCOPE_BODY;
    device.key->n_facts--; /* as if it had not been activated */
    return ask;
}

Test(core_drill, an_operator_s_signed_mutation_is_allowed)
{
    struct core_ask ask = lift_ask(&fx.officer);

    allowed(&ask);
}

Test(core_drill, an_unsigned_mutation_is_refused)
{
    struct core_ask ask = lift_ask(&fx.officer);

    ask.unsigned_call = true;
    ask.authorization.caller_certificate = kw_field_bytes(kw_buf_bytes(&fx.officer.certificate));
    REFUSED(&ask, KW_E_SIGNATURE_INVALID);
}

Test(core_drill, a_mutation_signed_by_another_key_is_refused)
{
    struct core_ask ask = lift_ask(&fx.officer);
    struct core_caller thief = {.certificate = fx.officer.certificate};

    cr_assert(kw_ok(kw_private_key_generate(&thief.key, KW_CURVE_P256, NULL)));
    ask.caller = &thief;
    REFUSED(&ask, KW_E_SIGNATURE_INVALID);
    kw_private_key_done(&thief.key);
}

Test(core_drill, a_mutation_signed_by_a_partner_in_the_operator_s_name_is_refused)
{
    struct core_ask ask = lift_ask(&fx.officer);

    ask.caller = &partner; /* signs, and sends its own certificate */
    REFUSED(&ask, KW_E_SIGNATURE_INVALID);
}

Test(core_drill, a_signature_over_another_request_is_refused)
{
    struct core_ask first = lift_ask(&fx.officer);
    struct core_ask second;

    allowed(&first);
    device.key->n_facts++;
    second = lift_ask(&fx.officer);
    second.authorization.caller_signature = first.authorization.caller_signature;
    second.authorization.caller_certificate = first.authorization.caller_certificate;
    REFUSED(&second, KW_E_SIGNATURE_INVALID);
}

/* --- invitations --- */

Test(core_drill, an_invitation_nobody_signed_enrols_nobody)
{
    KW_SCOPED(core_caller_done) struct core_caller invitation = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct core_ask ask;
    struct kw_id id = {{3}};

    core_invite(&fx, KW_ROLE_PARTNER, id, &invitation, &record);
    record.data[40] ^= 1; /* in the body the operator signed */
    core_enroll_ask(&fx, &ask, id, &invitation, kw_buf_bytes(&record));
    REFUSED(&ask, KW_E_SIGNATURE_INVALID);
}

Test(core_drill, an_invitation_does_not_enrol_another_member)
{
    KW_SCOPED(core_caller_done) struct core_caller invitation = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct core_ask ask;

    core_invite(&fx, KW_ROLE_PARTNER, (struct kw_id){{3}}, &invitation, &record);
    core_enroll_ask(&fx, &ask, (struct kw_id){{4}}, &invitation, kw_buf_bytes(&record));
    REFUSED(&ask, KW_E_CAPSULE_INVALID);
}

Test(core_drill, a_stolen_invitation_without_its_key_enrols_nobody)
{
    KW_SCOPED(core_caller_done) struct core_caller invitation = {0};
    KW_SCOPED(core_caller_done) struct core_caller other = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf other_record = {0};
    struct core_ask ask;
    struct kw_id id = {{3}};

    core_invite(&fx, KW_ROLE_PARTNER, id, &invitation, &record);
    core_invite(&fx, KW_ROLE_PARTNER, (struct kw_id){{5}}, &other, &other_record);
    core_enroll_ask(&fx, &ask, id, &other,
                    kw_buf_bytes(&record)); /* signs with a key that was not invited */
    REFUSED(&ask, KW_E_SIGNATURE_INVALID);
}

/* --- receipts --- */

Test(core_drill, a_witness_that_lags_too_far_stops_the_core)
{
    struct core_ask ask;

    for (unsigned i = 0;
         i <= KW_WITNESS_LAG_RECEIPTS_MAX && fx.chain.at.seq <= KW_WITNESS_LAG_RECEIPTS_MAX; i++) {
        ask = access_ask();
        allowed(&ask);
    }
    ask = access_ask();
    ask.capsule.witness = (struct kw_witness){0};
    REFUSED(&ask, KW_E_RECEIPT_LAG);
}

Test(core_drill, a_core_that_was_killed_begins_a_new_chain)
{
    struct core_ask ask = access_ask();

    allowed(&ask);
    core_fixture_kill(&fx);
    core_fixture_start(&fx);
    ask = access_ask();
    allowed(&ask);
    cr_assert(fx.chain.at.seq == 1);
}
