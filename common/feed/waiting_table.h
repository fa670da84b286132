/* What waits, as it is handed over: a walk over feed_held or feed_quarantine. */
#ifndef KW_COMMON_FEED_WAITING_TABLE_H
#define KW_COMMON_FEED_WAITING_TABLE_H

#include "common/feed/waiting.h"
#include "common/store/store.h"

/* How many there are, `max` if there are more. Fails: as the store. */
struct kw_result kw_waiting_count(struct kw_tx *tx, bool held, size_t max, uint64_t *ret_count,
                                  struct kw_error *err);

/* By lane, number and chain, at most `max` after `after` (zeroed: from the first), which stays until
 * the walk ends. One at a time. Fails: as the store. */
struct kw_result kw_waiting_walk(struct kw_tx *tx, bool held, const struct kw_waiting *after,
                                 size_t max, struct kw_stmt **ret_walk, struct kw_error *err);

/* The next, in the arena. `*ret_any` false: the end. Fails: as the store, MEMORY. */
struct kw_result kw_waiting_next(struct kw_stmt *walk, struct kw_arena *arena,
                                 struct kw_waiting *ret_waiting, bool *ret_any,
                                 struct kw_error *err);

#endif
