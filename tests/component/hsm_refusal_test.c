/* What the HSM side refuses, each by its own reason, and that refusing costs the HSM nothing. */
#include "common/crypto/cmac.h"
#include "common/crypto/keywrap.h"
#include "tests/component/hsm_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct hsm_fixture f;
static struct kw_key_binding device;
static struct kw_secret value;
static struct kw_hsm_fact fact;

static void set_up(void)
{
    hsm_fixture_init(&f);
    hsm_device(&f, &device, &value);
}

static void tear_down(void)
{
    kw_secret_done(&value);
    hsm_fixture_done(&f);
}

TestSuite(hsm_refusal, .init = set_up, .fini = tear_down);

Test(hsm_refusal, altered_binding_mac)
{
    struct kw_hsm_request request = hsm_release(&f, &device, &fact);

    request.derive.device.mac[15] ^= 1;
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID));
}

Test(hsm_refusal, any_altered_field_of_a_binding)
{
    uint8_t *fields[] = {device.key.bytes,   device.device.bytes, device.product.bytes,
                         device.batch.bytes, device.wrapped,      device.check};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct kw_hsm_request request;

        fields[i][0] ^= 1;
        request = hsm_release(&f, &device, &fact);
        fields[i][0] ^= 1;
        cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID), "field %zu", i);
    }
}

Test(hsm_refusal, altered_blob_with_a_right_mac)
{
    struct kw_hsm_request request;
    struct kw_hsm_request health = {.op = KW_HSM_HEALTH};

    device.wrapped[20] ^= 1;
    hsm_reseal(&f, &device);
    request = hsm_release(&f, &device, &fact);
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID));
    cr_assert(eq(int, hsm_run(&f, &health, NULL), KW_E_NONE));
}

Test(hsm_refusal, transport_key_of_another_owner)
{
    struct kw_hsm_request request = hsm_release(&f, &device, &fact);

    request.derive.partner = hsm_test_id(0xbb);
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID));
}

Test(hsm_refusal, transport_key_renamed_to_the_caller)
{
    struct kw_hsm_request request = hsm_release(&f, &device, &fact);

    request.derive.partner = hsm_test_id(0xbb);
    request.derive.transport.owner = hsm_test_id(0xbb);
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID));
}

Test(hsm_refusal, older_transport_key_under_a_newer_version)
{
    struct kw_hsm_request request = hsm_release(&f, &device, &fact);

    request.derive.transport.version = 2;
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID));
}

Test(hsm_refusal, transport_key_in_a_device_keys_place)
{
    struct kw_hsm_request request = hsm_release(&f, &device, &fact);

    kw_copy(request.derive.device.wrapped, f.ptk.wrapped, KW_HSM_WRAPPED_LEN);
    kw_copy(request.derive.device.mac, f.ptk.mac, KW_HSM_MAC_LEN);
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID));
}

Test(hsm_refusal, altered_fact_mac)
{
    struct kw_hsm_request request = hsm_release(&f, &device, &fact);

    fact.mac[0] ^= 1;
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID));
}

Test(hsm_refusal, altered_fact)
{
    struct kw_hsm_request request = hsm_release(&f, &device, &fact);

    fact.content = kw_bytes_str("another canonical fact");
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID));
}

Test(hsm_refusal, one_wrong_fact_among_right_ones)
{
    struct kw_hsm_request release = hsm_release(&f, &device, &fact);
    struct kw_hsm_fact facts[2] = {fact, fact};
    struct kw_hsm_request request = {
        .op = KW_HSM_VERIFY_FACTS, .verify_facts = {.device = device, .facts = facts, .count = 2}};

    cr_assert(eq(int, hsm_run(&f, &release, NULL), KW_E_NONE));
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_NONE));
    facts[1].mac[7] ^= 1;
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID));
}

Test(hsm_refusal, right_facts_of_a_key_that_is_described_as_another)
{
    struct kw_hsm_request release = hsm_release(&f, &device, &fact);
    struct kw_hsm_request request = {
        .op = KW_HSM_VERIFY_FACTS,
        .verify_facts = {.device = release.derive.device, .facts = &fact, .count = 1}};
    struct kw_key_binding *said = &request.verify_facts.device;
    uint8_t *fields[] = {said->key.bytes,   said->device.bytes, said->product.bytes,
                         said->batch.bytes, said->wrapped,      said->check};

    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_NONE));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        fields[i][0] ^= 1;
        cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID), "field %zu", i);
        fields[i][0] ^= 1;
    }
}

Test(hsm_refusal, wrong_possession_tag)
{
    struct kw_hsm_request request = {.op = KW_HSM_VERIFY_POSSESSION,
                                     .possession = {.device = device}};

    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_POSSESSION_UNPROVEN));
}

Test(hsm_refusal, wrong_transport_proof)
{
    struct kw_hsm_request request = {.op = KW_HSM_PTK_CONFIRM, .ptk_confirm = {.transport = f.ptk}};

    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_TRANSPORT_KEY_UNCONFIRMED));
}

Test(hsm_refusal, kek_version_that_the_hsm_does_not_hold)
{
    struct kw_hsm_request request;

    device.kek_version = 2;
    hsm_reseal(&f, &device);
    request = hsm_release(&f, &device, &fact);
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_HSM_KEY_MISSING));
}

Test(hsm_refusal, generation_for_an_altered_station_key)
{
    struct kw_hsm_new_key key = {hsm_test_id(1), hsm_test_id(2), hsm_test_id(3), hsm_test_id(4)};
    struct kw_hsm_request request = {
        .op = KW_HSM_GENERATE,
        .generate = {.kek_version = 1, .station = f.ptk, .keys = &key, .count = 1}};

    request.generate.station.wrapped[3] ^= 1;
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_BINDING_INVALID));
}

Test(hsm_refusal, leaf_by_the_root_or_by_the_checkpoint_key)
{
    struct kw_hsm_request request = {
        .op = KW_HSM_ISSUE_CERTIFICATE,
        .issue = {.issuer_certificate = kw_buf_bytes(&f.root),
                  .spki = kw_bytes_str("not looked at"),
                  .spiffe_id = "spiffe://test/region/r/cell/c/svc/authz"}};

    request.issue.issuer = KW_HSM_ROOT;
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_ARGUMENT_INVALID));
    request.issue.issuer = KW_HSM_CHECKPOINT;
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_ARGUMENT_INVALID));
}

Test(hsm_refusal, leaf_under_another_cas_certificate)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key subject = {0};
    struct kw_spki spki;
    struct kw_hsm_request request = {.op = KW_HSM_ISSUE_CERTIFICATE};

    cr_assert(kw_ok(kw_private_key_public(&f.transport, &subject, NULL)));
    cr_assert(kw_ok(kw_public_key_spki(&subject, &spki, NULL)));
    request.issue = (struct kw_hsm_issue){.issuer = KW_HSM_CA_STATIONS,
                                          .issuer_certificate = kw_buf_bytes(&f.ca_partners),
                                          .spki = kw_spki_bytes(&spki),
                                          .spiffe_id = "spiffe://test/region/r/cell/c/svc/authz",
                                          .validity = {1000, 2000},
                                          .usage = KW_USAGE_CLIENT};
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_ARGUMENT_INVALID));
}

Test(hsm_refusal, more_items_than_the_limits)
{
    struct kw_hsm_request request = {.op = KW_HSM_GENERATE, .generate = {.count = 257}};

    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_ARGUMENT_INVALID));
    request = (struct kw_hsm_request){.op = KW_HSM_VERIFY_FACTS};
    cr_assert(eq(int, hsm_run(&f, &request, NULL), KW_E_ARGUMENT_INVALID));
}
