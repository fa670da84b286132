/* Making certificates: what every one has in common, then leaves, issuing CAs and roots. */
#include "common/pki/build.h"

#include "common/base/limits.h"
#include "common/base/random.h"
#include "common/pki/extensions.h"
#include "common/pki/region.h"
#include "common/pki/x509.h"

#define MS_PER_S     1000U
#define ORGANISATION "Keyward"

KW_OPENSSL_SCOPED(bignum_done, BIGNUM, BN_free)

/* What leaf and CA share. */
struct draft {
    const struct kw_public_key *subject;
    const char *region; /* NULL: none */
    const char *common_name;
    struct kw_validity validity;
};

static struct kw_result set_serial(X509 *x509, struct kw_error *err)
{
    KW_SCOPED(bignum_done) BIGNUM *number = NULL;
    uint8_t random[KW_ISSUED_SERIAL_LEN];

    KW_TRY(kw_random(random, sizeof(random), err));
    random[0] |= 0x40; /* never zero, always 16 bytes long */
    random[0] &= 0x7f; /* and 16 in DER as well, where a set top bit would cost one more */
    number = BN_bin2bn(random, sizeof(random), NULL);
    KW_ENSURE(number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL,
              err, MEMORY, "serial number");
    return KW_OK;
}

static bool name_add(X509_NAME *name, int nid, const char *text)
{
    return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, (const uint8_t *)text, -1, -1, 0) ==
           1;
}

static struct kw_result set_subject(X509 *x509, const struct draft *draft, struct kw_error *err)
{
    KW_SCOPED(kw_x509_name_done) X509_NAME *name = X509_NAME_new();

    KW_ENSURE(name != NULL, err, MEMORY, "subject");
    KW_ENSURE(
        name_add(name, NID_organizationName, ORGANISATION) &&
            (draft->region == NULL || name_add(name, NID_organizationalUnitName, draft->region)) &&
            name_add(name, NID_commonName, draft->common_name) &&
            X509_set_subject_name(x509, name) == 1,
        err, ARGUMENT_INVALID, "subject: %s", kw_openssl_reason());
    return KW_OK;
}

static struct kw_result set_validity(X509 *x509, const struct kw_validity *validity,
                                     struct kw_error *err)
{
    time_t not_before = (time_t)(validity->not_before_ms / MS_PER_S);
    time_t not_after = (time_t)(validity->not_after_ms / MS_PER_S);

    KW_ENSURE(not_before < not_after, err, ARGUMENT_INVALID, "validity ends before it begins");
    KW_ENSURE(ASN1_TIME_set(X509_getm_notBefore(x509), not_before) != NULL &&
                  ASN1_TIME_set(X509_getm_notAfter(x509), not_after) != NULL,
              err, ARGUMENT_INVALID, "validity: %s", kw_openssl_reason());
    return KW_OK;
}

static struct kw_result draft_new(const struct draft *draft, X509 **ret_x509, struct kw_error *err)
{
    KW_SCOPED(kw_x509_done) X509 *x509 = X509_new();

    KW_ENSURE(x509 != NULL, err, MEMORY, "certificate");
    KW_ENSURE(X509_set_version(x509, X509_VERSION_3) == 1 &&
                  X509_set_pubkey(x509, draft->subject->evp) == 1,
              err, CRYPTO, "certificate: %s", kw_openssl_reason());
    KW_TRY(set_serial(x509, err));
    KW_TRY(set_subject(x509, draft, err));
    KW_TRY(set_validity(x509, &draft->validity, err));
    *ret_x509 = x509;
    x509 = NULL;
    return KW_OK;
}

/* An issuer that signs with another key, or promises more time than it has, makes certificates
 * nobody accepts: better to hear of it here. */
static struct kw_result issuer_check(const struct kw_issuer *issuer,
                                     const struct kw_validity *validity, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key certified = {0};
    struct kw_validity own;

    KW_ENSURE(X509_check_ca(issuer->certificate->x509) == 1, err, ARGUMENT_INVALID,
              "the issuer is no CA");
    KW_TRY(kw_certificate_public_key(issuer->certificate, &certified, err));
    KW_ENSURE(EVP_PKEY_eq(certified.evp, issuer->key->evp) == 1, err, ARGUMENT_INVALID,
              "the issuer's key is not its certificate's");
    KW_TRY(kw_certificate_validity(issuer->certificate, &own, err));
    KW_ENSURE(validity->not_before_ms / MS_PER_S >= own.not_before_ms / MS_PER_S &&
                  validity->not_after_ms <= own.not_after_ms,
              err, ARGUMENT_INVALID, "validity is outside the issuer's");
    return KW_OK;
}

/* Names the issuer, adds the key identifiers and signs. `issuer` may be `x509` itself. The key may
 * be an HSM's: what it signed is verified before anybody gets it. */
static struct kw_result sign(X509 *x509, X509 *issuer, const struct kw_private_key *key,
                             struct kw_error *err)
{
    KW_ENSURE(X509_set_issuer_name(x509, X509_get_subject_name(issuer)) == 1, err, MEMORY,
              "issuer name");
    KW_TRY(kw_extensions_key_ids(x509, issuer, err));
    KW_ENSURE(X509_sign(x509, key->evp, EVP_sha384()) > 0, err, CRYPTO, "certificate signature: %s",
              kw_openssl_reason());
    KW_ENSURE(X509_verify(x509, X509_get0_pubkey(issuer)) == 1, err, SIGNATURE_INVALID,
              "the signature that was made does not verify");
    return KW_OK;
}

static struct kw_result leaf_check(const struct kw_leaf_plan *plan, struct kw_error *err)
{
    const unsigned tls = KW_USAGE_CLIENT | KW_USAGE_SERVER;

    KW_ENSURE(plan->usage == KW_USAGE_TRANSPORT || (plan->usage != 0 && (plan->usage & ~tls) == 0),
              err, ARGUMENT_INVALID, "usage %#x is no leaf's", plan->usage);
    KW_ENSURE(plan->usage != KW_USAGE_TRANSPORT || plan->subject->curve == KW_CURVE_P384, err,
              ARGUMENT_INVALID, "a transport key must be on P-384");
    KW_ENSURE(plan->host_count <= KW_LEAF_HOSTS_MAX &&
                  (plan->host_count == 0 || (plan->usage & KW_USAGE_SERVER) != 0),
              err, ARGUMENT_INVALID, "%zu host names in this certificate", plan->host_count);
    return KW_OK;
}

/* The last segment of the identity: short, and only for people, since no code of ours reads it. */
static const char *leaf_name(const struct kw_spiffe *identity, char text[KW_SPIFFE_TEXT_SIZE])
{
    return strrchr(kw_spiffe_text(identity, text), '/') + 1;
}

struct kw_result kw_certificate_issue(const struct kw_leaf_plan *plan,
                                      const struct kw_issuer *issuer,
                                      struct kw_certificate *ret_certificate, struct kw_error *err)
{
    char text[KW_SPIFFE_TEXT_SIZE];
    const struct draft draft = {
        .subject = plan->subject,
        .common_name = leaf_name(plan->identity, text),
        .validity = plan->validity,
    };
    KW_SCOPED(kw_x509_done) X509 *x509 = NULL;

    KW_TRY(leaf_check(plan, err));
    KW_TRY(issuer_check(issuer, &plan->validity, err));
    KW_TRY(draft_new(&draft, &x509, err));
    KW_TRY(kw_extensions_leaf(x509, plan->usage, err));
    KW_TRY(kw_extensions_names(x509, plan, err));
    KW_TRY(sign(x509, issuer->certificate->x509, issuer->key, err));
    KW_TRY(kw_region_check(x509, err));
    ret_certificate->x509 = x509;
    x509 = NULL;
    return KW_OK;
}

static struct kw_result ca_new(const struct kw_ca_plan *plan, X509 **ret_x509, struct kw_error *err)
{
    const struct draft draft = {
        .subject = plan->subject,
        .region = plan->region,
        .common_name = plan->name,
        .validity = plan->validity,
    };
    KW_SCOPED(kw_x509_done) X509 *x509 = NULL;

    KW_ENSURE(plan->path_len >= 0, err, ARGUMENT_INVALID, "path length %d", plan->path_len);
    KW_TRY(draft_new(&draft, &x509, err));
    KW_TRY(kw_extensions_ca(x509, plan->path_len, err));
    *ret_x509 = x509;
    x509 = NULL;
    return KW_OK;
}

struct kw_result kw_certificate_issue_ca(const struct kw_ca_plan *plan,
                                         const struct kw_issuer *issuer,
                                         struct kw_certificate *ret_certificate,
                                         struct kw_error *err)
{
    KW_SCOPED(kw_x509_done) X509 *x509 = NULL;

    KW_TRY(issuer_check(issuer, &plan->validity, err));
    KW_TRY(ca_new(plan, &x509, err));
    KW_TRY(sign(x509, issuer->certificate->x509, issuer->key, err));
    ret_certificate->x509 = x509;
    x509 = NULL;
    return KW_OK;
}

struct kw_result kw_certificate_issue_root(const struct kw_ca_plan *plan,
                                           const struct kw_private_key *key,
                                           struct kw_certificate *ret_certificate,
                                           struct kw_error *err)
{
    KW_SCOPED(kw_x509_done) X509 *x509 = NULL;

    KW_ENSURE(EVP_PKEY_eq(plan->subject->evp, key->evp) == 1, err, ARGUMENT_INVALID,
              "a root's subject is its own key");
    KW_TRY(ca_new(plan, &x509, err));
    KW_TRY(sign(x509, x509, key, err));
    ret_certificate->x509 = x509;
    x509 = NULL;
    return KW_OK;
}
