/* Table transport_keys: what partners' and stations' answers are wrapped under; what is on the feed
 * (wrapped_key_feed.h), in columns. All functions run on the store's threads.
 *
 * Two cells may make a key of one version for an owner whose enrolment reached both. The one that its
 * owner confirmed counts, and before that the earlier, which is also what a repeated enrolment is
 * answered with. Before either goes one that the core was not seen to refuse (refused.h). */
#ifndef KW_SERVICES_ORCHESTRATOR_TRANSPORT_KEY_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_TRANSPORT_KEY_TABLE_H

#include "common/crypto/digest.h"
#include "common/store/row.h"

/* Every kw_bytes is in the arena it was read into, or borrowed from whoever filled the struct. */
struct kw_transport_key_row {
    struct kw_id owner;
    uint32_t version;
    uint32_t kek_version;
    struct kw_bytes wrapped;
    struct kw_bytes check_value;
    struct kw_bytes mac;
    struct kw_bytes nonce;
    uint64_t created_ms;
    uint64_t confirmed_ms; /* 0: its owner has not proved to hold it */
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fails: STORE_UNAVAILABLE,
 * INTERNAL, MEMORY. */
struct kw_result kw_transport_key_find(struct kw_tx *tx, struct kw_id owner, uint32_t version,
                                       struct kw_arena *arena, struct kw_transport_key_row *ret_row,
                                       bool *ret_found, struct kw_error *err);

/* The highest version the owner has; 0: none. */
struct kw_result kw_transport_key_newest(struct kw_tx *tx, struct kw_id owner,
                                         uint32_t *ret_version, struct kw_error *err);

/* Writes the columns of one; `digest`: wrapped_key_digest.h. */
struct kw_result kw_transport_key_put(struct kw_tx *tx, const struct kw_transport_key_row *row,
                                      const uint8_t digest[KW_SHA256_LEN], struct kw_error *err);

/* The core did not take this one for the owner's: others of the version go before it. Fails:
 * STORE_UNAVAILABLE, INTERNAL. */
struct kw_result kw_transport_key_refused(struct kw_tx *tx, struct kw_id owner, uint32_t version,
                                          uint32_t kek_version, const uint8_t digest[KW_SHA256_LEN],
                                          struct kw_error *err);

#endif
