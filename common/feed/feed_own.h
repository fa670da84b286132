/* Our own lane: which one it is, and its next numbers. */
#ifndef KW_COMMON_FEED_FEED_OWN_H
#define KW_COMMON_FEED_FEED_OWN_H

#include "common/feed/feed.h"
#include "common/feed/lane_table.h"

/* The present lane of our writer, to say something on it: begun if there is none, and locked until the
 * transaction ends. Our clock is then ahead of all that was said on it. Fails: as the store, SYSTEM,
 * CRYPTO, MEMORY; STORE_UNAVAILABLE (it has forked: somebody else runs under our id). */
struct kw_result kw_feed_own_voice(struct kw_feed *feed, struct kw_tx *tx,
                                   struct kw_lane_row *ret_row, struct kw_error *err);

/* The present lane of our writer as it is, forked or not, and locked; it may be that none has begun. Fails:
 * as the store. */
struct kw_result kw_feed_own_look(struct kw_feed *feed, struct kw_tx *tx,
                                  struct kw_lane_row *ret_row, bool *ret_found,
                                  struct kw_error *err);

/* The lane that kw_feed_own_voice gave has got so far, with a change of this time: its row follows with the
 * end of the job. */
void kw_feed_own_move(struct kw_feed *feed, const struct kw_lane_point *point, uint64_t hlc);

/* What the job knows of our lane: nothing yet, if it just began. */
struct kw_own_lane *kw_feed_own_lane(struct kw_feed *feed, struct kw_tx *tx);

/* A lane has got further, or promises more. */
void kw_feed_lane_grew(const struct kw_feed *feed, struct kw_tx *tx);

/* Looks at our store's row: is it fenced, is its life still settled, does our voucher say all of it? What was said
 * before is known by then as far as it is in rows. Write job. Fails: as the store, MEMORY, INTERNAL (what is stored is
 * damaged). */
struct kw_result kw_feed_look_at_us(struct kw_feed *feed, struct kw_tx *tx, struct kw_error *err);

/* The name of a lane that is held here. */
struct kw_lane kw_feed_lane_name(const struct kw_feed *feed, const struct kw_lane_row *row);

#endif
