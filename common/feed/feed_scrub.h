/* Is what is stored what was written? Each row's record is held against its digest, and the rows of
 * each bucket against its sum. A disk that forgets or changes something does not say so.
 *
 * A damaged row is never merged into, given away, or believed: whoever reads it fails with INTERNAL.
 * Once it is marked, its bucket differs from everybody else's, so the comparison with a peer finds it,
 * and the peer's row comes in its place (feed_repair.h).
 */
#ifndef KW_COMMON_FEED_FEED_SCRUB_H
#define KW_COMMON_FEED_FEED_SCRUB_H

#include "common/feed/feed.h"

/* Where a scrub is. Zeroed: at the beginning. */
struct kw_scrub_place {
    size_t table; /* of the feed's tables, by place */
    uint16_t bucket;
};

enum kw_scrub_found {
    KW_SCRUB_NOTHING, /* so far */
    KW_SCRUB_ROW,     /* `key` is damaged; others of the bucket may be, too */
    KW_SCRUB_SUM,     /* the bucket's sum is not that of its rows */
};

struct kw_scrub {
    enum kw_scrub_found found;
    uint16_t table;
    uint16_t bucket;
    struct kw_bytes key; /* in the arena */
    bool done;           /* there are no more tables */
};

/* Looks at the next buckets, until it finds something, or has seen KW_SCRUB_ROWS_MAX rows or
 * KW_SCRUB_BUCKETS_MAX buckets; moves `place` past them. Read job. Fails: as the store, CRYPTO,
 * MEMORY. */
struct kw_result kw_feed_scrub(const struct kw_feed *feed, struct kw_tx *tx, struct kw_arena *arena,
                               struct kw_scrub_place *place, struct kw_scrub *ret_scrub,
                               struct kw_error *err);

/* Looks at one bucket once more, marks what is damaged in it, and rights its sum. `ret_damaged`: how
 * many rows were newly marked. Write job. Fails: as the store, CRYPTO, MEMORY, STORE_UNAVAILABLE (another
 * writer was faster), ARGUMENT_INVALID (no table of ours). */
struct kw_result kw_feed_scrub_mark(const struct kw_feed *feed, struct kw_tx *tx, uint16_t table,
                                    uint16_t bucket, struct kw_arena *arena, size_t *ret_damaged,
                                    struct kw_error *err);

#endif
