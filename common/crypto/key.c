/* EC keys: one accepted encoding of the public half, checked wherever a key comes in. */
#include "common/crypto/key.h"

#include "common/base/limits.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/openssl.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#define SPKI_PREFIX_MAX 27
#define UNCOMPRESSED    0x04 /* the first byte of such a point, the last of a form's beginning */

KW_OPENSSL_SCOPED(bignum_done, BIGNUM, BN_clear_free)

/* A SubjectPublicKeyInfo with a named curve and an uncompressed point has a fixed beginning, up to
 * and with the point's 0x04. Comparing it refuses other algorithms, curves, explicit parameters and
 * compressed points in one step, and leaves every key one spelling. */
struct curve_form {
    const char *name;
    size_t prefix_len;
    size_t spki_len;
    uint8_t prefix[SPKI_PREFIX_MAX];
};

static const struct curve_form forms[] = {
    [KW_CURVE_P256] = {"P-256", 27, 91, {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                         0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04}},
    [KW_CURVE_P384] = {"P-384", 24, 120, {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                          0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                                          0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04}},
};

static struct kw_result spki_curve(struct kw_bytes spki, enum kw_curve *ret_curve,
                                   struct kw_error *err)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const struct curve_form *form = &forms[i];

        if (spki.len == form->spki_len && memcmp(spki.data, form->prefix, form->prefix_len) == 0) {
            *ret_curve = (enum kw_curve)i;
            return KW_OK;
        }
    }
    KW_FAIL(err, ARGUMENT_INVALID,
            "not an EC public key on P-256 or P-384, named and uncompressed");
}

static struct kw_result evp_spki(EVP_PKEY *evp, struct kw_spki *ret_spki, struct kw_error *err)
{
    int len = i2d_PUBKEY(evp, NULL);
    uint8_t *at = ret_spki->bytes;

    KW_ENSURE(len > 0, err, CRYPTO, "public key: %s", kw_openssl_reason());
    KW_ENSURE(len <= KW_SPKI_LEN_MAX, err, ARGUMENT_INVALID, "public key of %d bytes", len);
    KW_ENSURE(i2d_PUBKEY(evp, &at) == len, err, CRYPTO, "public key: %s", kw_openssl_reason());
    ret_spki->len = (size_t)len;
    return KW_OK;
}

/* The same of a key whose curve is known, by the form's beginning: OpenSSL's encoder takes ten times as long. Its own word
 * counts where a key has its point in another form, as one in an HSM may. */
static struct kw_result checked_spki(EVP_PKEY *evp, enum kw_curve curve, struct kw_spki *ret_spki,
                                     struct kw_error *err)
{
    const struct curve_form *form = &forms[curve];
    uint8_t *point = ret_spki->bytes + form->prefix_len - 1;
    size_t len = 0;

    if (EVP_PKEY_get_octet_string_param(evp, OSSL_PKEY_PARAM_PUB_KEY, point,
                                        sizeof(ret_spki->bytes) - (form->prefix_len - 1),
                                        &len) != 1 ||
        form->prefix_len - 1 + len != form->spki_len || point[0] != UNCOMPRESSED) {
        return evp_spki(evp, ret_spki, err);
    }
    kw_copy(ret_spki->bytes, form->prefix, form->prefix_len);
    ret_spki->len = form->spki_len;
    return KW_OK;
}

static struct kw_result evp_curve(EVP_PKEY *evp, enum kw_curve *ret_curve, struct kw_error *err)
{
    struct kw_spki spki;

    KW_TRY(evp_spki(evp, &spki, err));
    return spki_curve(kw_spki_bytes(&spki), ret_curve, err);
}

struct kw_result kw_private_key_generate(struct kw_private_key *key, enum kw_curve curve,
                                         struct kw_error *err)
{
    EVP_PKEY *evp = EVP_EC_gen(forms[curve].name);

    KW_ENSURE(evp != NULL, err, CRYPTO, "key generation: %s", kw_openssl_reason());
    *key = (struct kw_private_key){.evp = evp, .curve = curve};
    return KW_OK;
}

struct kw_result kw_private_key_from_evp(struct kw_private_key *key, EVP_PKEY *evp,
                                         struct kw_error *err)
{
    enum kw_curve curve;

    KW_TRY(evp_curve(evp, &curve, err));
    KW_ENSURE(EVP_PKEY_up_ref(evp) == 1, err, CRYPTO, "key reference: %s", kw_openssl_reason());
    *key = (struct kw_private_key){.evp = evp, .curve = curve};
    return KW_OK;
}

/* Without a callback OpenSSL would ask the terminal for an encrypted key's password. */
static int no_password(char *text, int size, int writing, void *context)
{
    (void)text, (void)size, (void)writing, (void)context;
    return -1;
}

/* Whether the private and the public half of a key from outside belong together. */
static bool halves_match(EVP_PKEY *evp)
{
    KW_SCOPED(kw_openssl_pkey_ctx_done)
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, evp, NULL);

    return context != NULL && EVP_PKEY_pairwise_check(context) == 1;
}

struct kw_result kw_private_key_from_pem(struct kw_private_key *key, struct kw_bytes pem,
                                         struct kw_error *err)
{
    KW_SCOPED(kw_openssl_bio_done) BIO *bio = NULL;
    KW_SCOPED(kw_openssl_pkey_done) EVP_PKEY *evp = NULL;
    struct kw_private_key loaded;

    KW_ENSURE(pem.len > 0 && pem.len <= KW_KEY_FILE_LEN_MAX, err, ARGUMENT_INVALID,
              "private key PEM of %zu bytes", pem.len);
    bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    KW_ENSURE(bio != NULL, err, MEMORY, "BIO");
    evp = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    KW_ENSURE(evp != NULL, err, ARGUMENT_INVALID, "private key PEM: %s", kw_openssl_reason());
    KW_TRY(kw_private_key_from_evp(&loaded, evp, err));
    if (!halves_match(evp)) {
        kw_private_key_done(&loaded);
        KW_FAIL(err, ARGUMENT_INVALID, "private key PEM: %s", kw_openssl_reason());
    }
    *key = loaded;
    return KW_OK;
}

struct kw_result kw_private_key_from_file(struct kw_private_key *key, const char *path,
                                          struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    KW_TRY(kw_keyfile_read(AT_FDCWD, path, KW_KEY_FILE_LEN_MAX, true, &pem, err));
    return kw_private_key_from_pem(key, kw_buf_bytes(&pem), err);
}

/* False for a key whose scalar stays in an HSM: libp11's keys carry zero in its place, and OpenSSL
 * would write that down without complaint. */
static bool scalar_present(EVP_PKEY *evp)
{
    KW_SCOPED(bignum_done) BIGNUM *scalar = NULL;

    return EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 &&
           !BN_is_zero(scalar);
}

struct kw_result kw_private_key_to_pem(const struct kw_private_key *key, struct kw_buf *ret_pem,
                                       struct kw_error *err)
{
    KW_SCOPED(kw_openssl_bio_done)
    BIO *bio = BIO_new(BIO_s_secmem()); /* clears itself when freed */

    KW_ENSURE(bio != NULL, err, MEMORY, "BIO");
    KW_ENSURE(scalar_present(key->evp), err, CRYPTO, "the private key is not in this process");
    KW_ENSURE(PEM_write_bio_PKCS8PrivateKey(bio, key->evp, NULL, NULL, 0, NULL, NULL) == 1, err,
              CRYPTO, "private key PEM: %s", kw_openssl_reason());
    return kw_openssl_take(bio, ret_pem, err);
}

struct kw_result kw_private_key_public(const struct kw_private_key *key,
                                       struct kw_public_key *ret_public, struct kw_error *err)
{
    return kw_public_key_from_evp(ret_public, key->evp, err);
}

void kw_private_key_done(struct kw_private_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->evp);
        *key = (struct kw_private_key){0};
    }
}

void kw_public_key_done(struct kw_public_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->evp);
        *key = (struct kw_public_key){0};
    }
}

struct kw_result kw_public_key_from_spki(struct kw_public_key *key, struct kw_bytes spki,
                                         struct kw_error *err)
{
    const uint8_t *at = spki.data;
    enum kw_curve curve;
    EVP_PKEY *evp;

    KW_TRY(spki_curve(spki, &curve, err));
    evp = d2i_PUBKEY(NULL, &at, (long)spki.len);
    KW_ENSURE(evp != NULL, err, ARGUMENT_INVALID, "public key: %s", kw_openssl_reason());
    *key = (struct kw_public_key){.evp = evp, .curve = curve};
    return KW_OK;
}

struct kw_result kw_public_key_from_evp(struct kw_public_key *key, EVP_PKEY *evp,
                                        struct kw_error *err)
{
    struct kw_spki spki;

    KW_TRY(evp_spki(evp, &spki, err));
    return kw_public_key_from_spki(key, kw_spki_bytes(&spki), err);
}

struct kw_result kw_public_key_share(const struct kw_public_key *key, struct kw_public_key *ret_key,
                                     struct kw_error *err)
{
    KW_ENSURE(EVP_PKEY_up_ref(key->evp) == 1, err, CRYPTO, "key reference: %s",
              kw_openssl_reason());
    *ret_key = *key;
    return KW_OK;
}

struct kw_result kw_public_key_to_point(const struct kw_public_key *key,
                                        uint8_t ret_point[KW_P384_POINT_LEN], struct kw_error *err)
{
    struct kw_spki spki;

    KW_ENSURE(key->curve == KW_CURVE_P384, err, ARGUMENT_INVALID, "the key is not on P-384");
    KW_TRY(kw_public_key_spki(key, &spki, err));
    kw_copy(ret_point, spki.bytes + spki.len - KW_P384_POINT_LEN, KW_P384_POINT_LEN);
    return KW_OK;
}

struct kw_result kw_public_key_from_point(struct kw_public_key *key, struct kw_bytes point,
                                          struct kw_error *err)
{
    const struct curve_form *form = &forms[KW_CURVE_P384];
    struct kw_spki spki = {.len = form->spki_len};

    KW_ENSURE(point.len == KW_P384_POINT_LEN, err, ARGUMENT_INVALID, "a point of %zu bytes",
              point.len);
    kw_copy(spki.bytes, form->prefix, form->prefix_len);
    kw_copy(spki.bytes + spki.len - KW_P384_POINT_LEN, point.data, point.len);
    return kw_public_key_from_spki(key, kw_spki_bytes(&spki), err);
}

struct kw_result kw_public_key_spki(const struct kw_public_key *key, struct kw_spki *ret_spki,
                                    struct kw_error *err)
{
    return checked_spki(key->evp, key->curve, ret_spki, err);
}

struct kw_result kw_private_key_spki(const struct kw_private_key *key, struct kw_spki *ret_spki,
                                     struct kw_error *err)
{
    return checked_spki(key->evp, key->curve, ret_spki, err);
}

bool kw_public_key_equal(const struct kw_public_key *a, const struct kw_public_key *b)
{
    return EVP_PKEY_eq(a->evp, b->evp) == 1;
}
