/* Table batches, with the counts that its devices add up to: what is on the feed (batch_feed.h), in
 * columns. All functions run on the store's threads.
 *
 * Cells that are out of touch may both be asked for one batch, and make two; or both for the same
 * positions of one, and make two pens for a position. None of it is lost. One of each is what the
 * request stands for, the same in all cells that know both: the earlier. */
#ifndef KW_SERVICES_ORCHESTRATOR_BATCH_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_BATCH_TABLE_H

#include "common/store/row.h"

struct kw_batch_row {
    struct kw_id id;
    struct kw_id station;
    struct kw_id request; /* of the CreateBatch call */
    struct kw_id product;
    const char *lot; /* in the arena it was read into */
    uint32_t count;
    uint64_t created_ms;
    uint64_t released_ms; /* 0: not yet */
    uint32_t generated;   /* these four are counted, not stored: positions that have a pen, */
    uint32_t confirmed;   /* pens */
    uint32_t released;
    uint32_t
        is_protected; /* pens whose key is; counted where it is asked for (protection_table.h) */
    uint32_t end;     /* behind the last position; not `generated`: pens between are on their way */
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fail: STORE_UNAVAILABLE, INTERNAL,
 * MEMORY. */
struct kw_result kw_batch_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                               struct kw_batch_row *ret_row, bool *ret_found, struct kw_error *err);

/* The one that this request of the station stands for, of those that have `first` positions or more
 * if any has. */
struct kw_result kw_batch_find_request(struct kw_tx *tx, struct kw_id station, struct kw_id request,
                                       uint32_t first, struct kw_arena *arena,
                                       struct kw_batch_row *ret_row, bool *ret_found,
                                       struct kw_error *err);

/* Instances on one database make what a request asks for one after the other: until the transaction
 * ends this one is alone with it. Write job. */
struct kw_result kw_batch_turn(struct kw_tx *tx, struct kw_id station, struct kw_id request,
                               struct kw_error *err);

/* Writes the columns of one batch; counts are ignored. */
struct kw_result kw_batch_put(struct kw_tx *tx, const struct kw_batch_row *row,
                              struct kw_error *err);

#endif
