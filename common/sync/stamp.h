/* Stamps: when, by the hybrid clock, and in which store a field group was last changed. Merging
 * two cells' rows lets the higher stamp win; here they are only written. */
#ifndef KW_COMMON_SYNC_STAMP_H
#define KW_COMMON_SYNC_STAMP_H

#include "common/base/id.h"

struct kw_stamp {
    uint64_t hlc; /* ms since 1970 << 16, and a count of what happened within one */
    struct kw_id store;
};

/* The wall time in a reading of the hybrid clock. */
static inline uint64_t kw_hlc_ms(uint64_t hlc)
{
    return hlc >> 16;
}

/* One for each process. Loop thread. */
struct kw_stamp_clock {
    uint64_t last;
    struct kw_id store;
};

/* Later than every stamp before, also when the wall clock stands still or is set back. */
struct kw_stamp kw_stamp_next(struct kw_stamp_clock *clock, uint64_t wall_ms);

#endif
