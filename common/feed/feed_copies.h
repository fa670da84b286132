/* Who is to have copies of what we say, and how far they have them, by the tables: for decisions that outlive a
 * process (copies.h has what those wait for that do not). */
#ifndef KW_COMMON_FEED_FEED_COPIES_H
#define KW_COMMON_FEED_FEED_COPIES_H

#include "common/base/arena.h"
#include "common/feed/copies.h"
#include "common/store/store.h"

/* Who asks: a store, and its region. Borrowed. */
struct kw_feed_self {
    struct kw_id store;
    struct kw_bytes region;
};

/* The other members, and how far they hold a lane of ours, to be asked by
 * kw_copies_reached. Who still joins is not asked, who drains is no holder. Nobody waits on it. Read or write job. Fails:
 * as kw_feed_members, LIMIT_REACHED (more than KW_COPY_HOLDERS_MAX are asked). */
struct kw_result kw_feed_copies(struct kw_tx *tx, const struct kw_feed_self *self,
                                struct kw_id lane, struct kw_arena *arena,
                                struct kw_copies *ret_copies, struct kw_error *err);

#endif
