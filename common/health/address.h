/* Inside common/health: from where a service listens to where it is asked. Pure. */
#ifndef KW_COMMON_HEALTH_ADDRESS_H
#define KW_COMMON_HEALTH_ADDRESS_H

#include "common/base/limits.h"
#include "common/base/result.h"

struct kw_health_address {
    char host[KW_HEALTH_HOST_SIZE];
    char port[6];
};

/* `listen` is "host:port" or "[v6]:port", as settings have it. Who listens on all addresses is asked on the loopback one. Fails:
 * CONFIG_INVALID (not such a text; port 0, which nobody can know). */
struct kw_result kw_health_address(const char *listen, struct kw_health_address *ret_address,
                                   struct kw_error *err);

#endif
