/* Each operation on a real SoftHSM token, its result recomputed by software. */
#include "common/crypto/cmac.h"
#include "common/crypto/kdf.h"
#include "common/crypto/keywrap.h"
#include "common/crypto/sign.h"
#include "common/pki/trust.h"
#include "tests/component/hsm_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct hsm_fixture f;

static void set_up(void)
{
    hsm_fixture_init(&f);
}

static void tear_down(void)
{
    hsm_fixture_done(&f);
}

TestSuite(hsm_ops, .init = set_up, .fini = tear_down);

static bool same(const struct kw_secret *a, const struct kw_secret *b)
{
    return kw_bytes_equal_ct(kw_secret_bytes(a), kw_secret_bytes(b));
}

Test(hsm_ops, generated_key_is_stored_and_delivered_as_one_key)
{
    struct kw_hsm_new_key keys[3] = {
        {hsm_test_id(1), hsm_test_id(2), hsm_test_id(3), hsm_test_id(4)},
        {hsm_test_id(5), hsm_test_id(6), hsm_test_id(3), hsm_test_id(4)},
        {hsm_test_id(7), hsm_test_id(8), hsm_test_id(3), hsm_test_id(4)},
    };
    struct kw_hsm_answer answer;
    struct kw_hsm_request request = {
        .op = KW_HSM_GENERATE,
        .generate = {.kek_version = 1, .station = f.ptk, .keys = keys, .count = 3}};

    cr_assert(eq(int, hsm_run(&f, &request, &answer), KW_E_NONE));
    cr_assert(eq(sz, answer.generated.count, 3));
    for (size_t i = 0; i < 3; i++) {
        const struct kw_hsm_generated *item = &answer.generated.items[i];
        KW_SCOPED(kw_secret_done) struct kw_secret stored = {0};
        KW_SCOPED(kw_secret_done) struct kw_secret delivered = {0};
        uint8_t check[KW_CHECK_VALUE_LEN];

        cr_assert(kw_id_equal(item->stored.device, keys[i].device));
        cr_assert(kw_ok(kw_kwp_unwrap(&f.kek, KW_BYTES_OF(item->stored.wrapped), &stored, NULL)));
        cr_assert(
            kw_ok(kw_kwp_unwrap(&f.ptk_value, KW_BYTES_OF(item->delivered), &delivered, NULL)));
        cr_assert(same(&stored, &delivered));
        cr_assert(kw_ok(kw_check_value(&stored, check, NULL)));
        cr_assert(kw_bytes_equal(KW_BYTES_OF(check), KW_BYTES_OF(item->stored.check)));
    }
}

Test(hsm_ops, generated_binding_has_the_documented_mac)
{
    KW_SCOPED(kw_secret_done) struct kw_secret value = {0};
    struct kw_key_binding stored;
    struct kw_key_binding again;

    hsm_device(&f, &stored, &value);
    again = stored;
    hsm_reseal(&f, &again);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(stored.mac), KW_BYTES_OF(again.mac)));
}

Test(hsm_ops, released_key_is_k_pd_of_the_key_schedule)
{
    KW_SCOPED(kw_secret_done) struct kw_secret value = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret expected = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret got = {0};
    struct kw_key_binding device;
    struct kw_hsm_fact fact;
    struct kw_hsm_request request;
    struct kw_hsm_answer answer;

    hsm_device(&f, &device, &value);
    request = hsm_release(&f, &device, &fact);
    cr_assert(eq(int, hsm_run(&f, &request, &answer), KW_E_NONE));
    cr_assert(eq(sz, answer.derived.wrapped_len, 40));
    cr_assert(kw_ok(kw_kwp_unwrap(&f.ptk_value, KW_BYTES(answer.derived.wrapped, 40), &got, NULL)));
    cr_assert(kw_ok(kw_kdf_partner_key(&value, f.partner, 7, 1, &expected, NULL)));
    cr_assert(same(&got, &expected));
}

Test(hsm_ops, release_envelope_is_maced_by_the_released_key)
{
    KW_SCOPED(kw_secret_done) struct kw_secret value = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    struct kw_key_binding device;
    struct kw_hsm_fact fact;
    struct kw_hsm_request request;
    struct kw_hsm_answer answer;

    hsm_device(&f, &device, &value);
    request = hsm_release(&f, &device, &fact);
    cr_assert(eq(int, hsm_run(&f, &request, &answer), KW_E_NONE));
    cr_assert(kw_ok(kw_kdf_partner_key(&value, f.partner, 7, 1, &key, NULL)));
    struct kw_bytes parts[] = {kw_bytes_str("an envelope"), KW_BYTES(answer.derived.wrapped, 40)};

    cr_assert(kw_ok(kw_cmac_aes256_verify(&key, parts, 2, KW_BYTES_OF(answer.derived.mac), NULL)));
}

/* A session derived by the HSM for `device`, and the keys that software makes of the same inputs.
 */
static void derive_session(const struct kw_key_binding *device, const struct kw_secret *value,
                           struct kw_secret *ret_expected, struct kw_hsm_answer *ret_answer)
{
    static struct kw_hsm_fact fact;
    KW_SCOPED(kw_secret_done) struct kw_secret k_pd = {0};
    struct kw_hsm_request request = hsm_release(&f, device, &fact);
    struct kw_session_context context = {.counter = 9};

    memset(context.nonce_app, 0x11, sizeof(context.nonce_app));
    memset(context.nonce_pen, 0x22, sizeof(context.nonce_pen));
    request.derive.kind = KW_HSM_SESSION;
    memset(request.derive.nonce_app, 0x11, KW_HSM_NONCE_LEN);
    memset(request.derive.nonce_pen, 0x22, KW_HSM_NONCE_LEN);
    request.derive.counter = 9;
    cr_assert(eq(int, hsm_run(&f, &request, ret_answer), KW_E_NONE));
    cr_assert(kw_ok(kw_kdf_partner_key(value, f.partner, 7, 1, &k_pd, NULL)));
    cr_assert(kw_ok(kw_kdf_session_keys(&k_pd, &context, ret_expected, NULL)));
}

Test(hsm_ops, session_keys_are_those_of_the_key_schedule)
{
    KW_SCOPED(kw_secret_done) struct kw_secret value = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret expected = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret got = {0};
    struct kw_key_binding device;
    struct kw_hsm_answer answer;

    hsm_device(&f, &device, &value);
    derive_session(&device, &value, &expected, &answer);
    cr_assert(eq(sz, answer.derived.wrapped_len, 80));
    cr_assert(kw_ok(kw_kwp_unwrap(&f.ptk_value, KW_BYTES(answer.derived.wrapped, 80), &got, NULL)));
    cr_assert(same(&got, &expected));
}

Test(hsm_ops, session_envelope_is_maced_by_k_auth)
{
    KW_SCOPED(kw_secret_done) struct kw_secret value = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret keys = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret auth = {0};
    struct kw_key_binding device;
    struct kw_hsm_answer answer;

    hsm_device(&f, &device, &value);
    derive_session(&device, &value, &keys, &answer);
    cr_assert(kw_ok(kw_secret_copy(&auth, KW_BYTES(keys.slot + 32, 32), NULL)));
    struct kw_bytes parts[] = {kw_bytes_str("an envelope"), KW_BYTES(answer.derived.wrapped, 80)};

    cr_assert(kw_ok(kw_cmac_aes256_verify(&auth, parts, 2, KW_BYTES_OF(answer.derived.mac), NULL)));
}

Test(hsm_ops, right_possession_tag_is_accepted)
{
    KW_SCOPED(kw_secret_done) struct kw_secret value = {0};
    struct kw_hsm_request request = {.op = KW_HSM_VERIFY_POSSESSION};
    struct kw_hsm_possession *p = &request.possession;

    hsm_device(&f, &p->device, &value);
    memset(p->challenge, 0x5c, sizeof(p->challenge));
    struct kw_bytes parts[] = {kw_bytes_str("KEYWARD-PROV"), KW_BYTES_OF(p->challenge),
                               kw_id_bytes(&p->device.device)};

    cr_assert(kw_ok(kw_cmac_aes256(&value, parts, 3, p->tag, NULL)));
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_NONE));
}

Test(hsm_ops, fact_macs_verify)
{
    struct kw_bytes contents[] = {kw_bytes_str("first"), kw_bytes_str("second")};
    struct kw_hsm_request make = {.op = KW_HSM_MAC_FACTS,
                                  .mac_facts = {.contents = contents, .count = 2}};
    struct kw_hsm_fact facts[2] = {{.content = contents[0]}, {.content = contents[1]}};
    struct kw_hsm_request verify = {.op = KW_HSM_VERIFY_FACTS,
                                    .verify_facts = {.facts = facts, .count = 2}};
    KW_SCOPED(kw_secret_done) struct kw_secret value = {0};
    struct kw_hsm_answer answer;

    hsm_device(&f, &verify.verify_facts.device, &value);
    cr_assert(eq(int, hsm_run(&f, &make, &answer), KW_E_NONE));
    cr_assert(eq(sz, answer.macs.count, 2));
    for (size_t i = 0; i < 2; i++) {
        struct kw_bytes parts[] = {kw_bytes_str("KEYWARD-FACT-v1"), contents[i]};

        cr_assert(kw_ok(
            kw_cmac_aes256_verify(&f.mac_key, parts, 2, KW_BYTES_OF(answer.macs.items[i]), NULL)));
        kw_copy(facts[i].mac, answer.macs.items[i], KW_HSM_MAC_LEN);
    }
    cr_assert(eq(int, hsm_run(&f, &verify, NULL), KW_E_NONE));
}

Test(hsm_ops, enveloped_transport_key_is_the_stored_one)
{
    KW_SCOPED(kw_secret_done) struct kw_secret stored = {0};

    cr_assert(kw_ok(kw_kwp_unwrap(&f.kek, KW_BYTES_OF(f.ptk.wrapped), &stored, NULL)));
    cr_assert(same(&stored, &f.ptk_value));
    cr_assert(kw_id_equal(f.ptk.owner, f.partner));
}

Test(hsm_ops, right_transport_proof_is_accepted)
{
    struct kw_hsm_request request = {.op = KW_HSM_PTK_CONFIRM,
                                     .ptk_confirm = {.transport = f.ptk, .nonce = {1, 2, 3}}};
    struct kw_bytes parts[] = {kw_bytes_str("KEYWARD-PTK-OK"),
                               KW_BYTES_OF(request.ptk_confirm.nonce)};

    cr_assert(kw_ok(kw_cmac_aes256(&f.ptk_value, parts, 2, request.ptk_confirm.proof, NULL)));
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_NONE));
}

Test(hsm_ops, checkpoint_signature_verifies_with_its_label)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf spki = {0};
    struct kw_hsm_request request = {.op = KW_HSM_SIGN_CHECKPOINT,
                                     .checkpoint = {kw_bytes_str("KWK1…")}};
    struct kw_hsm_answer answer;

    cr_assert(eq(int, hsm_run(&f, &request, &answer), KW_E_NONE));
    cr_assert(kw_ok(kw_hsm_ceremony_public_key(f.ceremony, KW_HSM_CHECKPOINT, &spki, NULL)));
    cr_assert(kw_ok(kw_public_key_from_spki(&public, kw_buf_bytes(&spki), NULL)));
    cr_assert(kw_ok(
        kw_ecdsa_verify(&public, kw_bytes_str("KEYWARD-CKPT-v1KWK1…"), answer.signature, NULL)));
    cr_assert(not(kw_ok(kw_ecdsa_verify(&public, kw_bytes_str("KWK1…"), answer.signature, NULL))));
}

Test(hsm_ops, issued_certificate_names_the_caller_under_the_hsm_ca)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key in_leaf = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key own = {0};
    struct kw_spiffe id;

    cr_assert(kw_ok(kw_certificate_from_der(&leaf, kw_buf_bytes(&f.transport_cert), NULL)));
    cr_assert(kw_ok(kw_certificate_identity(&leaf, "test", &id, NULL)));
    cr_assert(eq(int, id.role, KW_ROLE_PARTNER));
    cr_assert(kw_id_equal(id.id, f.partner));
    cr_assert(kw_ok(kw_certificate_public_key(&leaf, &in_leaf, NULL)));
    cr_assert(kw_ok(kw_private_key_public(&f.transport, &own, NULL)));
    cr_assert(kw_public_key_equal(&in_leaf, &own));
}

Test(hsm_ops, health_probe_is_well)
{
    struct kw_hsm_request request = {.op = KW_HSM_HEALTH};

    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_NONE));
}
