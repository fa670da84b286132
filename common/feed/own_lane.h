/* Our own lane within one write job: locked, and its row written, once, however many changes the job makes.
 * Each of them is in the log at once; how far the lane is, is in its row when the job ends, or when
 * somebody looks (lane_table.c). Of a job that fails nothing is left. */
#ifndef KW_COMMON_FEED_OWN_LANE_H
#define KW_COMMON_FEED_OWN_LANE_H

#include "common/feed/lane_table.h"

struct kw_own_lane {
    struct kw_tx_late late; /* not owed: the rest is of a job that has ended */
    bool may_write;         /* we do not join: the job has looked */
    bool is_locked;         /* `row` is the present lane's */
    bool has_moved;         /* and not what is stored any more */
    struct kw_lane_row row;
};

#endif
