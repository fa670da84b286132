/* When a service's certificate is renewed, what vouches for the next key, what is carried over. */
#include "common/pki/csr.h"
#include "common/pki/hosts.h"
#include "common/pki/renewal.h"
#include "tests/support/pki_fixture.h"

#include <criterion/criterion.h>

static struct kw_error err;

static const struct kw_validity month = {.not_before_ms = 1000 * PKI_DAY_MS,
                                         .not_after_ms = 1032 * PKI_DAY_MS};

Test(pki_renewal, is_due_from_half_of_the_life_and_within_an_eighth_more)
{
    cr_assert_eq(kw_renewal_due_ms(&month, 0), 1016 * PKI_DAY_MS);
    cr_assert_eq(kw_renewal_due_ms(&month, UINT32_MAX), 1020 * PKI_DAY_MS);
    cr_assert_eq(kw_renewal_due_ms(&month, UINT32_MAX / 2 + 1) / PKI_DAY_MS, 1018);
}

static struct kw_private_key present;
static struct kw_public_key present_public;
static struct kw_buf csr;

static void setup(void)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key next = {0};

    cr_assert(kw_ok(kw_private_key_generate(&present, KW_CURVE_P256, &err)));
    cr_assert(kw_ok(kw_private_key_public(&present, &present_public, &err)));
    cr_assert(kw_ok(kw_private_key_generate(&next, KW_CURVE_P256, &err)));
    cr_assert(kw_ok(kw_csr_build(&next, &csr, &err)));
}

static void teardown(void)
{
    kw_buf_done(&csr);
    kw_public_key_done(&present_public);
    kw_private_key_done(&present);
}

TestSuite(pki_renewal_signature, .init = setup, .fini = teardown);

static enum kw_reason verify(struct kw_bytes request, const struct kw_signature *signature)
{
    return kw_renewal_verify(&present_public, request, kw_signature_bytes(signature), &err).reason;
}

Test(pki_renewal_signature, by_the_present_key_is_accepted)
{
    struct kw_signature signature;

    cr_assert(kw_ok(kw_renewal_sign(&present, kw_buf_bytes(&csr), &signature, &err)));
    cr_assert_eq(verify(kw_buf_bytes(&csr), &signature), KW_E_NONE);
}

Test(pki_renewal_signature, by_another_key_or_over_another_request_is_refused)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key other = {0};
    struct kw_signature signature;

    cr_assert(kw_ok(kw_private_key_generate(&other, KW_CURVE_P256, &err)));
    cr_assert(kw_ok(kw_renewal_sign(&other, kw_buf_bytes(&csr), &signature, &err)));
    cr_assert_eq(verify(kw_buf_bytes(&csr), &signature), KW_E_SIGNATURE_INVALID);
    cr_assert(kw_ok(kw_renewal_sign(&present, kw_buf_bytes(&csr), &signature, &err)));
    csr.data[csr.len - 1] ^= 1;
    cr_assert_eq(verify(kw_buf_bytes(&csr), &signature), KW_E_SIGNATURE_INVALID);
}

/* --- hosts --- */

static struct kw_certificate leaf_for(const char *const *hosts, size_t count)
{
    struct pki_fixture pki;
    struct kw_certificate made = {0};
    struct kw_spiffe gateway;

    pki_fixture_init(&pki);
    cr_assert(kw_ok(kw_spiffe_service(PKI_DOMAIN, "eu", "a", "gateway", &gateway, &err)));
    cr_assert(kw_ok(kw_certificate_issue(
        &(struct kw_leaf_plan){.subject = &present_public,
                               .identity = &gateway,
                               .validity = pki_validity(),
                               .usage = KW_USAGE_SERVER,
                               .hosts = hosts,
                               .host_count = count},
        &(struct kw_issuer){&pki.issuing.certificate, &pki.issuing.key}, &made, &err)));
    pki_fixture_done(&pki);
    return made;
}

Test(pki_renewal_signature, hosts_are_read_back_as_they_were_issued)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1", "api.example.org"};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = leaf_for(hosts, 4);
    struct kw_arena *arena = kw_arena_new(4096);
    const char *const *got;
    size_t count;

    cr_assert(kw_ok(kw_certificate_hosts(&leaf, arena, &got, &count, &err)));
    cr_assert_eq(count, 4);
    for (size_t i = 0; i < count; i++) {
        cr_assert_str_eq(got[i], hosts[i]);
    }
    kw_arena_free(arena);
}

/* Found by fuzzing (crash-host): what is read is issued again, so it is held to the same. */
Test(pki_renewal_signature, a_host_that_we_would_not_issue_is_not_read)
{
    static const char *const hosts[] = {"api.example.org"};
    static const char *const altered[] = {"api\nexample.org", "api example.org", "-pi.example.org",
                                          "api.exa\0ple.org"};
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = leaf_for(hosts, 1);
    struct kw_arena *arena = kw_arena_new(4096);
    const char *const *got;
    size_t count;

    for (size_t i = 0; i < sizeof(altered) / sizeof(altered[0]); i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
        KW_SCOPED(kw_certificate_done) struct kw_certificate other = {0};
        uint8_t *name;

        cr_assert(kw_ok(kw_certificate_to_der(&leaf, &der, &err)));
        name = memmem(der.data, der.len, hosts[0], strlen(hosts[0]));
        cr_assert_not_null(name);
        memcpy(name, altered[i], strlen(hosts[0]));
        cr_assert(kw_ok(kw_certificate_from_der(&other, kw_buf_bytes(&der), &err)));
        cr_assert_eq(kw_certificate_hosts(&other, arena, &got, &count, &err).reason,
                     KW_E_ARGUMENT_INVALID, "row %zu", i);
    }
    kw_arena_free(arena);
}

Test(pki_renewal_signature, a_leaf_without_hosts_has_none)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = leaf_for(NULL, 0);
    struct kw_arena *arena = kw_arena_new(4096);
    const char *const *got;
    size_t count = 1;

    cr_assert(kw_ok(kw_certificate_hosts(&leaf, arena, &got, &count, &err)));
    cr_assert_eq(count, 0);
    kw_arena_free(arena);
}
