/* Clocks: the one place that asks what time it is, so that tests can say.
 *
 * Monotonic time is for durations and deadlines; wall time is for what is written down and shown.
 */
#ifndef KW_COMMON_BASE_CLOCK_H
#define KW_COMMON_BASE_CLOCK_H

#include <stdint.h>

#define KW_NS_PER_MS UINT64_C(1000000)
#define KW_NS_PER_S  UINT64_C(1000000000)

struct kw_clock {
    uint64_t (*mono_ns)(void *context);
    uint64_t (*wall_ms)(void *context); /* since 1970-01-01 UTC */
    void *context;
};

uint64_t kw_clock_mono_ns(void);
uint64_t kw_clock_wall_ms(void);

/* Replaces the clock (tests only; before threads start). NULL restores the system's. */
void kw_clock_replace(const struct kw_clock *clock);

#endif
