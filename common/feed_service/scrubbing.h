/* Scrubbing: now and then a few rows are held against what they were when they were written, all of them in the
 * end (common/feed/feed_scrub.h). What is damaged is marked, and comes from a neighbour. */
#ifndef KW_COMMON_FEED_SERVICE_SCRUBBING_H
#define KW_COMMON_FEED_SERVICE_SCRUBBING_H

#include "common/feed/feed_scrub.h"

struct kw_feed_service;

struct kw_feed_scrubbing {
    struct kw_scrub_place place;
    struct kw_scrub found;
    bool running;
    uint64_t due_ns;
};

/* Looks at the next rows, if it is time. */
void kw_feed_scrubbing_tend(struct kw_feed_service *service);

#endif
