/* Taking in a change of a lane, which is then never lost: it goes into its row, waits for our clock,
 * or goes into quarantine. */
#ifndef KW_COMMON_FEED_FEED_TAKE_H
#define KW_COMMON_FEED_FEED_TAKE_H

#include "common/feed/feed.h"
#include "common/feed/waiting.h"

enum kw_feed_how {
    KW_FEED_TAKEN,      /* applied */
    KW_FEED_TAKEN_HELD, /* some of it waits */
    KW_FEED_TAKEN_QUARANTINE,
};

struct kw_feed_taken {
    enum kw_feed_how how;
    bool news;    /* it said something that was not here yet */
    bool nothing; /* a row of which nothing is proven */
};

/* May this change go ahead of its lane? If it is short and disables something; also if it can't be read
 * here, but for a table in which nothing does. */
bool kw_feed_may_hurry(const struct kw_feed *feed, struct kw_bytes record);

/* May we say in our own lane what another store said? Only what we read, and what disables: our word is
 * believed when its author's no longer is. */
bool kw_feed_may_repeat(const struct kw_feed *feed, struct kw_bytes record);

/* Write job. Fails: as the store, MEMORY, CRYPTO, INTERNAL. */
struct kw_result kw_feed_take(struct kw_feed *feed, struct kw_tx *tx,
                              const struct kw_waiting *change, uint64_t wall_ms,
                              struct kw_feed_taken *ret_taken, struct kw_error *err);

#endif
