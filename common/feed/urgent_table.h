/* Table feed_urgents: others' urgent changes, as they came, until their lane has them. So one that
 * reached us alone reaches everybody, though its store never speaks again. One whose lane has
 * another change under its number stays: both are signed, and show that their store has forked. */
#ifndef KW_COMMON_FEED_URGENT_TABLE_H
#define KW_COMMON_FEED_URGENT_TABLE_H

#include "common/base/arena.h"
#include "common/feed/lane.h"
#include "common/store/store.h"

/* All of these fail as the store does. */

/* `origin`: as in lane_table.h; `due_ms`: when its lane should be here. */
struct kw_result kw_urgent_row_insert(struct kw_tx *tx, struct kw_id lane, struct kw_bytes origin,
                                      const struct kw_lane_point *point, struct kw_bytes record,
                                      uint64_t due_ms, struct kw_error *err);

/* One whose time has come, in the arena; it comes no second time. Fails also: MEMORY. */
struct kw_result kw_urgent_row_due(struct kw_tx *tx, uint64_t wall_ms, struct kw_arena *arena,
                                   struct kw_bytes *ret_record, bool *ret_any,
                                   struct kw_error *err);

/* Appends the next one after `after`, by number and chain; `ret_at` is where it is, and stays if there
 * is none. Fails also: MEMORY. */
struct kw_result kw_urgent_row_next(struct kw_tx *tx, struct kw_id lane,
                                    const struct kw_lane_point *after, struct kw_buf *out,
                                    struct kw_lane_point *ret_at, struct kw_error *err);

struct kw_result kw_urgent_row_has(struct kw_tx *tx, struct kw_id lane,
                                   const struct kw_lane_point *point, bool *ret_has,
                                   struct kw_error *err);

/* Are there KW_FEED_URGENTS_MAX of this origin, of all its lanes? */
struct kw_result kw_urgent_row_full(struct kw_tx *tx, struct kw_bytes origin, bool *ret_full,
                                    struct kw_error *err);

/* Deletes what the lane has, which went from number `from` to `to`, each with its row in feed_changes.
 * `ret_rivals`: of how many it has another there. */
struct kw_result kw_urgent_row_settle(struct kw_tx *tx, struct kw_id lane, uint64_t from,
                                      uint64_t to, size_t *ret_rivals, struct kw_error *err);

/* Deletes all up to a number. */
struct kw_result kw_urgent_row_delete(struct kw_tx *tx, struct kw_id lane, uint64_t up_to,
                                      struct kw_error *err);

#endif
