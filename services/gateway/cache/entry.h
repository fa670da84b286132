/* Entry: what one request is called in the cache, and how a kept outcome proves that it is ours.
 *
 *     key    HMAC-SHA-256(cache key; "k" ‖ caller's fingerprint 32 ‖ method u32 ‖ request id 16), hex
 *     value  outcome ‖ HMAC-SHA-256(cache key; "v" ‖ key 32 ‖ outcome)
 *
 * So Redis learns neither callers nor request ids, cannot make an outcome up, and cannot move one
 * to another caller, method or request. Pure.
 */
#ifndef KW_SERVICES_GATEWAY_CACHE_ENTRY_H
#define KW_SERVICES_GATEWAY_CACHE_ENTRY_H

#include "common/base/id.h"
#include "common/crypto/digest.h"

/* What makes a request the same request. */
struct kw_request_name {
    const uint8_t *fingerprint; /* of the caller's certificate, KW_SHA256_LEN */
    uint32_t method;
    struct kw_id request_id;
};

struct kw_cache_key {
    uint8_t mac[KW_SHA256_LEN];
    char text[2 * KW_SHA256_LEN + 1]; /* the same in hex: what Redis sees */
};

/* Any thread. Fails: CRYPTO, MEMORY. */
struct kw_result kw_cache_key_make(const struct kw_secret *secret,
                                   const struct kw_request_name *name, struct kw_cache_key *ret_key,
                                   struct kw_error *err);

/* Appends the value for an outcome. Any thread. Fails: CRYPTO, MEMORY. */
struct kw_result kw_cache_value_seal(const struct kw_secret *secret, const struct kw_cache_key *key,
                                     struct kw_bytes outcome, struct kw_buf *value,
                                     struct kw_error *err);

/* The outcome within a value, borrowed from it. Any thread. Fails: BINDING_INVALID (too short, made
 * by somebody else, or of another key), CRYPTO, MEMORY. */
struct kw_result kw_cache_value_open(const struct kw_secret *secret, const struct kw_cache_key *key,
                                     struct kw_bytes value, struct kw_bytes *ret_outcome,
                                     struct kw_error *err);

/* The cache key: hex digits of KW_CACHE_SECRET_LEN bytes, or the bytes themselves (that many at
 * least). Fails: CONFIG_INVALID, and as kw_secret_from_file. */
#define KW_CACHE_SECRET_LEN 32
struct kw_result kw_cache_secret_load(const char *path, struct kw_secret *secret,
                                      struct kw_error *err);

#endif
