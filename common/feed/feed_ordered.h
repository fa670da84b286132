/* What an officer's order has to do with a change of `stores`, and with a row that is handed over (feed_proven.h). Internal. */
#ifndef KW_COMMON_FEED_FEED_ORDERED_H
#define KW_COMMON_FEED_FEED_ORDERED_H

#include "common/feed/feed.h"

/* What an order says of one of its stores, as a change of its row: always the same. Of two of a kind the later is
 * kept in the row, whoever brings them in whichever order; fences add up. In the arena. Fails: MEMORY. */
struct kw_result kw_feed_order_row(const struct kw_order *order, const struct kw_order_store *store,
                                   struct kw_arena *arena, struct kw_record *ret_row,
                                   struct kw_error *err);

/* Has this change of `stores` an order that says exactly what it says, and is to be believed? The same in every
 * cell, and at any time. Fails: MEMORY, CRYPTO. */
struct kw_result kw_feed_is_ordered(const struct kw_feed *feed, const struct kw_record *change,
                                    struct kw_arena *arena, bool *ret_ordered,
                                    struct kw_error *err);

/* Adds to `both` what the orders in this row say of its store, those that are to be believed. In the arena. Fails:
 * MEMORY, CRYPTO, ENCODING_INVALID (as kw_record_merge). */
struct kw_result kw_feed_add_ordered(const struct kw_feed *feed, const struct kw_record *row,
                                     struct kw_arena *arena, struct kw_record *both,
                                     struct kw_error *err);

#endif
