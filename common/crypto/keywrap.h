/* Key wrapping under an AES-256 key: with padding (KWP, RFC 5649, SP 800-38F), which is what is
 * stored and delivered, and without (KW, RFC 3394), which CMS uses. */
#ifndef KW_COMMON_CRYPTO_KEYWRAP_H
#define KW_COMMON_CRYPTO_KEYWRAP_H

#include "common/base/secret.h"

#define KW_WRAP_OVERHEAD   8 /* the integrity block; KWP also pads to a multiple of 8 */
#define KW_WRAPPED_LEN_MAX (KW_SECRET_LEN_MAX + KW_WRAP_OVERHEAD)

/* A wrapped key: public, and small enough to live where its user lives. A 32-byte key is 40 bytes
 * wrapped, session keys are 80. */
struct kw_wrapped {
    uint8_t bytes[KW_WRAPPED_LEN_MAX];
    size_t len;
};

static inline struct kw_bytes kw_wrapped_bytes(const struct kw_wrapped *wrapped)
{
    return KW_BYTES(wrapped->bytes, wrapped->len);
}

/* RFC 5649. `kek` is 32 bytes, `key` 1 to KW_SECRET_LEN_MAX. Any thread.
 * Fails: ARGUMENT_INVALID (lengths), CRYPTO, MEMORY. */
struct kw_result kw_kwp_wrap(const struct kw_secret *kek, const struct kw_secret *key,
                             struct kw_wrapped *ret_wrapped, struct kw_error *err);

/* Its inverse; `ret_key` is made here. Any thread.
 * Fails: BINDING_INVALID (not wrapped under this key, or altered), ARGUMENT_INVALID (length of the
 * KEK), LIMIT_REACHED, CRYPTO, MEMORY, SYSTEM. */
struct kw_result kw_kwp_unwrap(const struct kw_secret *kek, struct kw_bytes wrapped,
                               struct kw_secret *ret_key, struct kw_error *err);

/* RFC 3394. As kw_kwp_wrap, but the key is a multiple of 8 bytes and at least 16. */
struct kw_result kw_kw_wrap(const struct kw_secret *kek, const struct kw_secret *key,
                            struct kw_wrapped *ret_wrapped, struct kw_error *err);

/* As kw_kwp_unwrap, for RFC 3394. */
struct kw_result kw_kw_unwrap(const struct kw_secret *kek, struct kw_bytes wrapped,
                              struct kw_secret *ret_key, struct kw_error *err);

#endif
