/* Which of the instances on one database said it. They are one store to all others; but what each counts, or did,
 * must not be taken for another's. */
#ifndef KW_COMMON_FEED_INSTANCE_H
#define KW_COMMON_FEED_INSTANCE_H

#include "common/feed/feed.h"

/* The first one's is the store's id. */
static inline struct kw_id kw_feed_instance(const struct kw_feed *feed)
{
    struct kw_id id = feed->options.store;

    id.bytes[KW_ID_LEN - 1] ^= (uint8_t)feed->options.writer;
    return id;
}

#endif
