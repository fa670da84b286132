/* The gateway as one object: what main.c builds, what every call works on. Loop thread only. */
#ifndef KW_SERVICES_GATEWAY_GATEWAY_H
#define KW_SERVICES_GATEWAY_GATEWAY_H

#include "common/loop/process.h"
#include "common/observe/observe.h"
#include "common/rpc/hop.h"
#include "common/rpc/rpc.h"
#include "common/rpc/service_renewal.h"
#include "services/gateway/cache/request_cache.h"
#include "services/gateway/callers.h"
#include "services/gateway/config.h"
#include "services/gateway/descriptors.h"
#include "services/gateway/edge/edge.h"
#include "services/gateway/health.h"
#include "services/gateway/pace.h"
#include "services/gateway/serve.h"

struct kw_gateway {
    const struct kw_gateway_config *config;
    struct kw_loop *loop;
    struct kw_process *process;
    struct kw_rpc *rpc;
    struct kw_hop_client *authz;
    struct kw_service_renewal *renewal;
    struct kw_edge *edge;
    struct kw_request_cache *cache; /* NULL: none is configured */
    struct kw_callers *callers;
    struct kw_pace *paces; /* of each row of the method table */
    struct {
        uint64_t second; /* of the last line about a call that was too many */
        uint64_t untold; /* such calls since */
    } refused;
    struct kw_descriptors *descriptors;
    struct kw_health *health;
    struct kw_observe *observe;
    struct kw_serving *servings; /* every call there is */
    struct kw_buf scratch;       /* for messages that are made and sent at once */
    _Atomic bool connected;      /* to authz; read by the probes' thread */
    struct kw_id boot_id;
    uint64_t start_ms;
    int port;
    bool announced; /* READY was printed: it serves, from here to the core */
};

#endif
