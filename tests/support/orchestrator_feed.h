/* The orchestrator's feed in transactions of a test's own, without the service around it. It believes the officer of
 * key_officer.h. */
#ifndef KW_TESTS_SUPPORT_ORCHESTRATOR_FEED_H
#define KW_TESTS_SUPPORT_ORCHESTRATOR_FEED_H

#include "common/feed/feed.h"

/* Opens the feed, of a store whose id is always the same, and gives what to change rows with, at
 * `wall_ms`. Write job. */
struct kw_result orchestrator_feed_tx(struct kw_feed *feed, struct kw_tx *tx,
                                      struct kw_arena *arena, uint64_t wall_ms,
                                      struct kw_feed_tx *ret_feed_tx, struct kw_error *err);

#endif
