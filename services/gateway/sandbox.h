/* The gateway's list of system calls: what is left once it listens. */
#ifndef KW_SERVICES_GATEWAY_SANDBOX_H
#define KW_SERVICES_GATEWAY_SANDBOX_H

#include "common/base/result.h"

/* After everything listens and before the first byte of a stranger is read. All threads. `setting`
 * is "strict" or "off"; `redis` its address or NULL: Unix sockets are allowed when it is a path, and
 * only then. Fails: CONFIG_INVALID, and as kw_sandbox_enter. */
struct kw_result kw_gateway_confine(const char *setting, const char *redis, struct kw_error *err);

#endif
