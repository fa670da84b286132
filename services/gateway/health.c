/* What is true: a table says which capability a service needs. */
#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/rpc/messages.h"
#include "services/gateway/health_internal.h"

#include <limits.h>
#include <stdlib.h>

#define SERVING         GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

#define CAPABILITY(name) (1U << KEYWARD__V1__CAPABILITY__CAPABILITY_##name)
#define ANY              UINT_MAX /* some capability is left */

/* A service works when one of these does. Services that are not here need authz alone. */
static const struct {
    const char *service;
    unsigned needs;
} needs[] = {
    {"", ANY},
    {"keyward.v1.DeviceAccessService", CAPABILITY(DEVICE_ACCESS)},
    {"keyward.v1.ProvisioningService", CAPABILITY(PROVISIONING)},
    {"keyward.v1.EnrollmentService", CAPABILITY(ENROLLMENT)},
    {"keyward.v1.PartnerService", CAPABILITY(ENABLING) | CAPABILITY(REVOCATION)},
    {"keyward.v1.StationService", CAPABILITY(ENABLING) | CAPABILITY(REVOCATION)},
    {"keyward.v1.GrantService", CAPABILITY(ENABLING) | CAPABILITY(REVOCATION)},
    {"keyward.v1.KeyService", CAPABILITY(ENABLING) | CAPABILITY(REVOCATION)},
    {"keyward.v1.ReceiptService", CAPABILITY(AUDIT)},
};

/* Answered by the gateway itself, whatever is lost. */
static const char *const own_services[] = {"keyward.v1.StatusService", "grpc.health.v1.Health",
                                           "grpc.reflection.v1.ServerReflection",
                                           "grpc.reflection.v1alpha.ServerReflection"};

static void on_stale(struct kw_timer *timer)
{
    struct kw_health *health = KW_CONTAINER_OF(timer, struct kw_health, fresh);

    health->reported = false;
    kw_health_tell(health);
}

struct kw_result kw_health_new(struct kw_loop *loop, struct kw_health **ret_health,
                               struct kw_error *err)
{
    struct kw_health *health = calloc(1, sizeof(*health));

    KW_ENSURE(health != NULL, err, MEMORY, "health");
    kw_timer_init(&health->fresh, loop, on_stale);
    *ret_health = health;
    return KW_OK;
}

static void on_timer_closed(struct kw_timer *timer)
{
    struct kw_health *health = KW_CONTAINER_OF(timer, struct kw_health, fresh);
    void (*closed)(void *context) = health->closed;
    void *context = health->closed_context;

    free(health);
    closed(context);
}

void kw_health_close(struct kw_health *health, void (*closed)(void *context), void *context)
{
    health->closed = closed;
    health->closed_context = context;
    kw_timer_close(&health->fresh, on_timer_closed);
}

void kw_health_connected(struct kw_health *health, bool connected)
{
    if (health->connected == connected) {
        return;
    }
    health->connected = connected;
    health->reported = false; /* another instance, another state */
    kw_timer_stop(&health->fresh);
    kw_health_tell(health);
}

void kw_health_report(struct kw_health *health, const Keyward__V1__GetStatusResponse *status)
{
    health->capabilities = 0;
    for (size_t i = 0; i < status->n_capabilities; i++) {
        unsigned capability = (unsigned)status->capabilities[i];

        if (capability < sizeof(unsigned) * CHAR_BIT) {
            health->capabilities |= 1U << capability;
        }
    }
    health->reported = true;
    kw_timer_start(&health->fresh, KW_GATEWAY_STATUS_FRESH_MS, 0);
    kw_health_tell(health);
}

static bool is_own(const char *service)
{
    for (size_t i = 0; i < sizeof(own_services) / sizeof(own_services[0]); i++) {
        if (strcmp(service, own_services[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_known(const char *service)
{
    size_t count;
    const ProtobufCServiceDescriptor *const *services = kw_method_services(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(service, services[i]->name) == 0) {
            return true;
        }
    }
    return service[0] == '\0';
}

static bool is_capable(const struct kw_health *health, const char *service)
{
    for (size_t i = 0; health->reported && i < sizeof(needs) / sizeof(needs[0]); i++) {
        if (strcmp(service, needs[i].service) == 0) {
            return (health->capabilities & needs[i].needs) != 0;
        }
    }
    return true;
}

Grpc__Health__V1__HealthCheckResponse__ServingStatus
kw_health_status(const struct kw_health *health, const char *service)
{
    if (is_own(service)) {
        return SERVING;
    }
    if (!is_known(service)) {
        return SERVICE_UNKNOWN;
    }
    return health->connected && is_capable(health, service) ? SERVING : NOT_SERVING;
}
