/* What a fenced store said beyond what is honoured of it, taken out of its own database as a bundle (orphans.h), for an
 * officer to bring to a cell that lives (feed_replay.h). */
#ifndef KW_COMMON_FEED_FEED_ORPHANS_H
#define KW_COMMON_FEED_FEED_ORPHANS_H

#include "common/crypto/sign.h"
#include "common/feed/feed.h"

/* How much it is. */
struct kw_feed_orphans {
    size_t lanes;
    uint64_t changes;
};

/* Appends the bundle: of each lane of our store what lies beyond its fence, signed with the lanes' key. A store that has
 * not heard that it is fenced gives all that it keeps: who takes it knows the fence. Read or write job. Fails: as the
 * store, MEMORY, CRYPTO, INTERNAL (what is stored is damaged); LIMIT_REACHED (more than KW_ORPHAN_LANES_MAX lanes, or
 * KW_ORPHANS_LEN_MAX bytes). */
struct kw_result kw_feed_orphans(const struct kw_feed *feed, struct kw_tx *tx,
                                 const struct kw_private_key *key, uint64_t wall_ms,
                                 struct kw_buf *out, struct kw_feed_orphans *ret_orphans,
                                 struct kw_error *err);

#endif
