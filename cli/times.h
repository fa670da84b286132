/* Times as people write and read them: RFC 3339, and spans such as 90s, 24h, 7d. */
#ifndef KW_CLI_TIMES_H
#define KW_CLI_TIMES_H

#include "common/base/result.h"

#include <stdint.h>

#define KW_TIME_TEXT_SIZE 40

/* A point in time or a span, as protobuf has them. */
struct kw_time {
    int64_t seconds; /* since 1970-01-01 UTC */
    int32_t nanos;
};

/* "2026-01-01T00:00:00Z", with milliseconds or more digits only where there are any. Returns
 * `text`. */
char *kw_time_text(struct kw_time time, char text[KW_TIME_TEXT_SIZE]);

/* "3600s", "1.500s": as proto3 JSON has it. Returns `text`. */
char *kw_span_text(struct kw_time span, char text[KW_TIME_TEXT_SIZE]);

/* "2026-01-01T00:00:00Z", with or without a fraction, or a span from now: "+24h". Fails:
 * ARGUMENT_INVALID. */
struct kw_result kw_time_parse(const char *text, struct kw_time *ret_time, struct kw_error *err);

/* A whole number and one of s, m, h, d. Fails: ARGUMENT_INVALID. */
struct kw_result kw_span_parse(const char *text, struct kw_time *ret_span, struct kw_error *err);

struct kw_time kw_time_from_ms(uint64_t ms);

#endif
