/* Holdings: how far a store holds others' lanes, said in its own lane. Acknowledgements come from linked cells
 * alone; so they come from everybody, and what all have can be deleted in every topology.
 *
 *     table 2, key: the store ─ field 1, a vector: lane → up to which number it is held durably
 *
 * It is no row: what a store says counts as its acknowledgement, for that store alone, and nothing of it is
 * kept beside that. It is said when a lane has more than it was said of before, other than holdings:
 * else what one says would be news to the next, and that would never end. */
#ifndef KW_COMMON_FEED_FEED_HOLDINGS_H
#define KW_COMMON_FEED_FEED_HOLDINGS_H

#include "common/feed/feed.h"
#include "common/feed/lane_table.h"
#include "common/feed/waiting.h"

enum kw_holding_field {
    KW_HOLDING_FIELD_LANES = 1,
    KW_HOLDING_FIELD_END_,
};

extern const struct kw_record_kind kw_holding_record;

/* Says in our lane what we hold, if there is something new to be said; not while we join, nor where our lane has
 * forked. `*ret_said`: it was. Write job. Fails: as the store, MEMORY, SYSTEM, CRYPTO. */
struct kw_result kw_feed_say_holdings(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                      bool *ret_said, struct kw_error *err);

/* Is this such a record, or does it call itself one? Internal. */
bool kw_feed_is_holdings(struct kw_bytes record);

/* Takes in what another store's lane says that it holds. Internal. Fails: as the store; ENCODING_INVALID (no such
 * record, of another store, more than KW_FEED_HOLDINGS_MAX lanes, or no lane says it). */
struct kw_result kw_feed_take_holdings(struct kw_tx *tx, const struct kw_waiting *change,
                                       struct kw_error *err);

/* This lane is about to be trimmed up to `floor`: what is deleted can't be looked at later. Where it is holdings
 * alone we owe no word of it. Internal. Fails: as the store. */
struct kw_result kw_feed_holdings_before_trim(const struct kw_feed *feed, struct kw_tx *tx,
                                              const struct kw_lane_row *lane, uint64_t floor,
                                              struct kw_error *err);

#endif
