/* Timestamps in requests. */
#include "services/orchestrator/time_field.h"

#include "common/rpc/field.h"

struct kw_result kw_time_field(struct kw_call *call, const char *field,
                               const Google__Protobuf__Timestamp *time, uint64_t absent_ms,
                               uint64_t *ret_ms, struct kw_error *err)
{
    if (time == NULL) {
        *ret_ms = absent_ms;
        return KW_OK;
    }
    KW_ENSURE_FIELD(kw_field_time(time, ret_ms), call, field, err, "that is no time");
    return KW_OK;
}
