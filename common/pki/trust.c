/* Chain verification by OpenSSL's X509_STORE, and our profile on top of what it found. */
#include "common/pki/trust.h"

#include "common/base/limits.h"
#include "common/pki/region.h"
#include "common/pki/x509.h"

#include <limits.h>
#include <openssl/err.h>

#define MS_PER_S 1000U

KW_OPENSSL_SCOPED(store_done, X509_STORE, X509_STORE_free)

/* What each purpose is called in OpenSSL's two tables. */
struct purpose_row {
    int check;             /* X509_PURPOSE_ */
    uint32_t extended_use; /* XKU_ */
};

static const struct purpose_row purposes[] = {
    [KW_PURPOSE_CLIENT] = {X509_PURPOSE_SSL_CLIENT, XKU_SSL_CLIENT},
    [KW_PURPOSE_SERVER] = {X509_PURPOSE_SSL_SERVER, XKU_SSL_SERVER},
};

/* Keys and signatures as trust.h's profile has them. */
static struct kw_result profile_check(X509 *x509, struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

    KW_TRY(kw_x509_pubkey_read(X509_get_X509_PUBKEY(x509), &key, err));
    KW_ENSURE(kw_signature_nid_allowed(X509_get_signature_nid(x509)), err, ARGUMENT_INVALID,
              "certificate signed with %s", OBJ_nid2sn(X509_get_signature_nid(x509)));
    return KW_OK;
}

struct kw_result kw_certificate_issued_ca(const struct kw_certificate *ca,
                                          const struct kw_certificate *root, struct kw_error *err)
{
    KW_TRY(profile_check(ca->x509, err));
    KW_ENSURE(X509_check_ca(ca->x509) == 1 && X509_get_pathlen(ca->x509) == 0, err,
              IDENTITY_INVALID, "a certificate that is no issuing CA's");
    KW_ENSURE(X509_check_issued(root->x509, ca->x509) == X509_V_OK &&
                  X509_verify(ca->x509, X509_get0_pubkey(root->x509)) == 1,
              err, IDENTITY_INVALID, "a CA that this root did not certify");
    return KW_OK;
}

static struct kw_result anchor_add(X509_STORE *store, X509 *x509, struct kw_error *err)
{
    struct kw_error why = {0};

    KW_ENSURE(kw_ok(profile_check(x509, &why)), err, CONFIG_INVALID, "CA bundle: %s", why.message);
    KW_ENSURE(X509_check_ca(x509) == 1, err, CONFIG_INVALID, "CA bundle: a certificate is no CA's");
    KW_ENSURE(X509_STORE_add_cert(store, x509) == 1, err, CONFIG_INVALID, "CA bundle: %s",
              kw_openssl_reason());
    return KW_OK;
}

static struct kw_result bundle_read(X509_STORE *store, BIO *bio, struct kw_error *err)
{
    size_t count = 0;

    for (;; count++) {
        KW_SCOPED(kw_certificate_done) struct kw_certificate anchor = {0};
        struct kw_error why = {0};

        KW_ENSURE(kw_ok(kw_x509_pem_next(bio, &anchor, &why)), err, CONFIG_INVALID,
                  "CA bundle: malformed after %zu certificates: %s", count, why.message);
        if (anchor.x509 == NULL) {
            break;
        }
        KW_ENSURE(count < KW_TRUST_CERTIFICATES_MAX, err, CONFIG_INVALID,
                  "CA bundle: over %d certificates", KW_TRUST_CERTIFICATES_MAX);
        KW_TRY(anchor_add(store, anchor.x509, err));
    }
    KW_ENSURE(count > 0, err, CONFIG_INVALID, "CA bundle: empty");
    return KW_OK;
}

struct kw_result kw_trust_from_pem(struct kw_trust *trust, struct kw_bytes pem,
                                   struct kw_error *err)
{
    KW_SCOPED(kw_openssl_bio_done) BIO *bio = NULL;
    KW_SCOPED(store_done) X509_STORE *store = NULL;

    KW_ENSURE(pem.len > 0 && pem.len <= INT_MAX, err, CONFIG_INVALID, "CA bundle of %zu bytes",
              pem.len);
    bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    store = X509_STORE_new();
    KW_ENSURE(bio != NULL && store != NULL, err, MEMORY, "certificate store");
    KW_TRY(bundle_read(store, bio, err));
    trust->store = store;
    store = NULL;
    return KW_OK;
}

void kw_trust_done(struct kw_trust *trust)
{
    if (trust != NULL) {
        X509_STORE_free(trust->store);
        *trust = (struct kw_trust){0};
    }
}

/* What a leaf must be besides well signed. */
static struct kw_result leaf_check(X509 *leaf, const struct purpose_row *purpose,
                                   struct kw_error *err)
{
    /* X509_check_ca alone would let a CA pass whose key usage forbids it to sign certificates. */
    KW_ENSURE((X509_get_extension_flags(leaf) & EXFLAG_CA) == 0 && X509_check_ca(leaf) == 0, err,
              IDENTITY_INVALID, "a CA's certificate in a leaf's place");
    KW_ENSURE((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) != 0 &&
                  (X509_get_extended_key_usage(leaf) & purpose->extended_use) != 0,
              err, IDENTITY_INVALID,
              "certificate: its extended key usage does not name this purpose");
    return KW_OK;
}

static struct kw_result chain_check(X509_STORE_CTX *context, struct kw_error *err)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
    struct kw_error why = {0};

    for (int i = 0; i < sk_X509_num(chain); i++) {
        KW_ENSURE(kw_ok(profile_check(sk_X509_value(chain, i), &why)), err, IDENTITY_INVALID, "%s",
                  why.message);
    }
    return KW_OK;
}

static struct kw_result context_new(const struct kw_trust *trust, X509 *leaf,
                                    STACK_OF(X509) * between, X509_STORE_CTX **ret_context,
                                    struct kw_error *err)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();

    KW_ENSURE(context != NULL, err, MEMORY, "verifying context");
    if (X509_STORE_CTX_init(context, trust->store, leaf, between) != 1) {
        X509_STORE_CTX_free(context);
        KW_FAIL(err, CRYPTO, "certificate verification: %s", kw_openssl_reason());
    }
    *ret_context = context;
    return KW_OK;
}

struct kw_result kw_trust_verify(const struct kw_trust *trust, const struct kw_certificate *leaf,
                                 STACK_OF(X509) * between, enum kw_purpose purpose, uint64_t at_ms,
                                 struct kw_error *err)
{
    const struct purpose_row *row = &purposes[purpose];
    KW_SCOPED(kw_x509_store_ctx_done) X509_STORE_CTX *context = NULL;

    KW_TRY(leaf_check(leaf->x509, row, err));
    KW_TRY(context_new(trust, leaf->x509, between, &context, err));
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_X509_STRICT);
    X509_STORE_CTX_set_time(context, 0, (time_t)(at_ms / MS_PER_S));
    X509_STORE_CTX_set_depth(context, KW_CHAIN_DEPTH_MAX);
    KW_ENSURE(X509_STORE_CTX_set_purpose(context, row->check) == 1, err, CRYPTO,
              "certificate purpose: %s", kw_openssl_reason());
    if (X509_verify_cert(context) != 1) {
        ERR_clear_error();
        KW_FAIL(err, IDENTITY_INVALID, "certificate: %s",
                X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
    }
    KW_TRY(chain_check(context, err));
    return kw_region_check(leaf->x509, err);
}
