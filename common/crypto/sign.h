/* ECDSA (FIPS 186-5) over a message: P-256 with SHA-256, P-384 with SHA-384. Signatures are DER. */
#ifndef KW_COMMON_CRYPTO_SIGN_H
#define KW_COMMON_CRYPTO_SIGN_H

#include "common/crypto/key.h"

#define KW_SIGNATURE_LEN_MAX 104 /* DER of two 48-byte integers */

struct kw_signature {
    uint8_t bytes[KW_SIGNATURE_LEN_MAX];
    size_t len;
};

static inline struct kw_bytes kw_signature_bytes(const struct kw_signature *signature)
{
    return KW_BYTES(signature->bytes, signature->len);
}

/* Signs `message`; the digest is the curve's. The key may be an HSM's. Any thread.
 * Fails: CRYPTO (the library or the HSM refused), MEMORY. */
struct kw_result kw_ecdsa_sign(const struct kw_private_key *key, struct kw_bytes message,
                               struct kw_signature *ret_signature, struct kw_error *err);

/* Succeeds when `signature` is the key's over `message`. Any thread. A caller that names the
 * failure otherwise asks kw_ok() of it with `err` NULL. Fails: SIGNATURE_INVALID (wrong or
 * malformed), MEMORY, CRYPTO. */
struct kw_result kw_ecdsa_verify(const struct kw_public_key *key, struct kw_bytes message,
                                 struct kw_bytes signature, struct kw_error *err);

#endif
