/* Requests as cells tell one another. Key: caller ‖ method u32 ‖ request id. What is asked of a
 * merged record is in common/sync/request_record.h. */
#ifndef KW_SERVICES_AUTHZ_REQUEST_MERGE_H
#define KW_SERVICES_AUTHZ_REQUEST_MERGE_H

#include "common/sync/request_record.h"

extern const struct kw_record_kind kw_authz_request_record;

#endif
