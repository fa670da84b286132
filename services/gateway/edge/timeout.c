/* Parser of grpc-timeout. The longest value, 99,999,999 hours, is 3.6e20 ns and does not fit in 64
 * bits: what is longer than a clock can say is held at the longest it can. */
#include "services/gateway/edge/timeout.h"

#define DIGITS_MAX 8

static uint64_t unit_ns(uint8_t unit)
{
    switch (unit) {
    case 'H':
        return 3600000000000U;
    case 'M':
        return 60000000000U;
    case 'S':
        return 1000000000U;
    case 'm':
        return 1000000U;
    case 'u':
        return 1000U;
    case 'n':
        return 1U;
    default:
        return 0;
    }
}

struct kw_result kw_edge_timeout_parse(struct kw_bytes text, uint64_t *ret_ns, struct kw_error *err)
{
    uint64_t value = 0;
    uint64_t unit;

    KW_ENSURE(text.len >= 2 && text.len <= DIGITS_MAX + 1, err, METADATA_INVALID,
              "grpc-timeout of %zu characters", text.len);
    for (size_t i = 0; i < text.len - 1; i++) {
        KW_ENSURE(text.data[i] >= '0' && text.data[i] <= '9', err, METADATA_INVALID,
                  "grpc-timeout: not a digit at %zu", i);
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    unit = unit_ns(text.data[text.len - 1]);
    KW_ENSURE(unit != 0, err, METADATA_INVALID, "grpc-timeout: unknown unit");
    if (__builtin_mul_overflow(value, unit, ret_ns)) {
        *ret_ns = UINT64_MAX;
    }
    return KW_OK;
}
