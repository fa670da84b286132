/* Who a SPIFFE id names, as a resource name: how receipts and facts show callers. */
#ifndef KW_SERVICES_ORCHESTRATOR_CALLER_NAME_H
#define KW_SERVICES_ORCHESTRATOR_CALLER_NAME_H

#include "common/rpc/resource.h"

/* Writes `operators/{opr_…}`, `partners/{prt_…}`, `services/{name}` … into `name`. An invitation is
 * named below `parent` (`partners/{prt_…}`), or below `partners/-` when that is NULL, for its id
 * does not say. Fails: IDENTITY_INVALID (no id of ours). */
struct kw_result kw_caller_name(struct kw_bytes spiffe_id, const char *parent,
                                char name[KW_RESOURCE_NAME_SIZE], struct kw_error *err);

#endif
