/* Table key_versions: wrapped keys with their bindings. All functions run on the store's threads.
 */
#ifndef KW_SERVICES_ORCHESTRATOR_KEY_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_KEY_TABLE_H

#include "common/store/row.h"

/* Every kw_bytes is in the arena it was read into, or borrowed from whoever filled the struct. */
struct kw_key_row {
    struct kw_id id;
    struct kw_id device;
    struct kw_id product; /* of the device; ignored by insert, as is the batch */
    struct kw_id batch;
    uint32_t version;
    uint32_t kek_version;
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

/* Fails: ALREADY_EXISTS (id, or device and version), STORE_UNAVAILABLE. */
struct kw_result kw_key_insert(struct kw_tx *tx, const struct kw_key_row *row,
                               struct kw_error *err);

/* Forgets what was kept for the station. */
struct kw_result kw_key_erase_delivery(struct kw_tx *tx, struct kw_id id, struct kw_error *err);

/* Erases the wrapped key and the delivery; the row, its facts and receipts stay. */
struct kw_result kw_key_destroy(struct kw_tx *tx, struct kw_id id, struct kw_error *err);

#endif
