/* Formatting and parsing of times. */
#include "cli/times.h"

#include "common/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SPAN_MAX (INT64_C(366) * 86400 * 100) /* a century */

/* ".5", ".123", … or nothing: three digits at a time. */
static const char *fraction_text(int32_t nanos, char text[12])
{
    if (nanos == 0) {
        return "";
    }
    (void)snprintf(text, 12, ".%09" PRId32, nanos);
    if (nanos % 1000000 == 0) {
        text[4] = '\0';
    } else if (nanos % 1000 == 0) {
        text[7] = '\0';
    }
    return text;
}

char *kw_time_text(struct kw_time time, char text[KW_TIME_TEXT_SIZE])
{
    time_t seconds = (time_t)time.seconds;
    char fraction[12];
    struct tm tm = {0};
    size_t len;

    (void)gmtime_r(&seconds, &tm);
    len = strftime(text, KW_TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + len, KW_TIME_TEXT_SIZE - len, "%sZ", fraction_text(time.nanos, fraction));
    return text;
}

char *kw_span_text(struct kw_time span, char text[KW_TIME_TEXT_SIZE])
{
    char fraction[12];

    (void)snprintf(text, KW_TIME_TEXT_SIZE, "%" PRId64 "%ss", span.seconds,
                   fraction_text(span.nanos, fraction));
    return text;
}

struct kw_result kw_span_parse(const char *text, struct kw_time *ret_span, struct kw_error *err)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    char *end = NULL;
    long long number = text[0] >= '0' && text[0] <= '9' ? strtoll(text, &end, 10) : 0;
    const char *unit = end != NULL && end[0] != '\0' ? strchr(units, end[0]) : NULL;

    KW_ENSURE(unit != NULL && end[1] == '\0' && number <= SPAN_MAX / seconds[unit - units], err,
              ARGUMENT_INVALID, "\"%s\" is no span such as 90s, 30m, 24h or 7d", text);
    *ret_span = (struct kw_time){.seconds = number * seconds[unit - units]};
    return KW_OK;
}

/* ".123": up to nine digits, or nothing. Moves `*text` behind it. */
static bool fraction_parse(const char **text, int32_t *ret_nanos)
{
    int32_t unit = 100000000;
    const char *at = *text;

    if (*at != '.') {
        return true;
    }
    for (at++; *at >= '0' && *at <= '9' && unit > 0; at++) {
        *ret_nanos += (*at - '0') * unit;
        unit /= 10;
    }
    *text = at;
    return at[-1] != '.';
}

struct kw_result kw_time_parse(const char *text, struct kw_time *ret_time, struct kw_error *err)
{
    struct tm tm = {0};
    const char *end;
    int32_t nanos = 0;

    if (text[0] == '+') {
        KW_TRY(kw_span_parse(text + 1, ret_time, err));
        ret_time->seconds += (int64_t)(kw_clock_wall_ms() / 1000);
        return KW_OK;
    }
    end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    KW_ENSURE(end != NULL && fraction_parse(&end, &nanos) && strcmp(end, "Z") == 0, err,
              ARGUMENT_INVALID, "\"%s\" is no time such as 2026-01-01T00:00:00Z or +24h", text);
    *ret_time = (struct kw_time){.seconds = timegm(&tm), .nanos = nanos};
    return KW_OK;
}

struct kw_time kw_time_from_ms(uint64_t ms)
{
    return (struct kw_time){.seconds = (int64_t)(ms / 1000),
                            .nanos = (int32_t)(ms % 1000) * 1000000};
}
