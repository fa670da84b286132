/* Table devices: what is on the feed (device_feed.h), in columns. One whose batch or key is not here
 * yet is not found. All functions run on the store's threads. */
#ifndef KW_SERVICES_ORCHESTRATOR_DEVICE_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_DEVICE_TABLE_H

#include "common/store/row.h"

struct kw_device_row {
    struct kw_id id;
    struct kw_id batch;
    struct kw_id station; /* of the batch; ignored by put */
    uint32_t position;    /* in the batch, from 0 */
    struct kw_id product;
    struct kw_id key; /* newest key version; ignored by put */
    uint64_t created_ms;
    const char *serial;    /* "": none yet; in the arena it was read into */
    uint64_t confirmed_ms; /* 0: not yet */
    uint64_t released_ms;  /* 0: not yet */
    bool disputed; /* several pens were confirmed as it, in cells out of touch: which is it? */
};

/* How far a device has come: the numbers of keyward.v1.DeviceState. */
enum kw_device_state {
    KW_DEVICE_ANY = 0,
    KW_DEVICE_PROVISIONED = 1,
    KW_DEVICE_CONFIRMED = 2,
    KW_DEVICE_RELEASED = 3,
};

enum kw_device_state kw_device_state(const struct kw_device_row *row);

/* What a list shows. Ids that are none, an empty serial and KW_DEVICE_ANY do not restrict. */
struct kw_device_filter {
    struct kw_id station;
    struct kw_id batch;
    struct kw_id product;
    enum kw_device_state state;
    const char *serial;
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fails: STORE_UNAVAILABLE,
 * INTERNAL, MEMORY. */
struct kw_result kw_device_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                struct kw_device_row *ret_row, bool *ret_found,
                                struct kw_error *err);

/* At most `max` devices with ids after `after`, in the order of their ids, into `rows`. */
struct kw_result kw_device_list(struct kw_tx *tx, const struct kw_device_filter *filter,
                                struct kw_id after, size_t max, struct kw_arena *arena,
                                struct kw_device_row *rows, size_t *ret_count,
                                struct kw_error *err);

/* Positions of a batch. */
struct kw_device_span {
    struct kw_id batch;
    uint32_t first;
    uint32_t count;
};

/* At most `max` devices at these positions, in their order; of several at one, the earlier first. */
struct kw_result kw_device_range(struct kw_tx *tx, const struct kw_device_span *span, size_t max,
                                 struct kw_arena *arena, struct kw_device_row *rows,
                                 size_t *ret_count, struct kw_error *err);

/* Writes the columns of one device. */
struct kw_result kw_device_put(struct kw_tx *tx, const struct kw_device_row *row,
                               struct kw_error *err);

#endif
