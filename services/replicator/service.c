/* Building, draining and taking apart. */
#include "services/replicator/service_internal.h"

#include "common/base/container.h"
#include "common/base/limits.h"

#include <stdlib.h>

enum {
    SHOW_TICKS = 10, /* metrics that are looked up are so every so many ticks */
};

/* --- time --- */

static void on_tick(struct kw_timer *timer)
{
    struct kw_replicator_service *service =
        KW_CONTAINER_OF(timer, struct kw_replicator_service, tick);

    kw_replicator_tick(service->mind, kw_carry_now_ms());
    kw_questions_tick(service);
    if (service->ticks++ % SHOW_TICKS == 0) {
        kw_show(service);
    }
}

/* --- the end --- */

static void rpc_closed(void *context)
{
    struct kw_replicator_service *service = context;

    service->events.stopped(service->events.context);
}

static void renewal_closed(void *context)
{
    struct kw_replicator_service *service = context;

    service->renewal = NULL;
    if (service->rpc != NULL) {
        kw_rpc_close(service->rpc, rpc_closed, service);
    } else {
        rpc_closed(service);
    }
}

static void tick_closed(struct kw_timer *timer)
{
    struct kw_replicator_service *service =
        KW_CONTAINER_OF(timer, struct kw_replicator_service, tick);

    kw_service_renewal_close(service->renewal, renewal_closed, service);
}

/* One after the other; then the rest. */
static void close_owners(void *context)
{
    struct kw_replicator_service *service = context;

    for (size_t i = 0; i < KW_OWNER_COUNT_; i++) {
        struct kw_owner_client *owner = service->owners[i];

        if (owner != NULL && *kw_owner_hop(owner) != NULL) {
            kw_owner_close(owner, close_owners, service);
            return;
        }
    }
    kw_timer_close(&service->tick, tick_closed);
}

void kw_replicator_service_stop(struct kw_replicator_service *service)
{
    kw_timer_stop(&service->tick);
    if (service->peers != NULL) {
        kw_peers_close(service->peers, close_owners, service);
    } else {
        close_owners(service);
    }
}

static void on_drained(void *context)
{
    struct kw_replicator_service *service = context;

    service->events.drained(service->events.context);
}

void kw_replicator_service_drain(struct kw_replicator_service *service)
{
    atomic_store(&service->draining, true);
    kw_peers_drain(service->peers, on_drained, service);
}

void kw_replicator_service_free(struct kw_replicator_service *service)
{
    if (service == NULL) {
        return;
    }
    for (size_t i = 0; i < KW_OWNER_COUNT_; i++) {
        kw_owner_free(service->owners[i]);
    }
    kw_peers_free(service->peers);
    kw_questions_done(service);
    kw_replicator_free(service->mind);
    kw_cells_done(&service->cells);
    kw_rpc_free(service->rpc);
    free(service);
}

/* --- the beginning --- */

int kw_replicator_service_port(const struct kw_replicator_service *service)
{
    return service->port;
}

bool kw_replicator_service_has(struct kw_replicator_service *service, enum kw_owner owner)
{
    return atomic_load(&service->has[owner]) && !atomic_load(&service->draining);
}

static struct kw_result mind_start(struct kw_replicator_service *service, struct kw_error *err)
{
    struct kw_replicator_options options = {
        .mesh = service->mesh,
        .us = service->cells.us,
        .cells = kw_cells_places(&service->cells),
        .io = kw_carry_io,
    };

    options.io.context = service;
    return kw_replicator_new(&options, &service->mind, err);
}

static struct kw_result owner_start(struct kw_replicator_service *service, enum kw_owner owner,
                                    const char *target, struct kw_error *err)
{
    const struct kw_owner_options options = {
        .rpc = service->rpc,
        .loop = service->loop,
        .owner = owner,
        .target = target,
        .credentials_dir = service->config->credentials_dir,
        .trust_domain = service->config->trust_domain,
        .region = service->config->region,
        .cell = service->config->cell,
        .events = kw_carry_owner_events,
        .context = service,
    };

    return kw_owner_new(&options, &service->owners[owner], err);
}

static struct kw_result peers_start(struct kw_replicator_service *service, struct kw_error *err)
{
    const struct kw_peers_options options = {
        .rpc = service->rpc,
        .loop = service->loop,
        .cells = &service->cells,
        .listen = service->config->listen,
        .credentials_dir = service->config->credentials_dir,
        .trust_domain = service->config->trust_domain,
        .events = kw_carry_peers_events,
        .context = service,
    };

    return kw_peers_new(&options, &service->peers, &service->port, err);
}

bool kw_replicator_service_linked(const struct kw_replicator_service *service,
                                  const struct kw_place *place)
{
    return kw_peers_linked(service->peers, place);
}

/* By the orchestrator, which is a step nearer to the core. */
static struct kw_result renewal_start(struct kw_replicator_service *service, struct kw_error *err)
{
    const struct kw_service_renewal_options options = {
        .loop = service->loop,
        .credentials_dir = service->config->credentials_dir,
        .trust_domain = service->config->trust_domain,
        .inner = kw_owner_hop(service->owners[KW_OWNER_ORCHESTRATOR]),
    };

    return kw_service_renewal_start(&options, &service->renewal, err);
}

static struct kw_result parts_make(struct kw_replicator_service *service, struct kw_error *err)
{
    const struct kw_replicator_config *config = service->config;
    struct kw_id boot_id;

    KW_TRY(kw_id_from_setting("mesh", service->config->mesh, &service->mesh, err));
    KW_TRY(kw_cells_read(&config->cells, config->region, config->cell, &service->cells, err));
    KW_TRY(mind_start(service, err));
    KW_TRY(kw_id_v7(&boot_id, err));
    KW_TRY(kw_rpc_new(service->loop, boot_id, &service->rpc, err));
    KW_TRY(owner_start(service, KW_OWNER_AUTHZ, config->authz, err));
    KW_TRY(owner_start(service, KW_OWNER_ORCHESTRATOR, config->orchestrator, err));
    KW_TRY(peers_start(service, err));
    KW_TRY(renewal_start(service, err));
    kw_timer_start(&service->tick, KW_LINK_TICK_MS, KW_LINK_TICK_MS);
    return KW_OK;
}

struct kw_result kw_replicator_service_new(struct kw_loop *loop,
                                           const struct kw_replicator_config *config,
                                           const struct kw_replicator_events *events,
                                           struct kw_replicator_service **ret_service,
                                           struct kw_error *err)
{
    struct kw_replicator_service *service = calloc(1, sizeof(*service));

    *ret_service = service;
    KW_ENSURE(service != NULL, err, MEMORY, "service");
    service->loop = loop;
    service->config = config;
    service->events = *events;
    kw_timer_init(&service->tick, loop, on_tick);
    return parts_make(service, err);
}
