/* Health as health.c (what is true) and health_call.c (who asks) share it. */
#ifndef KW_SERVICES_GATEWAY_HEALTH_INTERNAL_H
#define KW_SERVICES_GATEWAY_HEALTH_INTERNAL_H

#include "services/gateway/health.h"

struct kw_health_call;

struct kw_health {
    bool connected;
    bool reported;         /* `capabilities` is fresh */
    unsigned capabilities; /* bit n: Capability n works */
    struct kw_timer fresh;
    struct kw_health_call *watchers;
    void (*closed)(void *context);
    void *closed_context;
};

/* Tells every watcher whose state has changed. */
void kw_health_tell(struct kw_health *health);

#endif
