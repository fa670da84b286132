/* Rules for texts and times. */
#include "common/rpc/field.h"

#include "common/base/clock.h"

#include <string.h>

#define CONTINUATION_MASK 0xc0U
#define CONTINUATION      0x80U
#define TIME_S_MAX        INT64_C(253402300799) /* the end of year 9999 */
#define MS_PER_S          1000

bool kw_field_printable(const char *text, size_t len_max)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return false;
        }
    }
    return len >= 1 && len <= len_max;
}

size_t kw_field_characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++) {
        count += ((unsigned char)*text & CONTINUATION_MASK) != CONTINUATION ? 1 : 0;
    }
    return count;
}

bool kw_field_time(const Google__Protobuf__Timestamp *time, uint64_t *ret_ms)
{
    if (time->seconds < 0 || time->seconds > TIME_S_MAX || time->nanos < 0 ||
        time->nanos >= (int32_t)KW_NS_PER_S) {
        return false;
    }
    *ret_ms = (uint64_t)time->seconds * MS_PER_S + (uint64_t)time->nanos / KW_NS_PER_MS;
    return true;
}

void kw_field_time_make(uint64_t ms, Google__Protobuf__Timestamp *ret_time)
{
    google__protobuf__timestamp__init(ret_time);
    ret_time->seconds = (int64_t)(ms / MS_PER_S);
    ret_time->nanos = (int32_t)(ms % MS_PER_S * KW_NS_PER_MS);
}
