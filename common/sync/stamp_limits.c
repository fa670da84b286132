/* Limits of the hybrid clock. */
#include "common/sync/stamp_limits.h"

#include "common/base/limits.h"

#define COUNT_BITS 16

static uint64_t ms_of(uint64_t hlc)
{
    return hlc >> COUNT_BITS;
}

uint64_t kw_stamp_ms(const struct kw_stamp *stamp)
{
    return ms_of(stamp->hlc);
}

bool kw_stamp_ahead(const struct kw_stamp *stamp, uint64_t wall_ms)
{
    uint64_t ms = kw_stamp_ms(stamp);

    return ms > wall_ms && ms - wall_ms > KW_STAMP_AHEAD_MS_MAX;
}

bool kw_stamp_receive(struct kw_stamp_clock *clock, const struct kw_stamp *stamp, uint64_t wall_ms)
{
    if (kw_stamp_ahead(stamp, wall_ms)) {
        return false;
    }
    clock->last = stamp->hlc > clock->last ? stamp->hlc : clock->last;
    return true;
}
