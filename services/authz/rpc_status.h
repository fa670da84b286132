/* google.rpc.Status of one item of a batch: what the unary call's status and details would be. */
#ifndef KW_SERVICES_AUTHZ_RPC_STATUS_H
#define KW_SERVICES_AUTHZ_RPC_STATUS_H

#include "common/base/arena.h"
#include "google/rpc/status.pb-c.h"

/* With one ErrorInfo of our domain, and a RetryInfo unless `retry_ms` is 0. In the arena. Fails:
 * MEMORY. */
struct kw_result kw_rpc_status_make(enum kw_reason reason, uint32_t retry_ms,
                                    struct kw_arena *arena, Google__Rpc__Status **ret_status,
                                    struct kw_error *err);

/* The reason in a status of ours; INTERNAL when it has none that we know. */
enum kw_reason kw_rpc_status_reason(const Google__Rpc__Status *status, struct kw_arena *arena);

#endif
