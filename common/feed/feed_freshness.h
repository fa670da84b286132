/* Freshness (freshness.h) by what an owner holds. */
#ifndef KW_COMMON_FEED_FEED_FRESHNESS_H
#define KW_COMMON_FEED_FEED_FRESHNESS_H

#include "common/feed/feed.h"
#include "common/feed/freshness.h"

/* Our region is that of `vouchers`. What can't be said is an error, on which to refuse as on what is too
 * old. It looks at all stores and lanes: for a moment's decisions, not for each. Read or write job.
 * Fails: as the store, MEMORY, INTERNAL (what is stored is damaged), LIMIT_REACHED (more stores that are not
 * fenced than KW_VECTOR_STORES_MAX, or lanes than KW_LANES_MAX). */
struct kw_result kw_feed_freshness(const struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                   struct kw_freshness *ret_freshness, struct kw_error *err);

#endif
