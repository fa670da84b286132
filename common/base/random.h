/* Randomness from the kernel (getrandom). Tests may replace it; keys never come from here but from
 * the HSM. */
#ifndef KW_COMMON_BASE_RANDOM_H
#define KW_COMMON_BASE_RANDOM_H

#include "common/base/bytes.h"

/* Fills `out`. Any thread. Fails: SYSTEM. */
struct kw_result kw_random(void *out, size_t len, struct kw_error *err);

/* Replaces the source (tests only; before threads start). NULL restores the kernel's. */
void kw_random_replace(void (*fill)(void *out, size_t len));

#endif
