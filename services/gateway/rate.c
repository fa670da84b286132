/* The window: this second's count, and of the last second's the part that still lies within. */
#include "services/gateway/rate.h"

#define WINDOW_MS 1000U

static void advance(struct kw_rate *rate, uint64_t second)
{
    if (second == rate->second) {
        return;
    }
    rate->before = second == rate->second + 1 ? rate->now : 0;
    rate->now = 0;
    rate->second = second;
}

bool kw_rate_take(struct kw_rate *rate, uint32_t per_second, uint64_t now_ms,
                  uint32_t *ret_retry_ms)
{
    uint32_t into_ms = (uint32_t)(now_ms % WINDOW_MS);
    uint64_t within;

    advance(rate, now_ms / WINDOW_MS);
    within = rate->now + (uint64_t)rate->before * (WINDOW_MS - into_ms) / WINDOW_MS;
    if (within >= per_second) {
        *ret_retry_ms = WINDOW_MS - into_ms;
        return false;
    }
    rate->now++;
    return true;
}
