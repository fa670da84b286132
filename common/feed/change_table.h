/* Table feed_changes: what is kept of each lane, from its floor to its point. */
#ifndef KW_COMMON_FEED_CHANGE_TABLE_H
#define KW_COMMON_FEED_CHANGE_TABLE_H

#include "common/base/arena.h"
#include "common/feed/waiting.h"
#include "common/store/store.h"

struct kw_change_row {
    struct kw_change change;
    struct kw_lane_point point; /* after it */
    struct kw_bytes head;       /* KWL1, where a batch ended with it; or empty */
};

/* All of these fail as the store does. */

struct kw_result kw_change_insert(struct kw_tx *tx, struct kw_id lane,
                                  const struct kw_change_row *row, struct kw_error *err);

/* The chain after number `seq`, while that is kept. */
struct kw_result kw_change_chain(struct kw_tx *tx, struct kw_id lane, uint64_t seq,
                                 uint8_t ret_chain[KW_SHA256_LEN], bool *ret_found,
                                 struct kw_error *err);

/* A walk along a lane, number `after` + 1 first; `lane` stays until its end. One at a time. */
struct kw_result kw_change_walk(struct kw_tx *tx, const struct kw_id *lane, uint64_t after,
                                size_t max, struct kw_stmt **ret_walk, struct kw_error *err);

/* Its next row, in the arena. `*ret_any` false: the end. Fails also: MEMORY. */
struct kw_result kw_change_next(struct kw_stmt *walk, struct kw_arena *arena,
                                struct kw_change_row *ret_row, bool *ret_any, struct kw_error *err);

/* The next urgent one after number `after`, in the arena. Fails also: MEMORY. */
struct kw_result kw_change_next_urgent(struct kw_tx *tx, struct kw_id lane, uint64_t after,
                                       struct kw_arena *arena, struct kw_change_row *ret_row,
                                       bool *ret_found, struct kw_error *err);

/* Is there one after `after`, up to `up_to`, that is of another table than this? */
struct kw_result kw_change_any_but(struct kw_tx *tx, struct kw_id lane, uint64_t after,
                                   uint64_t up_to, uint16_t table, bool *ret_any,
                                   struct kw_error *err);

/* All that are kept of one row, of whichever lane, in the arena. Looks at the whole log. Fails also:
 * MEMORY. */
struct kw_result kw_change_list_of(struct kw_tx *tx, uint16_t table, struct kw_bytes key,
                                   struct kw_arena *arena, struct kw_waiting **ret_changes,
                                   size_t *ret_count, struct kw_error *err);

struct kw_result kw_change_delete(struct kw_tx *tx, struct kw_id lane, uint64_t up_to,
                                  struct kw_error *err);

#endif
