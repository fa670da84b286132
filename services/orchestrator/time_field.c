/* Timestamps in requests. */
#include "services/orchestrator/time_field.h"

#define MS_PER_S  1000
#define NS_PER_MS 1000000
#define NS_PER_S  1000000000

struct kw_result kw_time_field(struct kw_call *call, const char *field,
                               const Google__Protobuf__Timestamp *time, uint64_t absent_ms,
                               uint64_t *ret_ms, struct kw_error *err)
{
    if (time == NULL) {
        *ret_ms = absent_ms;
        return KW_OK;
    }
    KW_ENSURE_FIELD(time->nanos >= 0 && time->nanos < NS_PER_S &&
                        time->seconds < INT64_MAX / MS_PER_S - 1,
                    call, field, err, "that is no time");
    *ret_ms = time->seconds < 0
                  ? 0
                  : (uint64_t)time->seconds * MS_PER_S + (uint64_t)(time->nanos / NS_PER_MS);
    return KW_OK;
}
