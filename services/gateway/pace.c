/* Little's law: who has n before it waits n + 1 places. A few calls are no queue: what they take is
 * the work itself, or something that hangs, and says nothing of what comes after them. */
#include "services/gateway/pace.h"

#include "common/base/limits.h"

#define KNOWN_NS  (KW_GATEWAY_PACE_MS * 1000000ULL)
#define SMOOTHING 16U
#define MARGIN_OF 4U /* a quarter of the time is for what goes worse than expected */

static bool is_known(const struct kw_pace *pace, uint64_t now_ns)
{
    return now_ns - pace->seen_ns <= KNOWN_NS;
}

uint64_t kw_pace_wait_ns(const struct kw_pace *pace, uint64_t now_ns)
{
    return is_known(pace, now_ns) ? pace->place_ns * (pace->in_flight + 1ULL) : 0;
}

bool kw_pace_admits(const struct kw_pace *pace, uint64_t left_ns, uint64_t now_ns)
{
    return pace->in_flight < KW_GATEWAY_PACE_QUEUE ||
           kw_pace_wait_ns(pace, now_ns) <= left_ns - left_ns / MARGIN_OF;
}

uint32_t kw_pace_enter(struct kw_pace *pace)
{
    return pace->in_flight++;
}

void kw_pace_leave(struct kw_pace *pace, uint32_t ahead, bool answered, uint64_t took_ns,
                   uint64_t now_ns)
{
    uint64_t place_ns = took_ns / (ahead + 1ULL);

    pace->in_flight--;
    if (ahead < KW_GATEWAY_PACE_QUEUE || (!answered && place_ns <= pace->place_ns)) {
        return;
    }
    if (!is_known(pace, now_ns) || pace->place_ns == 0) {
        pace->place_ns = place_ns;
    } else {
        pace->place_ns = (pace->place_ns * (SMOOTHING - 1U) + place_ns) / SMOOTHING;
    }
    pace->seen_ns = now_ns;
}
