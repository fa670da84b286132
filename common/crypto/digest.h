/* Digests (FIPS 180-4) and HMAC (FIPS 198-1). The only hashes of the project are SHA-256 and
 * SHA-384. */
#ifndef KW_COMMON_CRYPTO_DIGEST_H
#define KW_COMMON_CRYPTO_DIGEST_H

#include "common/base/secret.h"

#include <openssl/types.h>

#define KW_SHA256_LEN 32
#define KW_SHA384_LEN 48

enum kw_digest_kind {
    KW_DIGEST_SHA256,
    KW_DIGEST_SHA384,
};

/* A digest that is fed piece by piece. Release with kw_digest_done. One thread at a time. */
struct kw_digest {
    EVP_MD_CTX *context;
    enum kw_digest_kind kind;
};

/* The digest of one piece of data. Any thread. Fails: CRYPTO, MEMORY. */
struct kw_result kw_sha256(struct kw_bytes data, uint8_t ret_digest[KW_SHA256_LEN],
                           struct kw_error *err);
struct kw_result kw_sha384(struct kw_bytes data, uint8_t ret_digest[KW_SHA384_LEN],
                           struct kw_error *err);

/* The digest of `count` pieces, one after the other, without any separator. Any thread.
 * Fails: CRYPTO, MEMORY. */
struct kw_result kw_sha256_list(const struct kw_bytes *parts, size_t count,
                                uint8_t ret_digest[KW_SHA256_LEN], struct kw_error *err);
struct kw_result kw_sha384_list(const struct kw_bytes *parts, size_t count,
                                uint8_t ret_digest[KW_SHA384_LEN], struct kw_error *err);

/* Starts a digest in the caller's storage. Fails: CRYPTO, MEMORY. */
struct kw_result kw_digest_init(struct kw_digest *digest, enum kw_digest_kind kind,
                                struct kw_error *err);

/* Feeds it. Fails: CRYPTO. */
struct kw_result kw_digest_update(struct kw_digest *digest, struct kw_bytes data,
                                  struct kw_error *err);

/* Writes the kind's 32 or 48 bytes and starts anew, so that one object digests many messages.
 * Fails: CRYPTO. */
struct kw_result kw_digest_final(struct kw_digest *digest, uint8_t *ret_digest,
                                 struct kw_error *err);

/* Releases it. Accepts NULL and zeroed. */
void kw_digest_done(struct kw_digest *digest);

/* HMAC-SHA-256 over `count` pieces. The caller separates fields whose lengths vary (codec.h), or
 * two lists of fields could have one MAC. Any thread. Fails: CRYPTO, MEMORY. */
struct kw_result kw_hmac_sha256(const struct kw_secret *key, const struct kw_bytes *parts,
                                size_t count, uint8_t ret_mac[KW_SHA256_LEN], struct kw_error *err);

#endif
