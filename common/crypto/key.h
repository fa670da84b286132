/* Elliptic-curve keys, P-256 and P-384 and nothing else.
 *
 * Both types hold an EVP_PKEY whose curve was checked when it was put in, so code that gets one
 * need not ask again. A private key's scalar lives in OpenSSL's memory, or in an HSM behind libp11:
 * it is the one kind of secret that is not a kw_secret. Keys are immutable: any number of threads
 * may use one at once.
 */
#ifndef KW_COMMON_CRYPTO_KEY_H
#define KW_COMMON_CRYPTO_KEY_H

#include "common/base/secret.h"

#include <openssl/types.h>

#define KW_SPKI_LEN_MAX   120 /* SubjectPublicKeyInfo, P-384; P-256 has 91 bytes */
#define KW_P384_POINT_LEN 97  /* 0x04 ‖ x ‖ y */

enum kw_curve {
    KW_CURVE_P256,
    KW_CURVE_P384,
};

/* Owned by the caller's storage; release with the matching _done. */
struct kw_private_key {
    EVP_PKEY *evp;
    enum kw_curve curve;
};

struct kw_public_key {
    EVP_PKEY *evp;
    enum kw_curve curve;
};

/* A DER SubjectPublicKeyInfo, without an owner to think of. */
struct kw_spki {
    uint8_t bytes[KW_SPKI_LEN_MAX];
    size_t len;
};

static inline struct kw_bytes kw_spki_bytes(const struct kw_spki *spki)
{
    return KW_BYTES(spki->bytes, spki->len);
}

/* A new key pair from OpenSSL's generator: for callers' own keys (CLI, tests), never for what an
 * HSM makes. Fails: CRYPTO. */
struct kw_result kw_private_key_generate(struct kw_private_key *key, enum kw_curve curve,
                                         struct kw_error *err);

/* Takes another reference to a key made elsewhere, e.g. one that libp11 gave.
 * Fails: ARGUMENT_INVALID (not on P-256 or P-384), CRYPTO. */
struct kw_result kw_private_key_from_evp(struct kw_private_key *key, EVP_PKEY *evp,
                                         struct kw_error *err);

/* Reads one unencrypted PEM private key (PKCS#8 or SEC 1).
 * Fails: ARGUMENT_INVALID (no such key in it, or another curve or algorithm). */
struct kw_result kw_private_key_from_pem(struct kw_private_key *key, struct kw_bytes pem,
                                         struct kw_error *err);

/* The same from a file, which must not be open to group or others.
 * Fails: CONFIG_INVALID (missing, open to others, or too large), ARGUMENT_INVALID, MEMORY. */
struct kw_result kw_private_key_from_file(struct kw_private_key *key, const char *path,
                                          struct kw_error *err);

/* Appends the PKCS#8 PEM to `ret_pem`, a buffer that wipes itself. For files of mode 0600 only.
 * Fails: CRYPTO (e.g. an HSM key, which cannot leave), MEMORY. */
struct kw_result kw_private_key_to_pem(const struct kw_private_key *key, struct kw_buf *ret_pem,
                                       struct kw_error *err);

/* The public half, by encoding and decoding it: not for every call. `ret_public` is made here. Fails: CRYPTO. */
struct kw_result kw_private_key_public(const struct kw_private_key *key,
                                       struct kw_public_key *ret_public, struct kw_error *err);

/* Accept NULL and zeroed. */
void kw_private_key_done(struct kw_private_key *key);
void kw_public_key_done(struct kw_public_key *key);

/* Reads a DER SubjectPublicKeyInfo in its one accepted form: named curve, uncompressed point, on
 * the curve. Fails: ARGUMENT_INVALID. */
struct kw_result kw_public_key_from_spki(struct kw_public_key *key, struct kw_bytes spki,
                                         struct kw_error *err);

/* Copies the public half of `evp`, by encoding and decoding it: not for every call.
 * Fails: ARGUMENT_INVALID (curve), CRYPTO. */
struct kw_result kw_public_key_from_evp(struct kw_public_key *key, EVP_PKEY *evp,
                                        struct kw_error *err);

/* Another owner of the same key, in any thread; each calls kw_public_key_done. Cheap. Fails:
 * CRYPTO.
 */
struct kw_result kw_public_key_share(const struct kw_public_key *key, struct kw_public_key *ret_key,
                                     struct kw_error *err);

/* The uncompressed point of a P-384 key, and back. Fails: ARGUMENT_INVALID (not P-384; not on the
 * curve). */
struct kw_result kw_public_key_to_point(const struct kw_public_key *key,
                                        uint8_t ret_point[KW_P384_POINT_LEN], struct kw_error *err);
struct kw_result kw_public_key_from_point(struct kw_public_key *key, struct kw_bytes point,
                                          struct kw_error *err);

/* The DER form. Equal keys have equal bytes. Fails: CRYPTO. */
struct kw_result kw_public_key_spki(const struct kw_public_key *key, struct kw_spki *ret_spki,
                                    struct kw_error *err);

/* The same of a private key's public half, without making it. */
struct kw_result kw_private_key_spki(const struct kw_private_key *key, struct kw_spki *ret_spki,
                                     struct kw_error *err);

/* True when both are the same point on the same curve. */
bool kw_public_key_equal(const struct kw_public_key *a, const struct kw_public_key *b);

#endif
