/* Tables feed_joins and feed_join_heads: that we join, and how far we are. */
#ifndef KW_COMMON_FEED_JOIN_TABLE_H
#define KW_COMMON_FEED_JOIN_TABLE_H

#include "common/base/arena.h"
#include "common/feed/answer.h"
#include "common/store/store.h"

/* All of these fail as the store does. */

struct kw_result kw_join_row_any(struct kw_tx *tx, bool *ret_joining, struct kw_error *err);

/* What is to be asked next, in the arena. `lock` in a write job: nobody else answers it meanwhile.
 * Fails also: MEMORY. */
struct kw_result kw_join_row_find(struct kw_tx *tx, bool lock, struct kw_arena *arena,
                                  struct kw_ask *ret_ask, bool *ret_joining, struct kw_error *err);

/* Begins a join, in the place of another; without heads. `again` stays as it was with the first. */
struct kw_result kw_join_row_begin(struct kw_tx *tx, const struct kw_ask *ask, bool again,
                                   struct kw_error *err);

/* Does the store join, and was that begun with `again`? */
struct kw_result kw_join_row_again(struct kw_tx *tx, bool *ret_again, struct kw_error *err);

struct kw_result kw_join_row_move(struct kw_tx *tx, const struct kw_answer_place *next,
                                  struct kw_error *err);

struct kw_result kw_join_row_end(struct kw_tx *tx, struct kw_error *err);

struct kw_result kw_join_head_insert(struct kw_tx *tx, struct kw_id lane, struct kw_bytes head,
                                     struct kw_error *err);

/* The next lane's head after `lane`, in the arena, and which one it is. Fails also: MEMORY. */
struct kw_result kw_join_head_next(struct kw_tx *tx, struct kw_id *lane, struct kw_arena *arena,
                                   struct kw_bytes *ret_head, bool *ret_any, struct kw_error *err);

#endif
