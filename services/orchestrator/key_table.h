/* Table key_versions: what is on the feed (key_feed.h), in columns, and read with the wrapped key
 * (wrapped_key_table.h): of several the one that the core refused least often, then that under the newest KEK. A version whose device or wrapped key
 * is not here yet is not found. All functions run on the store's threads. */
#ifndef KW_SERVICES_ORCHESTRATOR_KEY_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_KEY_TABLE_H

#include "common/store/row.h"

/* Every kw_bytes is in the arena it was read into, or borrowed from whoever filled the struct. */
struct kw_key_row {
    struct kw_id id;
    struct kw_id device;
    struct kw_id product; /* these three are the device's; ignored by put */
    struct kw_id batch;
    bool disputed;
    uint32_t version;
    uint32_t kek_version;    /* these four are the wrapped key's; ignored by put */
    struct kw_bytes wrapped; /* empty: destroyed */
    struct kw_bytes check_value;
    struct kw_bytes mac;
    uint64_t created_ms;
    struct kw_bytes delivery;  /* under the station's transport key; empty: released or destroyed */
    uint32_t delivery_version; /* of that transport key */
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fail: STORE_UNAVAILABLE, INTERNAL,
 * MEMORY. */
struct kw_result kw_key_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                             struct kw_key_row *ret_row, bool *ret_found, struct kw_error *err);

/* The device's newest version. */
struct kw_result kw_key_find_newest(struct kw_tx *tx, struct kw_id device, struct kw_arena *arena,
                                    struct kw_key_row *ret_row, bool *ret_found,
                                    struct kw_error *err);

/* At most `max` keys with ids after `after`, in the order of their ids; of one device, or of all.
 */
struct kw_result kw_key_list(struct kw_tx *tx, struct kw_id device, struct kw_id after, size_t max,
                             struct kw_arena *arena, struct kw_key_row *rows, size_t *ret_count,
                             struct kw_error *err);

/* Writes the columns of one key version. */
struct kw_result kw_key_put(struct kw_tx *tx, const struct kw_key_row *row, struct kw_error *err);

#endif
