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

/* A lane has got further, or promises more. */
void kw_feed_lane_grew(const struct kw_feed *feed, struct kw_tx *tx);

/* The name of a lane that is held here. */
struct kw_lane kw_feed_lane_name(const struct kw_feed *feed, const struct kw_lane_row *row);

#endif
