/* Table batches, with the counts that its devices add up to. All functions run on the store's
 * threads. */
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
    uint32_t generated;   /* these three are counted, not stored */
    uint32_t confirmed;
    uint32_t released;
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fail: STORE_UNAVAILABLE, INTERNAL,
 * MEMORY. */
struct kw_result kw_batch_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                               struct kw_batch_row *ret_row, bool *ret_found, struct kw_error *err);
struct kw_result kw_batch_find_request(struct kw_tx *tx, struct kw_id station, struct kw_id request,
                                       struct kw_arena *arena, struct kw_batch_row *ret_row,
                                       bool *ret_found, struct kw_error *err);

/* Counts are ignored. Fails: ALREADY_EXISTS, STORE_UNAVAILABLE. */
struct kw_result kw_batch_insert(struct kw_tx *tx, const struct kw_batch_row *row,
                                 struct kw_error *err);

/* Notes the first release; a later one changes nothing. */
struct kw_result kw_batch_release(struct kw_tx *tx, struct kw_id id, uint64_t now_ms,
                                  struct kw_error *err);

#endif
