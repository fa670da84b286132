/* Health: grpc.health.v1, answered here. It believes two things: whether authz is connected, and
 * what the last GetStatus that passed by said, for KW_GATEWAY_STATUS_FRESH_MS. */
#ifndef KW_SERVICES_GATEWAY_HEALTH_H
#define KW_SERVICES_GATEWAY_HEALTH_H

#include "grpc/health/v1/health.pb-c.h"
#include "keyward/v1/status_service.pb-c.h"
#include "services/gateway/serve.h"

struct kw_health;

/* Fails: MEMORY. Loop thread, like all of it. Release by kw_health_close; it has no calls then. */
struct kw_result kw_health_new(struct kw_loop *loop, struct kw_health **ret_health,
                               struct kw_error *err);
void kw_health_close(struct kw_health *health, void (*closed)(void *context), void *context);

/* The hop to authz came or went. Watchers are told what it means. */
void kw_health_connected(struct kw_health *health, bool connected);

/* The layers inside said how they are. */
void kw_health_report(struct kw_health *health, const Keyward__V1__GetStatusResponse *status);

/* The state of "", of a service of ours, or of one that is not known (SERVICE_UNKNOWN). */
Grpc__Health__V1__HealthCheckResponse__ServingStatus
kw_health_status(const struct kw_health *health, const char *service);

/* grpc.health.v1.Health's Check and Watch (struct kw_route). */
struct kw_result kw_health_open(struct kw_gateway *gateway, const struct kw_edge_open *open,
                                struct kw_serving **ret_serving, struct kw_error *err);

#endif
