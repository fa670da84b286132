/* Certificates we make and read, requests, and whom a trust store believes. */
#include "common/pki/csr.h"
#include "common/pki/trust.h"
#include "tests/support/pki_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static struct kw_error err;
static struct pki_fixture pki;
static struct pki_pair leaf;
static struct kw_spiffe partner;
static struct kw_trust trust;

static void trust_make(struct kw_trust *out, const struct kw_certificate *ca)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    pki_pem(ca, &pem);
    cr_assert(kw_ok(kw_trust_from_pem(out, kw_buf_bytes(&pem), &err)), "%s", err.message);
}

static void setup(void)
{
    pki_fixture_init(&pki);
    partner = pki_caller(KW_ROLE_PARTNER, 7);
    leaf = pki_leaf(&pki.issuing, &partner, KW_USAGE_CLIENT);
    trust_make(&trust, &pki.issuing.certificate);
}

static void teardown(void)
{
    kw_trust_done(&trust);
    pki_pair_done(&leaf);
    pki_fixture_done(&pki);
}

TestSuite(pki_certificate, .init = setup, .fini = teardown);

static enum kw_reason verify(const struct kw_certificate *certificate)
{
    return kw_trust_verify(&trust, certificate, NULL, KW_PURPOSE_CLIENT, PKI_NOW_MS, &err).reason;
}

/* Why a leaf changed by `change` is refused; with a message that a person can use. */
static enum kw_reason verify_spoiled(void (*change)(X509 *x509), const EVP_MD *digest)
{
    KW_SCOPED(kw_certificate_done)
    struct kw_certificate spoiled = pki_spoil(&pki.issuing, &leaf.certificate, change, digest);

    return verify(&spoiled);
}

static enum kw_reason identity_spoiled(void (*change)(X509 *x509))
{
    KW_SCOPED(kw_certificate_done)
    struct kw_certificate spoiled =
        pki_spoil(&pki.issuing, &leaf.certificate, change, EVP_sha384());
    struct kw_spiffe id;

    return kw_certificate_identity(&spoiled, PKI_DOMAIN, &id, &err).reason;
}

static void change_nothing(X509 *x509)
{
    (void)x509;
}

Test(pki_certificate, leaf_is_believed_and_names_its_caller)
{
    struct kw_spiffe id;

    cr_assert(verify(&leaf.certificate) == KW_E_NONE, "%s", err.message);
    cr_expect(verify_spoiled(change_nothing, EVP_sha384()) == KW_E_NONE);
    cr_assert(kw_ok(kw_certificate_identity(&leaf.certificate, PKI_DOMAIN, &id, &err)));
    cr_expect(kw_spiffe_equal(&id, &partner));
}

Test(pki_certificate, chain_goes_through_what_the_peer_sent)
{
    KW_SCOPED(kw_trust_done) struct kw_trust root_only = {0};
    STACK_OF(X509) *between = sk_X509_new_null();

    trust_make(&root_only, &pki.root.certificate);
    cr_expect(
        kw_trust_verify(&root_only, &leaf.certificate, NULL, KW_PURPOSE_CLIENT, PKI_NOW_MS, &err)
            .reason == KW_E_IDENTITY_INVALID);
    cr_assert(sk_X509_push(between, pki.issuing.certificate.x509) > 0);
    cr_expect(
        kw_trust_verify(&root_only, &leaf.certificate, between, KW_PURPOSE_CLIENT, PKI_NOW_MS, &err)
            .reason == KW_E_NONE);
    sk_X509_free(between);
}

Test(pki_certificate, expired_and_early_are_refused)
{
    static const uint64_t times[] = {PKI_NOW_MS + PKI_DAY_MS + 1000,
                                     PKI_NOW_MS - PKI_DAY_MS - 1000};

    for (size_t i = 0; i < 2; i++) {
        cr_expect(
            kw_trust_verify(&trust, &leaf.certificate, NULL, KW_PURPOSE_CLIENT, times[i], &err)
                .reason == KW_E_IDENTITY_INVALID);
    }
}

Test(pki_certificate, foreign_ca_is_refused)
{
    struct pki_fixture foreign;
    struct pki_pair other;

    pki_fixture_init(&foreign); /* the same names, other keys */
    other = pki_leaf(&foreign.issuing, &partner, KW_USAGE_CLIENT);
    cr_expect(verify(&other.certificate) == KW_E_IDENTITY_INVALID);
    pki_pair_done(&other);
    pki_fixture_done(&foreign);
}

Test(pki_certificate, altered_certificate_is_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate altered = {0};

    cr_assert(kw_ok(kw_certificate_to_der(&leaf.certificate, &der, &err)));
    der.data[der.len - 1] ^= 1; /* the last byte of the signature */
    cr_assert(kw_ok(kw_certificate_from_der(&altered, kw_buf_bytes(&der), &err)));
    cr_expect(verify(&altered) == KW_E_IDENTITY_INVALID);
}

Test(pki_certificate, other_purpose_is_refused)
{
    struct pki_pair server = pki_leaf(&pki.issuing, &partner, KW_USAGE_SERVER);
    struct pki_pair transport = pki_leaf(&pki.issuing, &partner, KW_USAGE_TRANSPORT);

    cr_expect(verify(&server.certificate) == KW_E_IDENTITY_INVALID);
    cr_expect(
        kw_trust_verify(&trust, &server.certificate, NULL, KW_PURPOSE_SERVER, PKI_NOW_MS, &err)
            .reason == KW_E_NONE);
    cr_expect(verify(&transport.certificate) == KW_E_IDENTITY_INVALID);
    pki_pair_done(&server);
    pki_pair_done(&transport);
}

static void drop_extended_usage(X509 *x509)
{
    pki_replace_extension(x509, NID_ext_key_usage, NULL);
}

Test(pki_certificate, leaf_without_extended_key_usage_is_refused)
{
    cr_expect(verify_spoiled(drop_extended_usage, EVP_sha384()) == KW_E_IDENTITY_INVALID);
}

static void make_ca(X509 *x509)
{
    pki_replace_extension(x509, NID_basic_constraints, "critical,CA:TRUE");
}

Test(pki_certificate, ca_as_leaf_is_refused)
{
    cr_expect(verify(&pki.issuing.certificate) == KW_E_IDENTITY_INVALID);
    cr_expect(verify_spoiled(make_ca, EVP_sha384()) == KW_E_IDENTITY_INVALID);
}

static void set_rsa_key(X509 *x509)
{
    EVP_PKEY *rsa = EVP_RSA_gen(3072);

    cr_assert(X509_set_pubkey(x509, rsa) == 1);
    EVP_PKEY_free(rsa);
}

Test(pki_certificate, rsa_key_is_refused)
{
    KW_SCOPED(kw_certificate_done)
    struct kw_certificate rsa =
        pki_spoil(&pki.issuing, &leaf.certificate, set_rsa_key, EVP_sha384());
    struct kw_public_key key;

    cr_expect(verify(&rsa) == KW_E_IDENTITY_INVALID);
    cr_expect(kw_certificate_public_key(&rsa, &key, &err).reason == KW_E_ARGUMENT_INVALID);
}

Test(pki_certificate, other_digests_are_refused)
{
    cr_expect(verify_spoiled(change_nothing, EVP_sha512()) == KW_E_IDENTITY_INVALID);
    cr_expect(verify_spoiled(change_nothing, EVP_sha1()) == KW_E_IDENTITY_INVALID);
    cr_expect(verify_spoiled(change_nothing, EVP_sha256()) == KW_E_NONE);
}

#define PARTNER_URI "URI:spiffe://" PKI_DOMAIN "/partner/prt_a4dqobyha4dqobyha4dqobyha4"

static void set_two_uris(X509 *x509)
{
    pki_replace_extension(x509, NID_subject_alt_name, PARTNER_URI ",URI:spiffe://other/x");
}

static void set_uri_twice(X509 *x509)
{
    pki_replace_extension(x509, NID_subject_alt_name, PARTNER_URI "," PARTNER_URI);
}

static void add_second_extension(X509 *x509)
{
    X509_EXTENSION *second = X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_alt_name, PARTNER_URI);

    cr_assert(X509_add_ext(x509, second, -1) == 1);
    X509_EXTENSION_free(second);
}

static void set_dns_only(X509 *x509)
{
    pki_replace_extension(x509, NID_subject_alt_name, "DNS:localhost");
}

static void drop_names(X509 *x509)
{
    pki_replace_extension(x509, NID_subject_alt_name, NULL);
}

static void set_uri_and_dns(X509 *x509)
{
    pki_replace_extension(x509, NID_subject_alt_name, "DNS:localhost," PARTNER_URI);
}

static void set_upper_case(X509 *x509)
{
    pki_replace_extension(x509, NID_subject_alt_name,
                          "URI:spiffe://" PKI_DOMAIN "/Partner/prt_a4dqobyha4dqobyha4dqobyha4");
}

Test(pki_certificate, identity_needs_exactly_one_uri)
{
    cr_expect(identity_spoiled(set_two_uris) == KW_E_IDENTITY_INVALID);
    cr_expect(identity_spoiled(set_uri_twice) == KW_E_IDENTITY_INVALID);
    cr_expect(identity_spoiled(add_second_extension) == KW_E_IDENTITY_INVALID);
    cr_expect(identity_spoiled(set_dns_only) == KW_E_IDENTITY_INVALID);
    cr_expect(identity_spoiled(set_upper_case) == KW_E_IDENTITY_INVALID);
    cr_expect(identity_spoiled(set_uri_and_dns) == KW_E_NONE);
}

/* The common name of every leaf we make is its id; without the SAN that must not help. */
Test(pki_certificate, common_name_is_never_an_identity)
{
    cr_expect(identity_spoiled(drop_names) == KW_E_IDENTITY_INVALID);
}

Test(pki_certificate, foreign_trust_domain_is_refused)
{
    struct kw_spiffe id;

    cr_expect(kw_certificate_identity(&leaf.certificate, "other.keyward", &id, &err).reason ==
              KW_E_IDENTITY_INVALID);
    cr_expect(kw_certificate_identity(&leaf.certificate, PKI_DOMAIN ".com", &id, &err).reason ==
              KW_E_IDENTITY_INVALID);
}

Test(pki_certificate, der_and_pem_round_trip_with_one_fingerprint)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate from_der = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate from_pem = {0};
    uint8_t fingerprints[3][KW_SHA256_LEN];

    cr_assert(kw_ok(kw_certificate_to_der(&leaf.certificate, &der, &err)));
    pki_pem(&leaf.certificate, &pem);
    cr_assert(kw_ok(kw_certificate_from_der(&from_der, kw_buf_bytes(&der), &err)));
    cr_assert(kw_ok(kw_certificate_from_pem(&from_pem, kw_buf_bytes(&pem), &err)));
    cr_assert(kw_ok(kw_certificate_fingerprint(&leaf.certificate, fingerprints[0], &err)));
    cr_assert(kw_ok(kw_certificate_fingerprint(&from_der, fingerprints[1], &err)));
    cr_assert(kw_ok(kw_certificate_fingerprint(&from_pem, fingerprints[2], &err)));
    cr_expect(kw_bytes_equal(KW_BYTES_OF(fingerprints[0]), KW_BYTES_OF(fingerprints[1])));
    cr_expect(kw_bytes_equal(KW_BYTES_OF(fingerprints[0]), KW_BYTES_OF(fingerprints[2])));
}

Test(pki_certificate, malformed_der_is_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    struct kw_certificate certificate = {0};

    cr_assert(kw_ok(kw_certificate_to_der(&leaf.certificate, &der, &err)));
    cr_expect(kw_certificate_from_der(&certificate, KW_BYTES(der.data, der.len - 1), &err).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_assert(kw_ok(kw_buf_append(&der, kw_bytes_str("x"), &err)));
    cr_expect(kw_certificate_from_der(&certificate, kw_buf_bytes(&der), &err).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_expect(kw_certificate_from_der(&certificate, KW_BYTES_NONE, &err).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_expect(kw_certificate_from_pem(&certificate, kw_bytes_str("x"), &err).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_expect(certificate.x509 == NULL);
}

Test(pki_certificate, fields_read_back)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key own = {0};
    struct kw_serial serial;
    struct kw_validity validity;

    cr_assert(kw_ok(kw_certificate_serial(&leaf.certificate, &serial, &err)));
    cr_expect(eq(sz, serial.len, KW_ISSUED_SERIAL_LEN));
    cr_assert(kw_ok(kw_certificate_validity(&leaf.certificate, &validity, &err)));
    cr_expect(eq(u64, validity.not_before_ms, PKI_NOW_MS - PKI_DAY_MS));
    cr_expect(eq(u64, validity.not_after_ms, PKI_NOW_MS + PKI_DAY_MS));
    cr_assert(kw_ok(kw_certificate_public_key(&leaf.certificate, &key, &err)));
    cr_assert(kw_ok(kw_private_key_public(&leaf.key, &own, &err)));
    cr_expect(kw_public_key_equal(&key, &own));
}

Test(pki_certificate, serials_differ)
{
    struct pki_pair second = pki_leaf(&pki.issuing, &partner, KW_USAGE_CLIENT);
    struct kw_serial a;
    struct kw_serial b;

    cr_assert(kw_ok(kw_certificate_serial(&leaf.certificate, &a, &err)));
    cr_assert(kw_ok(kw_certificate_serial(&second.certificate, &b, &err)));
    cr_expect_not(kw_bytes_equal(KW_BYTES(a.bytes, a.len), KW_BYTES(b.bytes, b.len)));
    pki_pair_done(&second);
}

static enum kw_reason bundle(const struct kw_certificate *certificate, const char *after)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_trust_done) struct kw_trust made = {0};

    if (certificate != NULL) {
        pki_pem(certificate, &pem);
    }
    cr_assert(kw_ok(kw_buf_append(&pem, kw_bytes_str(after), &err)));
    return kw_trust_from_pem(&made, kw_buf_bytes(&pem), &err).reason;
}

Test(pki_certificate, bundles_of_anything_but_cas_are_refused)
{
    KW_SCOPED(kw_certificate_done)
    struct kw_certificate rsa =
        pki_spoil(&pki.root, &pki.issuing.certificate, set_rsa_key, EVP_sha384());

    cr_expect(bundle(&pki.root.certificate, "") == KW_E_NONE);
    cr_expect(bundle(&pki.root.certificate, "a comment\n") == KW_E_NONE);
    cr_expect(bundle(&leaf.certificate, "") == KW_E_CONFIG_INVALID);
    cr_expect(bundle(&rsa, "") == KW_E_CONFIG_INVALID);
    cr_expect(bundle(NULL, "") == KW_E_CONFIG_INVALID);
    cr_expect(bundle(NULL, "text\n") == KW_E_CONFIG_INVALID);
    cr_expect(bundle(&pki.root.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n"
                                            "-----END CERTIFICATE-----\n") == KW_E_CONFIG_INVALID);
}
