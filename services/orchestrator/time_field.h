/* Timestamps in requests. */
#ifndef KW_SERVICES_ORCHESTRATOR_TIME_FIELD_H
#define KW_SERVICES_ORCHESTRATOR_TIME_FIELD_H

#include "services/orchestrator/call.h"

/* Milliseconds since 1970 of an optional timestamp. Fails: ARGUMENT_INVALID (not from 1970 to
 * 9999), blaming the field. */
struct kw_result kw_time_field(struct kw_call *call, const char *field,
                               const Google__Protobuf__Timestamp *time, uint64_t absent_ms,
                               uint64_t *ret_ms, struct kw_error *err);

#endif
