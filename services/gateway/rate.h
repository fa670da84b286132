/* Rate: how many calls a caller made in the last second. Pure: the time comes in. */
#ifndef KW_SERVICES_GATEWAY_RATE_H
#define KW_SERVICES_GATEWAY_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* A sliding window of one second, approximated by two counts. Zero-initialise. */
struct kw_rate {
    uint64_t second; /* the one that `now` counts */
    uint32_t now;
    uint32_t before; /* in the second before it */
};

/* Counts one call at `now_ms` (any clock that does not go back). False: `per_second` calls are
 * already in the window; the call is not counted, and `ret_retry_ms` (1 to 1,000) says when it is
 * worth trying again. */
bool kw_rate_take(struct kw_rate *rate, uint32_t per_second, uint64_t now_ms,
                  uint32_t *ret_retry_ms);

#endif
