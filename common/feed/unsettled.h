/* For whom a new life of our store waits, and since when: what is to be told of it (feed_settle.h). */
#ifndef KW_COMMON_FEED_UNSETTLED_H
#define KW_COMMON_FEED_UNSETTLED_H

#include "common/base/limits.h"

#include <stdint.h>

/* Plain data; zeroed: for nobody. */
struct kw_unsettled {
    char cell[2 * KW_PLACE_NAME_SIZE]; /* "region/cell" */
    uint64_t since_ms;
    uint64_t told_ms;
};

#endif
