/* Rows that another store hands over, after a comparison (feed_digests.h) found that ours are others.
 * They are merged: what both say together is right, whichever of us was wrong.
 *
 * In a mesh without faults lanes bring everything, and nothing is ever repaired: each repair is a fault
 * to be looked for, and counted.
 */
#ifndef KW_COMMON_FEED_FEED_REPAIR_H
#define KW_COMMON_FEED_FEED_REPAIR_H

#include "common/feed/answer_check.h"
#include "common/feed/feed.h"

/* Judges the answer to `ask`, and merges its rows. `ret_repaired`: how many said something that was
 * not here, or came in the place of a damaged one. Whatever the verdict, the job should succeed.
 * Write job. Fails: as the store, MEMORY, CRYPTO, INTERNAL; then nothing is merged. */
struct kw_result kw_feed_repair(struct kw_feed *feed, struct kw_tx *tx, const struct kw_ask *ask,
                                const struct kw_answer *answer, uint64_t wall_ms,
                                enum kw_answer_verdict *ret_verdict, size_t *ret_repaired,
                                struct kw_error *err);

#endif
