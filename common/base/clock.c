/* The system's clocks, or a test's. */
#include "common/base/clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t system_mono_ns(void *context)
{
    struct timespec ts;

    (void)context;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * KW_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t system_wall_ms(void *context)
{
    struct timespec ts;

    (void)context;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000U + (uint64_t)ts.tv_nsec / 1000000U;
}

static const struct kw_clock system_clock = {system_mono_ns, system_wall_ms, NULL};
static const struct kw_clock *current = &system_clock;

uint64_t kw_clock_mono_ns(void)
{
    return current->mono_ns(current->context);
}

uint64_t kw_clock_wall_ms(void)
{
    return current->wall_ms(current->context);
}

void kw_clock_replace(const struct kw_clock *clock)
{
    current = clock != NULL ? clock : &system_clock;
}
