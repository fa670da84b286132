/* Building, draining and taking apart. */
#include "services/authz/service.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/feed_service/feed_service.h"
#include "common/rpc/relay.h"
#include "common/rpc/rpc.h"
#include "common/rpc/service_renewal.h"
#include "services/authz/call.h"
#include "services/authz/link.h"
#include "services/authz/load.h"
#include "services/authz/schema.h"

#include <stdlib.h>

struct kw_authz_service {
    struct kw_authz authz;
    struct kw_authz_events events;
    struct kw_authz_load load;
    struct kw_rpc *rpc;
    struct kw_hop_server *server;
    struct kw_feed_identity identity; /* zeroed: nothing is replicated */
    struct kw_feed_service *feed;     /* of the replicator; closed when `feed_serves` is false */
    bool feed_serves;
    int feed_port;
    struct kw_service_renewal *renewal; /* of the own certificate */
    struct kw_timer reload;             /* looks for a renewed one, to seal capsules with */
    bool loading;                       /* `loaded` is still to come */
    bool stopping;
};

/* --- the end --- */

static void rpc_closed(void *context)
{
    struct kw_authz_service *service = context;

    service->events.stopped(service->events.context);
}

static void renewal_closed(void *context)
{
    struct kw_authz_service *service = context;

    service->renewal = NULL;
    if (service->rpc != NULL) {
        kw_rpc_close(service->rpc, rpc_closed, service);
    } else {
        rpc_closed(service);
    }
}

static void reload_closed(struct kw_timer *timer)
{
    struct kw_authz_service *service = KW_CONTAINER_OF(timer, struct kw_authz_service, reload);

    kw_service_renewal_close(service->renewal, renewal_closed, service);
}

/* All is written down: nothing uses the store any more. */
static void diary_idle(void *context)
{
    struct kw_authz_service *service = context;

    kw_store_close(service->authz.store);
    service->authz.store = NULL;
    kw_diary_done(&service->authz.diary);
    kw_timer_close(&service->reload, reload_closed);
}

static void calls_gone(void *context)
{
    struct kw_authz_service *service = context;

    service->authz.calls_gone = NULL;
    if (service->authz.diary.store != NULL) {
        kw_diary_finish(&service->authz.diary, diary_idle, service);
    } else {
        diary_idle(service);
    }
}

/* The hop told its calls that it is over; what they still do at the store ends by itself. */
static void link_closed(void *context)
{
    struct kw_authz_service *service = context;
    struct kw_authz *authz = &service->authz;

    authz->inner = NULL;
    authz->calls_gone = calls_gone;
    authz->context = service;
    if (authz->calls == 0) {
        calls_gone(service);
    }
}

static void feed_closed(void *context)
{
    struct kw_authz_service *service = context;

    service->feed_serves = false;
    if (service->authz.inner != NULL) {
        kw_hop_client_close(service->authz.inner, link_closed, service);
    } else {
        link_closed(service);
    }
}

static void server_closed(void *context)
{
    struct kw_authz_service *service = context;

    service->server = NULL;
    if (service->feed_serves) {
        kw_feed_service_close(service->feed, feed_closed, service);
    } else {
        feed_closed(service);
    }
}

static void close_listener(struct kw_authz_service *service)
{
    if (service->server != NULL) {
        kw_hop_server_close(service->server, server_closed, service);
    } else {
        server_closed(service);
    }
}

void kw_authz_service_stop(struct kw_authz_service *service)
{
    service->stopping = true;
    if (!service->loading) {
        close_listener(service);
    }
}

static void feed_drained(void *context)
{
    struct kw_authz_service *service = context;

    service->events.drained(service->events.context);
}

/* What the last calls changed is told, too. */
static void server_drained(void *context)
{
    struct kw_authz_service *service = context;

    if (service->feed_serves) {
        kw_feed_service_drain(service->feed, feed_drained, service);
    } else {
        feed_drained(service);
    }
}

void kw_authz_service_drain(struct kw_authz_service *service)
{
    atomic_store(&service->authz.draining, true);
    kw_feed_service_hurry(service->feed);
    if (service->server != NULL) {
        kw_hop_server_drain(service->server, server_drained, service);
    } else {
        server_drained(service);
    }
}

void kw_authz_service_free(struct kw_authz_service *service)
{
    if (service == NULL) {
        return;
    }
    kw_feed_service_free(service->feed);
    kw_feed_identity_done(&service->identity);
    kw_authz_load_done(&service->load);
    kw_capsules_done(&service->authz.capsules);
    kw_caller_cache_free(service->authz.callers);
    kw_secret_done(&service->authz.page_key);
    kw_rpc_free(service->rpc);
    free(service);
}

struct kw_authz *kw_authz_service_inside(struct kw_authz_service *service)
{
    return &service->authz;
}

int kw_authz_service_feed_port(const struct kw_authz_service *service)
{
    return service->feed_port;
}

bool kw_authz_service_joined(const struct kw_authz_service *service)
{
    return !kw_feed_service_joins(service->feed);
}

bool kw_authz_service_linked(struct kw_authz_service *service)
{
    return atomic_load(&service->authz.linked) && !atomic_load(&service->authz.draining);
}

/* --- the key that signs capsules --- */

static struct kw_result credentials_take(struct kw_authz *authz, struct kw_error *err)
{
    KW_SCOPED(kw_credentials_done) struct kw_credentials credentials = {0};

    KW_TRY(kw_credentials_load(&credentials, authz->config->credentials_dir, err));
    return kw_capsules_renew(&authz->capsules, &credentials, err);
}

/* The hops' own are reloaded by gRPC. */
static void on_reload(struct kw_timer *timer)
{
    struct kw_authz_service *service = KW_CONTAINER_OF(timer, struct kw_authz_service, reload);
    struct kw_error error;

    if (!kw_ok(credentials_take(&service->authz, &error))) {
        KW_LOG(WARN, "credentials not reloaded", KW_F_ERR(&error));
    }
}

/* --- the beginning --- */

static void on_link_up(struct kw_authz *authz)
{
    struct kw_authz_service *service = KW_CONTAINER_OF(authz, struct kw_authz_service, authz);

    if (service->events.linked != NULL) {
        service->events.linked(service->events.context);
    }
}

static void on_open(struct kw_hop_call *call, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    struct kw_authz_service *service = context;

    (void)peer; /* the listener lets nobody but the gateway in */
    if (open->method == KW_METHOD_RENEW_SERVICE) {
        kw_relay_open(call, open, service->authz.inner);
    } else {
        kw_authz_call_open(call, open, &service->authz);
    }
}

/* Only gateways of the own cell may connect. */
static struct kw_result listen_start(struct kw_authz_service *service, int *ret_port,
                                     struct kw_error *err)
{
    const struct kw_authz_config *config = service->authz.config;
    char peer[KW_SPIFFE_TEXT_SIZE];
    const char *const peers[] = {peer, NULL};
    struct kw_spiffe gateway;
    const struct kw_hop_server_options options = {
        .listen = config->listen,
        .credentials_dir = config->credentials_dir,
        .trust_domain = config->trust_domain,
        .peers = peers,
        .handler = {.open = on_open, .context = service},
    };

    KW_TRY(kw_spiffe_service(config->trust_domain, config->region, config->cell, "gateway",
                             &gateway, err));
    (void)kw_spiffe_text(&gateway, peer);
    return kw_hop_server_new(service->rpc, &options, &service->server, ret_port, err);
}

/* Only the replicator of the own cell may connect. */
static struct kw_result feed_start(struct kw_authz_service *service, struct kw_error *err)
{
    const struct kw_feed_service_options options = {
        .loop = service->authz.loop,
        .rpc = service->rpc,
        .store = service->authz.store,
        .feed = &service->authz.feed,
        .identity = &service->identity,
        .listen = service->authz.config->feed_listen,
        .keep_ms = KW_FEED_NEWCOMER_MS,
    };

    if (options.listen == NULL) {
        return KW_OK;
    }
    KW_TRY(kw_feed_service_start(&options, &service->feed, &service->feed_port, err));
    service->feed_serves = true;
    service->authz.feed_service = service->feed;
    return KW_OK;
}

static struct kw_result renewal_start(struct kw_authz_service *service, struct kw_error *err)
{
    const struct kw_service_renewal_options options = {
        .loop = service->authz.loop,
        .credentials_dir = service->authz.config->credentials_dir,
        .trust_domain = service->authz.config->trust_domain,
        .inner = &service->authz.inner,
    };

    kw_timer_start(&service->reload, KW_CREDENTIALS_CHECK_MS, KW_CREDENTIALS_CHECK_MS);
    return kw_service_renewal_start(&options, &service->renewal, err);
}

static struct kw_result serve(struct kw_authz_service *service, int *ret_port, struct kw_error *err)
{
    struct kw_authz *authz = &service->authz;

    KW_TRY(kw_diary_start(&authz->diary, authz->loop, authz->store, &authz->feed, authz->boot_id,
                          err));
    KW_TRY(kw_link_start(authz, service->rpc, err));
    KW_TRY(renewal_start(service, err));
    KW_TRY(listen_start(service, ret_port, err));
    return feed_start(service, err);
}

static void on_loaded(void *context, struct kw_result result, const struct kw_error *error)
{
    struct kw_authz_service *service = context;
    const struct kw_authz_events *events = &service->events;
    struct kw_error own = *error;
    int port = 0;

    service->loading = false;
    if (service->stopping) {
        close_listener(service);
        return;
    }
    if (kw_ok(result)) {
        result = serve(service, &port, &own);
    }
    if (kw_ok(result)) {
        events->started(port, events->context);
    } else {
        events->failed(&own, events->context);
    }
}

/* Nothing is acknowledged any more; what was is on disk. */
static void store_failed(const struct kw_error *error, void *context)
{
    struct kw_authz_service *service = context;

    service->events.failed(error, service->events.context);
}

static struct kw_result store_open(struct kw_authz_service *service, struct kw_error *err)
{
    struct kw_authz *authz = &service->authz;
    const struct kw_store_options options = {
        .path = authz->config->database,
        .url = authz->config->store_url,
        .migrations = kw_authz_migrations,
        .migration_count = kw_authz_migration_count,
        .failed = store_failed,
        .context = service,
    };

    KW_TRY(kw_store_open(authz->loop, &options, &authz->store, err));
    return KW_OK;
}

struct kw_feed_identity_options kw_authz_identity_options(const struct kw_authz_config *config)
{
    return (struct kw_feed_identity_options){
        .trust_domain = config->trust_domain,
        .region = config->region,
        .cell = config->cell,
        .service = "authz",
        .credentials_dir = config->credentials_dir,
        .lane_key_file = config->lane_key_file,
        .pki_dir = config->pki_dir,
    };
}

static struct kw_result identity_load(struct kw_authz_service *service, struct kw_error *err)
{
    const struct kw_authz_config *config = service->authz.config;
    const struct kw_feed_identity_options options = kw_authz_identity_options(config);

    KW_ENSURE(config->lane_key_file != NULL || config->feed_listen == NULL, err, CONFIG_INVALID,
              "feed_listen needs lane_key_file");
    if (config->lane_key_file == NULL) {
        return KW_OK;
    }
    KW_TRY(kw_feed_identity_load(&service->identity, &options, err));
    service->load.vouchers = &service->identity.trust;
    service->load.orders = &service->identity.orders;
    return KW_OK;
}

static struct kw_result page_key_make(struct kw_secret *key, struct kw_error *err)
{
    KW_TRY(kw_secret_init(key, KW_SHA256_LEN, err));
    return kw_random(key->slot, key->len, err);
}

static struct kw_result parts_make(struct kw_authz_service *service, struct kw_error *err)
{
    struct kw_authz *authz = &service->authz;

    KW_TRY(kw_id_v7(&authz->boot_id, err));
    KW_TRY(page_key_make(&authz->page_key, err));
    KW_TRY(kw_caller_cache_new(&authz->callers, err));
    KW_TRY(credentials_take(authz, err));
    KW_TRY(identity_load(service, err));
    KW_TRY(kw_rpc_new(authz->loop, authz->boot_id, &service->rpc, err));
    KW_TRY(store_open(service, err));
    KW_TRY(kw_authz_load_start(&service->load, err));
    service->loading = true;
    return KW_OK;
}

struct kw_result kw_authz_service_new(struct kw_loop *loop, const struct kw_authz_config *config,
                                      const struct kw_authz_events *events,
                                      struct kw_authz_service **ret_service, struct kw_error *err)
{
    struct kw_authz_service *service = calloc(1, sizeof(*service));

    *ret_service = service;
    KW_ENSURE(service != NULL, err, MEMORY, "service");
    service->events = *events;
    service->authz.config = config;
    service->authz.loop = loop;
    service->authz.started_ms = kw_clock_wall_ms();
    service->authz.link_up = on_link_up;
    service->load.authz = &service->authz;
    service->load.loaded = on_loaded;
    service->load.context = service;
    kw_capsules_init(&service->authz.capsules, loop, config->region, config->cell,
                     &service->authz.diary.witness);
    kw_timer_init(&service->reload, loop, on_reload);
    return parts_make(service, err);
}
