/* Table wrapped_keys: the blobs of device keys that are on the feed (wrapped_key_feed.h), in columns.
 * A key version has one for each KEK it was wrapped under. All functions run on the store's
 * threads. */
#ifndef KW_SERVICES_ORCHESTRATOR_WRAPPED_KEY_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_WRAPPED_KEY_TABLE_H

#include "common/crypto/digest.h"
#include "common/store/row.h"

/* Every kw_bytes is borrowed from whoever filled the struct. */
struct kw_wrapped_key_row {
    struct kw_id key; /* the key version */
    uint32_t kek_version;
    uint8_t digest[KW_SHA256_LEN]; /* wrapped_key_digest.h */
    struct kw_bytes wrapped;       /* empty: erased */
    struct kw_bytes check_value;
    struct kw_bytes mac;
};

/* A blob of this key that is not erased: which it is; its bytes are not read. `*ret_found` false:
 * there is none. Fails: STORE_UNAVAILABLE, INTERNAL. */
struct kw_result kw_wrapped_key_left(struct kw_tx *tx, struct kw_id key,
                                     struct kw_wrapped_key_row *ret_row, bool *ret_found,
                                     struct kw_error *err);

/* Writes the columns of one blob. */
struct kw_result kw_wrapped_key_put(struct kw_tx *tx, const struct kw_wrapped_key_row *row,
                                    struct kw_error *err);

/* The core did not take this blob for the key it is said to be: others of the key go before it.
 * `*ret_turned`: all that are left were refused as often. The name is looked at. Fails:
 * STORE_UNAVAILABLE, INTERNAL. */
struct kw_result kw_wrapped_key_refused(struct kw_tx *tx, const struct kw_wrapped_key_row *row,
                                        bool *ret_turned, struct kw_error *err);

#endif
