/* What waits beside the rows: a change, or part of one, that was taken with its lane and is not yet
 * in its row. */
#ifndef KW_COMMON_FEED_WAITING_H
#define KW_COMMON_FEED_WAITING_H

#include "common/base/arena.h"
#include "common/feed/lane.h"

/* Plain data; `record` borrows. */
struct kw_waiting {
    struct kw_id lane;
    struct kw_lane_point point; /* after it: where a lane forks, one number has two changes */
    struct kw_bytes record;     /* KWM1, or what calls itself so */
    uint64_t hlc;               /* when its store said it; 0: that is not known any more */
    bool is_row;                /* of no lane: another store handed it over, and `lane` is its id */
};

#endif
