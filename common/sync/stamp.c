/* The hybrid clock. */
#include "common/sync/stamp.h"

#define COUNT_BITS 16

struct kw_stamp kw_stamp_next(struct kw_stamp_clock *clock, uint64_t wall_ms)
{
    uint64_t now = wall_ms << COUNT_BITS;

    clock->last = now > clock->last ? now : clock->last + 1;
    return (struct kw_stamp){.hlc = clock->last, .store = clock->store};
}
