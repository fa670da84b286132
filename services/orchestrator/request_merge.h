/* Requests as cells tell one another. Key: method u32 ‖ request id ‖ first item u32 ‖ the caller's
 * SPIFFE id. What is asked of a merged record is in common/sync/request_record.h. */
#ifndef KW_SERVICES_ORCHESTRATOR_REQUEST_MERGE_H
#define KW_SERVICES_ORCHESTRATOR_REQUEST_MERGE_H

#include "common/sync/request_record.h"

extern const struct kw_record_kind kw_orch_request_record;

#endif
