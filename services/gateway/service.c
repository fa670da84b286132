/* Building, running and taking apart.
 *
 *     SIGTERM ─▶ GOAWAY, standing calls end ─▶ calls in flight end ─▶ edge closed ─▶ cache closed
 *             ─▶ hop closed ─▶ gRPC closed ─▶ loop ends
 */
#include "services/gateway/service.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pki/certificate.h"
#include "common/pki/spiffe.h"
#include "common/rpc/methods.h"

#include <stdlib.h>

/* --- the hop to authz --- */

static void on_hop_state(bool connected, struct kw_id peer_boot_id, void *context)
{
    struct kw_gateway *gateway = context;

    (void)connected; /* of one stream; what counts is whether any is left */
    gateway->connected = kw_hop_client_connected(gateway->authz);
    if (gateway->connected && !gateway->announced) {
        gateway->announced = true;
        kw_process_ready(gateway->process, "port=%d metrics=%d", gateway->port,
                         kw_observe_port(gateway->observe));
    }
    KW_LOG(INFO, "authz", KW_F_BOOL("connected", gateway->connected),
           KW_F_HEX("boot_id", kw_id_bytes(&peer_boot_id)));
    kw_health_connected(gateway->health, gateway->connected);
}

static void on_readiness(void *context, struct kw_readiness *readiness)
{
    struct kw_gateway *gateway = context;

    kw_readiness_add(readiness, "authz", gateway->connected);
}

/* --- the end --- */

static void on_edge_drained(void *context)
{
    struct kw_gateway *gateway = context;

    kw_process_drained(gateway->process);
}

static void on_drain(void *context)
{
    struct kw_gateway *gateway = context;

    kw_edge_drain(gateway->edge, on_edge_drained, gateway);
    kw_serve_end_standing(gateway);
}

static void rpc_closed(void *context)
{
    struct kw_gateway *gateway = context;

    kw_observe_stop(gateway->observe);
    kw_loop_stop(gateway->loop);
}

static void renewal_closed(void *context)
{
    struct kw_gateway *gateway = context;

    gateway->renewal = NULL;
    kw_rpc_close(gateway->rpc, rpc_closed, gateway);
}

static void health_closed(void *context)
{
    struct kw_gateway *gateway = context;

    gateway->health = NULL;
    kw_service_renewal_close(gateway->renewal, renewal_closed, gateway);
}

/* Only now, because the hop tells health of its own end. */
static void hop_closed(void *context)
{
    struct kw_gateway *gateway = context;

    gateway->authz = NULL;
    gateway->connected = false;
    kw_health_close(gateway->health, health_closed, gateway);
}

static void cache_closed(void *context)
{
    struct kw_gateway *gateway = context;

    gateway->cache = NULL;
    kw_hop_client_close(gateway->authz, hop_closed, gateway);
}

static void edge_closed(void *context)
{
    struct kw_gateway *gateway = context;

    if (gateway->cache != NULL) {
        kw_request_cache_close(gateway->cache, cache_closed, gateway);
    } else {
        cache_closed(gateway);
    }
}

static void on_stop(void *context)
{
    struct kw_gateway *gateway = context;

    kw_edge_close(gateway->edge, edge_closed, gateway);
}

/* --- the beginning --- */

static struct kw_result hop_make(struct kw_gateway *gateway, struct kw_error *err)
{
    const struct kw_gateway_config *config = gateway->config;
    const char *targets[KW_SETTINGS_LIST_MAX + 1] = {NULL};
    struct kw_spiffe authz;
    char peer[KW_SPIFFE_TEXT_SIZE];
    const struct kw_hop_client_options options = {
        .targets = targets,
        .credentials_dir = config->credentials_dir,
        .trust_domain = config->trust_domain,
        .peer = peer,
        .state = on_hop_state,
        .context = gateway,
    };

    for (size_t i = 0; i < config->targets.count; i++) {
        targets[i] = config->targets.items[i];
    }
    KW_TRY(kw_spiffe_service(config->trust_domain, config->region, config->cell, "authz", &authz,
                             err));
    (void)kw_spiffe_text(&authz, peer);
    return kw_hop_client_new(gateway->rpc, &options, &gateway->authz, err);
}

static struct kw_result renewal_start(struct kw_gateway *gateway, struct kw_error *err)
{
    const struct kw_service_renewal_options options = {
        .loop = gateway->loop,
        .credentials_dir = gateway->config->credentials_dir,
        .trust_domain = gateway->config->trust_domain,
        .inner = &gateway->authz,
    };

    return kw_service_renewal_start(&options, &gateway->renewal, err);
}

static struct kw_result cache_make(struct kw_gateway *gateway, struct kw_error *err)
{
    const struct kw_gateway_config *config = gateway->config;
    const struct kw_redis_options options = {.address = config->redis,
                                             .user = config->redis_user,
                                             .password_file = config->redis_password_file,
                                             .tls = config->redis_tls,
                                             .ca_file = config->redis_ca_file};

    if (config->redis == NULL) {
        return KW_OK;
    }
    KW_ENSURE(config->cache_key_file != NULL, err, CONFIG_INVALID,
              "redis needs cache_key_file, so that what it holds can be believed");
    return kw_request_cache_new(gateway->loop, &options, config->cache_key_file, &gateway->cache,
                                err);
}

static struct kw_result edge_make(struct kw_gateway *gateway, struct kw_error *err)
{
    const struct kw_gateway_config *config = gateway->config;
    const struct kw_edge_options options = {
        .listen = config->listen,
        .credentials_dir = config->edge_credentials_dir != NULL ? config->edge_credentials_dir
                                                                : config->credentials_dir,
        .client_ca_file = config->client_ca_file,
        .version = KW_VERSION,
        .region = config->region,
        .handler = kw_serve_handler(gateway),
    };

    return kw_edge_new(gateway->loop, &options, &gateway->edge, &gateway->port, err);
}

/* Reads may be an auditor's: which of the two it is only authz knows. */
static bool is_officer(struct kw_bytes certificate, void *context)
{
    const struct kw_gateway *gateway = context;
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_spiffe id;

    return kw_ok(kw_certificate_from_der(&leaf, certificate, NULL)) &&
           kw_ok(kw_certificate_identity(&leaf, gateway->config->trust_domain, &id, NULL)) &&
           id.role == KW_ROLE_OPERATOR;
}

static struct kw_result paces_make(struct kw_gateway *gateway, struct kw_error *err)
{
    size_t count;

    (void)kw_method_table(&count);
    gateway->paces = calloc(count, sizeof(*gateway->paces));
    KW_ENSURE(gateway->paces != NULL, err, MEMORY, "paces of %zu methods", count);
    return KW_OK;
}

static struct kw_result parts_make(struct kw_gateway *gateway, struct kw_error *err)
{
    const struct kw_gateway_config *config = gateway->config;
    const struct kw_caller_limits limits = {.calls = config->calls_max,
                                            .calls_per_caller = config->caller_calls_max,
                                            .per_second = config->caller_rate_max,
                                            .officer = is_officer,
                                            .context = gateway};

    KW_TRY(kw_callers_new(&limits, &gateway->callers, err));
    KW_TRY(paces_make(gateway, err));
    KW_TRY(kw_descriptors_new(&gateway->descriptors, err));
    KW_TRY(kw_health_new(gateway->loop, &gateway->health, err));
    return cache_make(gateway, err);
}

struct kw_result kw_gateway_start(struct kw_gateway *gateway,
                                  const struct kw_gateway_config *config, struct kw_error *err)
{
    const struct kw_process_hooks hooks = {
        .drain = on_drain, .stop = on_stop, .context = gateway, .grace_ms = config->drain_ms};
    struct kw_observe_hooks observe_hooks = {
        .readiness = on_readiness, .alive = kw_process_alive, .context = gateway};

    gateway->config = config;
    gateway->start_ms = kw_clock_wall_ms();
    KW_TRY(kw_id_random(&gateway->boot_id, err));
    KW_TRY(kw_loop_new(&gateway->loop, err));
    KW_TRY(kw_process_new(gateway->loop, &hooks, &gateway->process, err));
    observe_hooks.process = gateway->process;
    KW_TRY(parts_make(gateway, err));
    KW_TRY(kw_observe_start(config->metrics_listen, &observe_hooks, &gateway->observe, err));
    KW_TRY(kw_rpc_new(gateway->loop, gateway->boot_id, &gateway->rpc, err));
    KW_TRY(hop_make(gateway, err));
    KW_TRY(renewal_start(gateway, err));
    return edge_make(gateway, err);
}

int kw_gateway_run(struct kw_gateway *gateway)
{
    kw_loop_run(gateway->loop);
    return kw_process_end(gateway->process);
}

void kw_gateway_free(struct kw_gateway *gateway)
{
    kw_rpc_free(gateway->rpc);
    kw_loop_free(gateway->loop);
    kw_callers_free(gateway->callers);
    free(gateway->paces);
    kw_descriptors_free(gateway->descriptors);
    kw_buf_done(&gateway->scratch);
}
