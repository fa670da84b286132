/* Is our past settled? A promise (lane_head.h) says of a store that no change older than so will follow in its lane.
 * Who began a new life, being a copy of an earlier one, has said things that it does not know: one other cell
 * may hold them, and be the only one. By a promise of the new life everybody else would take for granted that
 * he has heard them.
 *
 *     life 1   1 2 3 … 32 33 36          the disk is set back to 32; b holds 36, and is down
 *     life 2              1 2 3 …        counts only when every other member has said how far it holds
 *                                        life 1, and all of them, and we, hold the same of it
 *
 * Then we say so of our present life (store_record.h, `settled`): by a new voucher, where vouchers are believed, else
 * in our lane. From then on its promises count for freshness (freshness.h). Until then whoever decides by it refuses; a
 * member that stays away is fenced. What is settled stays so: nothing more is said in an earlier life. A store's only
 * life has no past. */
#ifndef KW_COMMON_FEED_FEED_SETTLE_H
#define KW_COMMON_FEED_FEED_SETTLE_H

#include "common/feed/feed.h"
#include "common/feed/lane_table.h"

/* Says it, if it is so and not said, or notes that a voucher is to say it; else does nothing. Write job. Fails: as
 * kw_feed_write, MEMORY, INTERNAL (what is stored is damaged), LIMIT_REACHED (more members than KW_VECTOR_STORES_MAX). */
struct kw_result kw_feed_settle(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                struct kw_error *err);

/* Is nothing open before the life of our present lane, `own`, as its members have said? `row`: of our store. Of an only life
 * that need not be said. Fails: as the store, MEMORY, INTERNAL, LIMIT_REACHED. */
struct kw_result kw_feed_is_settled(struct kw_feed *feed, struct kw_tx *tx,
                                    const struct kw_lane_row *own, const struct kw_record *row,
                                    bool *ret_is, struct kw_error *err);

/* Our store's lanes become past, and what others said of them before is not asked any more. Fails: as the store. */
struct kw_result kw_feed_end_life(struct kw_tx *tx, struct kw_id store, struct kw_error *err);

#endif
