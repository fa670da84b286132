/* Table feed_quarantine: taken changes that this release can't read, whole. */
#ifndef KW_COMMON_FEED_QUARANTINE_TABLE_H
#define KW_COMMON_FEED_QUARANTINE_TABLE_H

#include "common/feed/waiting.h"
#include "common/store/store.h"

/* All of these fail as the store does. */

/* The number of a life that begins: higher than those that have tried anything. */
struct kw_result kw_quarantine_life(struct kw_tx *tx, int64_t *ret_life, struct kw_error *err);

/* Puts a change there, which `life` could not read; `*ret_new` false: it is there already, and has
 * now been tried by this life, too. */
struct kw_result kw_quarantine_put(struct kw_tx *tx, const struct kw_waiting *change,
                                   const char *reason, int64_t life, uint64_t wall_ms,
                                   bool *ret_new, struct kw_error *err);

/* The first that no life since `life` has tried, in the arena. Fails also: MEMORY. */
struct kw_result kw_quarantine_next(struct kw_tx *tx, int64_t life, struct kw_arena *arena,
                                    struct kw_waiting *ret_change, bool *ret_any,
                                    struct kw_error *err);

struct kw_result kw_quarantine_delete(struct kw_tx *tx, const struct kw_waiting *change,
                                      struct kw_error *err);

#endif
