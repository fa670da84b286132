/* What is proven of a row of `stores` that another store hands over: to one that joins, or to repair. Who hands it over
 * may be in wrong hands, and signs for the row himself; so nothing of it is his word.
 *
 *     place, active, keys, lives, settled    as far as the voucher in it says so: the latest names all that were
 *     draining, fenced, fence                as far as an order in it says so
 *     lives                                  also those of which an order honours a lane
 *
 * The rest is left out, and told. Internal. */
#ifndef KW_COMMON_FEED_FEED_PROVEN_H
#define KW_COMMON_FEED_FEED_PROVEN_H

#include "common/feed/feed.h"

/* Without fields: nothing is. Where no vouchers are believed what the row says by itself is, where no orders are either, all
 * of it. In the arena. Fails: as the store, MEMORY, CRYPTO, ENCODING_INVALID (as kw_record_merge). */
struct kw_result kw_feed_only_proven(struct kw_feed *feed, struct kw_tx *tx,
                                     const struct kw_record *row, uint64_t wall_ms,
                                     struct kw_arena *arena, struct kw_record *ret_row,
                                     struct kw_error *err);

#endif
