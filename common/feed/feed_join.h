/* Joining: a store that is new, or was away until what it misses was trimmed (KW_FEED_READ_TRIMMED),
 * gets everything from one other, its donor (feed_snapshot.h).
 *
 *     kw_feed_join(donor) ─▶ ask ─▶ answer ─▶ kw_feed_join_take ─▶ ask … until it is done
 *       lanes' heads are noted, what waits waits here, rows are merged: each answer one transaction
 *       the last one: each lane goes on from its noted head; its tail comes as ever
 *
 * It may be interrupted anywhere and goes on there, or be begun anew with another donor: what was
 * merged stays merged, and heads are adopted only of a donor of which everything came. Until then the
 * store is joining. It takes no local changes but urgent ones, hands over nothing, and its owner should
 * decide nothing by its rows. Changes in lanes are taken all the while.
 */
#ifndef KW_COMMON_FEED_FEED_JOIN_H
#define KW_COMMON_FEED_FEED_JOIN_H

#include "common/feed/answer_check.h"
#include "common/feed/feed.h"

/* Begins to join, or goes on if it is with this donor; with another it begins anew. Write job. Fails:
 * as the store, SYSTEM, MEMORY, ARGUMENT_INVALID (a donor that we are). */
struct kw_result kw_feed_join(const struct kw_feed *feed, struct kw_tx *tx, struct kw_id donor,
                              struct kw_error *err);

/* The same, of a store that held something of all the others before: where nobody hands it all that is there it may be given
 * up, and the store is then what it was, some rows the richer. With another donor it stays what it was begun as. */
struct kw_result kw_feed_join_again(const struct kw_feed *feed, struct kw_tx *tx,
                                    struct kw_id donor, struct kw_error *err);

/* Does the store join, and may that be given up? Read or write job. Fails: as the store. */
struct kw_result kw_feed_join_may_end(struct kw_tx *tx, bool *ret_may, struct kw_error *err);

/* Gives it up; `*ret_given_up` false: it can't be. Write job. Fails: as the store. */
struct kw_result kw_feed_join_give_up(struct kw_tx *tx, bool *ret_given_up, struct kw_error *err);

/* What is to be asked next; `*ret_joining` false: the store is not joining. Borrows from the arena.
 * Read or write job. Fails: as the store, MEMORY. */
struct kw_result kw_feed_join_ask(struct kw_tx *tx, struct kw_arena *arena, struct kw_ask *ret_ask,
                                  bool *ret_joining, struct kw_error *err);

/* Judges the answer to that, and takes it in. What is not GOOD changes nothing, and should be asked
 * again. `*ret_done`: that was all, the store has joined. Write job. Fails: as the store, MEMORY,
 * CRYPTO, INTERNAL; then nothing of it is taken. */
struct kw_result kw_feed_join_take(struct kw_feed *feed, struct kw_tx *tx,
                                   const struct kw_answer *answer, uint64_t wall_ms,
                                   enum kw_answer_verdict *ret_verdict, bool *ret_done,
                                   struct kw_error *err);

#endif
