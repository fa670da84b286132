/* Orders of officers (order.h) that are handed to an owner. What one says of a store travels in our lane, order and
 * all, ahead of it where it fences; each owner that hears it judges it for itself (feed_take.c). */
#ifndef KW_COMMON_FEED_FEED_ORDER_H
#define KW_COMMON_FEED_FEED_ORDER_H

#include "common/feed/feed.h"

/* Of the stores that an order names: so many are of this owner, and so many rows say more now. */
struct kw_feed_obeyed {
    size_t known;
    size_t changed;
};

/* Judges an order (KWO1), and writes what it says of each store that is known here, also while we join. All of it, or
 * nothing. `dry`: it is judged and nothing written, in a read job, too. Write job. Fails: as the store, MEMORY, CRYPTO;
 * ARGUMENT_INVALID (it can't be read, it is issued ahead of our clock), BINDING_INVALID (of another mesh),
 * SIGNATURE_INVALID (not by the first officer; none is known here), STATE_CONFLICT (older than one that is known, or
 * more of a lane is held here than this or an earlier one honours; draining or cutting off a store that is fenced). */
struct kw_result kw_feed_obey(const struct kw_feed_tx *feed_tx, struct kw_bytes record, bool dry,
                              struct kw_feed_obeyed *ret_obeyed, struct kw_error *err);

#endif
