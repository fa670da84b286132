/* Bug: a store promises what it can't know: that nothing older than in a while will follow. */
#include "common/feed/feed_peers.h"

enum {
    TOO_EARLY_MS = 3000
};

struct kw_result __real_kw_feed_seal(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                     const struct kw_private_key *key, struct kw_buf *out,
                                     struct kw_error *err);
struct kw_result __wrap_kw_feed_seal(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                     const struct kw_private_key *key, struct kw_buf *out,
                                     struct kw_error *err);

struct kw_result __wrap_kw_feed_seal(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                     const struct kw_private_key *key, struct kw_buf *out,
                                     struct kw_error *err)
{
    uint64_t last = feed->clock.last;
    struct kw_result result = __real_kw_feed_seal(feed, tx, wall_ms + TOO_EARLY_MS, key, out, err);

    feed->clock.last = last;
    return result;
}
