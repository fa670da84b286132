/* What the builder makes and refuses to make, and certificate requests. */
#include "common/pki/csr.h"
#include "tests/support/pki_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static struct kw_error err;
static struct pki_fixture pki;
static struct kw_private_key key;
static struct kw_public_key subject;
static struct kw_spiffe service;

static void setup(void)
{
    pki_fixture_init(&pki);
    cr_assert(kw_ok(kw_private_key_generate(&key, KW_CURVE_P256, &err)));
    cr_assert(kw_ok(kw_private_key_public(&key, &subject, &err)));
    cr_assert(kw_ok(kw_spiffe_service(PKI_DOMAIN, "eu", "a", "gateway", &service, &err)));
}

static void teardown(void)
{
    kw_public_key_done(&subject);
    kw_private_key_done(&key);
    pki_fixture_done(&pki);
}

TestSuite(pki_build, .init = setup, .fini = teardown);

static struct kw_leaf_plan good_plan(void)
{
    return (struct kw_leaf_plan){.subject = &subject,
                                 .identity = &service,
                                 .validity = pki_validity(),
                                 .usage = KW_USAGE_CLIENT | KW_USAGE_SERVER};
}

static struct kw_result issue(const struct kw_leaf_plan *plan, struct kw_certificate *ret)
{
    const struct kw_issuer issuer = {&pki.issuing.certificate, &pki.issuing.key};

    return kw_certificate_issue(plan, &issuer, ret, &err);
}

static enum kw_reason refusal(const struct kw_leaf_plan *plan)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate made = {0};

    return issue(plan, &made).reason;
}

Test(pki_build, leaf_carries_hosts_beside_its_identity)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};
    KW_SCOPED(kw_certificate_done) struct kw_certificate made = {0};
    struct kw_leaf_plan plan = good_plan();
    struct kw_spiffe id;

    plan.hosts = hosts;
    plan.host_count = 3;
    cr_assert(kw_ok(issue(&plan, &made)), "%s", err.message);
    cr_expect(X509_check_host(made.x509, "localhost", 0, 0, NULL) == 1);
    cr_expect(X509_check_ip_asc(made.x509, "127.0.0.1", 0) == 1);
    cr_expect(X509_check_ip_asc(made.x509, "::1", 0) == 1);
    cr_expect(X509_check_ip_asc(made.x509, "127.0.0.2", 0) == 0);
    cr_assert(kw_ok(kw_certificate_identity(&made, PKI_DOMAIN, &id, &err)));
    cr_expect(kw_spiffe_equal(&id, &service));
}

/* OpenSSL writes the boolean as it is set and reads any that is not zero; others read DER. */
Test(pki_build, constraints_of_a_ca_are_der)
{
    static const uint8_t constraints[] = {0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01};
    uint8_t *der = NULL;
    int len = i2d_X509(pki.issuing.certificate.x509, &der);

    cr_assert(lt(int, 0, len));
    cr_expect(memmem(der, (size_t)len, constraints, sizeof(constraints)) != NULL);
    OPENSSL_free(der);
}

Test(pki_build, leaf_is_within_the_profile)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate made = {0};
    struct kw_leaf_plan plan = good_plan();

    cr_assert(kw_ok(issue(&plan, &made)));
    cr_expect(eq(int, X509_get_signature_nid(made.x509), NID_ecdsa_with_SHA384));
    cr_expect(eq(u32, X509_get_key_usage(made.x509), KU_DIGITAL_SIGNATURE));
    cr_expect(eq(u32, X509_get_extended_key_usage(made.x509), XKU_SSL_CLIENT | XKU_SSL_SERVER));
    cr_expect(X509_get0_subject_key_id(made.x509) != NULL);
    cr_expect(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(made.x509),
                                    X509_get0_subject_key_id(pki.issuing.certificate.x509)) == 0);
}

Test(pki_build, transport_leaf_agrees_on_keys_and_nothing_else)
{
    struct kw_spiffe partner = pki_caller(KW_ROLE_PARTNER, 1);
    struct pki_pair transport = pki_leaf(&pki.issuing, &partner, KW_USAGE_TRANSPORT);

    cr_expect(eq(u32, X509_get_key_usage(transport.certificate.x509), KU_KEY_AGREEMENT));
    cr_expect(eq(u32, X509_get_extended_key_usage(transport.certificate.x509), UINT32_MAX));
    pki_pair_done(&transport);
}

Test(pki_build, plans_that_make_no_sense_are_refused)
{
    static const char *const hosts[] = {"a,URI:spiffe://" PKI_DOMAIN "/partner/x"};
    struct kw_leaf_plan plan = good_plan();

    plan.usage = 0;
    cr_expect(refusal(&plan) == KW_E_ARGUMENT_INVALID);
    plan.usage = KW_USAGE_TRANSPORT | KW_USAGE_CLIENT;
    cr_expect(refusal(&plan) == KW_E_ARGUMENT_INVALID);
    plan.usage = KW_USAGE_TRANSPORT; /* with a P-256 key */
    cr_expect(refusal(&plan) == KW_E_ARGUMENT_INVALID);
    plan = good_plan();
    plan.hosts = hosts;
    plan.host_count = 1;
    cr_expect(refusal(&plan) == KW_E_ARGUMENT_INVALID);
    plan.usage = KW_USAGE_CLIENT;
    plan.hosts = (const char *const[]){"localhost"};
    cr_expect(refusal(&plan) == KW_E_ARGUMENT_INVALID);
}

Test(pki_build, validity_must_lie_within_the_issuers)
{
    struct kw_leaf_plan plan = good_plan();

    plan.validity.not_after_ms += PKI_DAY_MS;
    cr_expect(refusal(&plan) == KW_E_ARGUMENT_INVALID);
    plan = good_plan();
    plan.validity.not_before_ms -= PKI_DAY_MS;
    cr_expect(refusal(&plan) == KW_E_ARGUMENT_INVALID);
    plan = good_plan();
    plan.validity.not_after_ms = plan.validity.not_before_ms;
    cr_expect(refusal(&plan) == KW_E_ARGUMENT_INVALID);
}

Test(pki_build, issuer_must_be_a_ca_with_its_own_key)
{
    struct pki_pair leaf = pki_leaf(&pki.issuing, &service, KW_USAGE_CLIENT);
    const struct kw_issuer no_ca = {&leaf.certificate, &leaf.key};
    const struct kw_issuer other_key = {&pki.issuing.certificate, &pki.root.key};
    const struct kw_leaf_plan plan = good_plan();
    struct kw_certificate made = {0};

    cr_expect(kw_certificate_issue(&plan, &no_ca, &made, &err).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_certificate_issue(&plan, &other_key, &made, &err).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(made.x509 == NULL);
    pki_pair_done(&leaf);
}

Test(pki_build, root_must_certify_its_own_key_and_a_name_that_fits)
{
    struct kw_ca_plan plan = {&subject, "root", pki_validity(), 1, NULL};
    char name[KW_CA_NAME_LEN_MAX + 2];
    struct kw_certificate made = {0};

    cr_expect(kw_certificate_issue_root(&plan, &pki.root.key, &made, &err).reason ==
              KW_E_ARGUMENT_INVALID);
    memset(name, 'x', sizeof(name));
    name[KW_CA_NAME_LEN_MAX + 1] = '\0';
    plan.name = name;
    cr_expect(kw_certificate_issue_root(&plan, &key, &made, &err).reason == KW_E_ARGUMENT_INVALID);
    plan = (struct kw_ca_plan){&subject, "root", pki_validity(), -1, NULL};
    cr_expect(kw_certificate_issue_root(&plan, &key, &made, &err).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(made.x509 == NULL);
}

Test(pki_build, request_proves_its_key)
{
    for (int curve = KW_CURVE_P256; curve <= KW_CURVE_P384; curve++) {
        KW_SCOPED(kw_private_key_done) struct kw_private_key own = {0};
        KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
        KW_SCOPED(kw_public_key_done) struct kw_public_key read = {0};
        KW_SCOPED(kw_buf_done) struct kw_buf der = {0};

        cr_assert(kw_ok(kw_private_key_generate(&own, (enum kw_curve)curve, &err)));
        cr_assert(kw_ok(kw_private_key_public(&own, &public, &err)));
        cr_assert(kw_ok(kw_csr_build(&own, &der, &err)));
        cr_assert(kw_ok(kw_csr_verify(kw_buf_bytes(&der), &read, &err)), "%s", err.message);
        cr_expect(kw_public_key_equal(&public, &read));
    }
}

Test(pki_build, malformed_requests_are_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    struct kw_public_key read = {0};

    cr_assert(kw_ok(kw_csr_build(&key, &der, &err)));
    cr_expect(kw_csr_verify(KW_BYTES(der.data, der.len - 1), &read, &err).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_expect(kw_csr_verify(KW_BYTES_NONE, &read, &err).reason == KW_E_ARGUMENT_INVALID);
    der.data[der.len - 1] ^= 1;
    cr_expect(kw_csr_verify(kw_buf_bytes(&der), &read, &err).reason == KW_E_SIGNATURE_INVALID);
    cr_assert(kw_ok(kw_buf_append(&der, kw_bytes_str("x"), &err)));
    cr_expect(kw_csr_verify(kw_buf_bytes(&der), &read, &err).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(read.evp == NULL);
}

/* A request for `certified`, signed by `signer`; frees both. */
static enum kw_reason csr_refusal(EVP_PKEY *certified, EVP_PKEY *signer, const EVP_MD *digest)
{
    X509_REQ *request = X509_REQ_new();
    KW_SCOPED(kw_public_key_done) struct kw_public_key read = {0};
    uint8_t *der = NULL;
    enum kw_reason reason;
    int len;

    cr_assert(X509_REQ_set_pubkey(request, certified) == 1);
    cr_assert(X509_REQ_sign(request, signer, digest) > 0);
    len = i2d_X509_REQ(request, &der);
    reason = kw_csr_verify(KW_BYTES(der, (size_t)len), &read, &err).reason;
    OPENSSL_free(der);
    X509_REQ_free(request);
    EVP_PKEY_free(certified);
    EVP_PKEY_free(signer);
    return reason;
}

static EVP_PKEY *twice(EVP_PKEY *evp)
{
    cr_assert(EVP_PKEY_up_ref(evp) == 1);
    return evp;
}

Test(pki_build, requests_without_possession_or_outside_the_profile_are_refused)
{
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    EVP_PKEY *large = EVP_EC_gen("P-521");
    EVP_PKEY *good = EVP_EC_gen("P-256");

    cr_expect(csr_refusal(EVP_EC_gen("P-256"), EVP_EC_gen("P-256"), EVP_sha256()) ==
              KW_E_SIGNATURE_INVALID);
    cr_expect(csr_refusal(twice(rsa), rsa, EVP_sha256()) == KW_E_ARGUMENT_INVALID);
    cr_expect(csr_refusal(twice(large), large, EVP_sha384()) == KW_E_ARGUMENT_INVALID);
    cr_expect(csr_refusal(twice(good), good, EVP_sha512()) == KW_E_ARGUMENT_INVALID);
}
