/* Going on with a lane from a point up to which everything is here in rows. Internal. */
#ifndef KW_COMMON_FEED_FEED_ADOPT_H
#define KW_COMMON_FEED_FEED_ADOPT_H

#include "common/feed/feed.h"

/* `head`: KWL1. Judged as any other head (lane_check.h): what its store has not signed is not adopted,
 * and a rival of what we hold is a fork. Who holds more of the lane keeps what it has. More of our own
 * lane than we have ends it, as in kw_feed_apply. Write job. Fails: as the store, MEMORY, CRYPTO. */
struct kw_result kw_feed_adopt(struct kw_feed *feed, struct kw_tx *tx, struct kw_bytes head,
                               uint64_t wall_ms, struct kw_error *err);

#endif
