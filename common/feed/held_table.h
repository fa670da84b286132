/* Table feed_held: last-writer-wins values of taken changes that wait for our clock. */
#ifndef KW_COMMON_FEED_HELD_TABLE_H
#define KW_COMMON_FEED_HELD_TABLE_H

#include "common/feed/waiting.h"
#include "common/store/store.h"

/* All of these fail as the store does. */

/* A change that came twice, ahead of its lane and in it, waits once. */
struct kw_result kw_held_insert(struct kw_tx *tx, const struct kw_waiting *held, uint64_t due_ms,
                                struct kw_error *err);

/* The one due first, if it is by `wall_ms`, in the arena. Fails also: MEMORY. */
struct kw_result kw_held_next(struct kw_tx *tx, uint64_t wall_ms, struct kw_arena *arena,
                              struct kw_waiting *ret_held, bool *ret_any, struct kw_error *err);

struct kw_result kw_held_delete(struct kw_tx *tx, const struct kw_waiting *held,
                                struct kw_error *err);

#endif
