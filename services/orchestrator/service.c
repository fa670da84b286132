/* Building, draining and taking apart.
 *
 *     drain ─▶ no new calls ─▶ the last call ends ─▶ the replicator has heard of it ─▶ drained
 *     stop  ─▶ listener closed ─▶ feed closed ─▶ link to the core closed ─▶ last call ends
 *           ─▶ store closed ─▶ gRPC closed ─▶ stopped
 */
#include "services/orchestrator/service.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/rpc/methods.h"
#include "common/rpc/relay.h"
#include "services/orchestrator/call.h"
#include "services/orchestrator/core_link.h"
#include "services/orchestrator/feed_tables.h"
#include "services/orchestrator/schema.h"

#define BYTES_PER_MIB (1024U * 1024U)

/* --- calls --- */

static void check_drained(struct kw_orch *orch)
{
    if (orch->draining && orch->server_drained && orch->in_flight == 0 && !orch->stopping) {
        orch->draining = false;
        orch->drained(orch->context);
    }
}

static void check_stopped(struct kw_orch *orch);

void kw_orch_call_began(struct kw_orch *orch)
{
    orch->in_flight++;
}

void kw_orch_call_ended(struct kw_orch *orch)
{
    orch->in_flight--;
    check_drained(orch);
    check_stopped(orch);
}

/* --- the end --- */

static void feed_drained(void *context)
{
    struct kw_orch *orch = context;

    orch->server_drained = true;
    check_drained(orch);
}

static void server_drained(void *context)
{
    struct kw_orch *orch = context;

    if (orch->feed_serves) {
        kw_feed_service_drain(orch->feed_service, feed_drained, orch);
    } else {
        feed_drained(orch);
    }
}

void kw_orch_drain(struct kw_orch *orch, void (*drained)(void *context))
{
    orch->draining = true;
    orch->drained = drained;
    kw_feed_service_hurry(orch->feed_service);
    kw_hop_server_drain(orch->server, server_drained, orch);
}

static void rpc_closed(void *context)
{
    struct kw_orch *orch = context;

    orch->stopped(orch->context);
}

static void renewal_closed(void *context)
{
    struct kw_orch *orch = context;

    orch->renewal = NULL;
    kw_rpc_close(orch->rpc, rpc_closed, orch);
}

/* Both hops are closed and no call is left: nothing uses the store any more. */
static void check_stopped(struct kw_orch *orch)
{
    if (!orch->stopping || !orch->link_closed || orch->in_flight > 0) {
        return;
    }
    orch->stopping = false;
    kw_store_close(orch->store);
    orch->store = NULL;
    kw_service_renewal_close(orch->renewal, renewal_closed, orch);
}

static void link_closed(void *context)
{
    struct kw_orch *orch = context;

    orch->link_closed = true;
    check_stopped(orch);
}

static void feed_closed(void *context)
{
    struct kw_orch *orch = context;

    orch->feed_serves = false;
    kw_core_link_close(orch->link, link_closed, orch);
}

static void server_closed(void *context)
{
    struct kw_orch *orch = context;

    orch->server = NULL;
    if (orch->feed_serves) {
        kw_feed_service_close(orch->feed_service, feed_closed, orch);
    } else {
        feed_closed(orch);
    }
}

void kw_orch_stop(struct kw_orch *orch, void (*stopped)(void *context))
{
    orch->stopping = true;
    orch->stopped = stopped;
    kw_hop_server_close(orch->server, server_closed, orch);
}

void kw_orch_done(struct kw_orch *orch)
{
    kw_feed_service_free(orch->feed_service);
    kw_feed_identity_done(&orch->identity);
    kw_officers_trust_done(&orch->officers);
    kw_core_link_free(orch->link);
    kw_rpc_free(orch->rpc);
    kw_seal_verifier_free(orch->seals);
    kw_replay_free(orch->replay);
    kw_credentials_done(&orch->credentials);
    kw_secret_done(&orch->page_key);
}

/* --- the beginning --- */

static struct kw_result name_of(const struct kw_orch_config *config, const char *service,
                                struct kw_spiffe *ret_id, char text[KW_SPIFFE_TEXT_SIZE],
                                struct kw_error *err)
{
    KW_TRY(kw_spiffe_service(config->trust_domain, config->region, config->cell, service, ret_id,
                             err));
    (void)kw_spiffe_text(ret_id, text);
    return KW_OK;
}

static struct kw_result gate_make(struct kw_orch *orch, struct kw_error *err)
{
    const struct kw_orch_config *config = orch->config;
    char text[KW_SPIFFE_TEXT_SIZE];
    struct kw_spiffe authz;

    KW_TRY(kw_credentials_load(&orch->credentials, config->credentials_dir, err));
    KW_TRY(name_of(config, "authz", &authz, text, err));
    KW_TRY(kw_seal_verifier_new(&orch->credentials.trust, &authz, &orch->seals, err));
    KW_TRY(kw_replay_new(KW_REPLAY_IDS_MAX, &orch->replay, err));
    return kw_secret_from_file(&orch->page_key, config->page_key_file, err);
}

struct kw_feed_identity_options kw_orch_identity_options(const struct kw_orch_config *config)
{
    return (struct kw_feed_identity_options){.trust_domain = config->trust_domain,
                                             .region = config->region,
                                             .cell = config->cell,
                                             .service = "orchestrator",
                                             .credentials_dir = config->credentials_dir,
                                             .lane_key_file = config->lane_key_file,
                                             .pki_dir = config->pki_dir};
}

static struct kw_result identity_load(struct kw_orch *orch, struct kw_error *err)
{
    const struct kw_orch_config *config = orch->config;
    const struct kw_feed_identity_options options = kw_orch_identity_options(config);

    KW_ENSURE(config->lane_key_file != NULL || config->feed_listen == NULL, err, CONFIG_INVALID,
              "feed_listen needs lane_key_file");
    return config->lane_key_file != NULL ? kw_feed_identity_load(&orch->identity, &options, err)
                                         : KW_OK;
}

static struct kw_result store_make(struct kw_orch *orch, struct kw_error *err)
{
    const struct kw_store_options options = {
        .path = orch->config->database,
        .url = orch->config->store_url,
        .migrations = kw_orch_migrations,
        .migration_count = kw_orch_migration_count,
        .failed = orch->failed,
        .context = orch->context,
    };

    return kw_store_open(orch->loop, &options, &orch->store, err);
}

static void link_up(void *context)
{
    struct kw_orch *orch = context;

    if (orch->linked != NULL && orch->feed_open) {
        orch->linked(orch->context);
    }
}

static void link_broken(void *context)
{
    struct kw_orch *orch = context;

    if (orch->broken != NULL) {
        orch->broken(orch->context);
    }
}

static struct kw_result link_make(struct kw_orch *orch, struct kw_error *err)
{
    const struct kw_orch_config *config = orch->config;
    const char *const targets[] = {config->targets.items[0], NULL};
    char peer[KW_SPIFFE_TEXT_SIZE];
    struct kw_spiffe core;
    struct kw_core_link_options options = {
        .rpc = orch->rpc,
        .loop = orch->loop,
        .store = orch->store,
        .feed = &orch->feed,
        .targets = targets,
        .credentials_dir = config->credentials_dir,
        .trust_domain = config->trust_domain,
        .peer = peer,
        .boot_id = orch->boot_id,
        .ready = &orch->core_ready,
        .up = link_up,
        .broken = link_broken,
        .context = orch,
    };

    KW_TRY(name_of(config, "cryptocore", &core, peer, err));
    return kw_core_link_new(&options, &orch->link, err);
}

static struct kw_result renewal_start(struct kw_orch *orch, struct kw_error *err)
{
    const struct kw_service_renewal_options options = {
        .loop = orch->loop,
        .credentials_dir = orch->config->credentials_dir,
        .trust_domain = orch->config->trust_domain,
        .inner = kw_core_link_hop(orch->link),
    };

    return kw_service_renewal_start(&options, &orch->renewal, err);
}

static void refuse_joining(struct kw_hop_call *outer)
{
    const struct kw_hop_status status = {
        .reason = KW_E_STORE_JOINING, .field = "", .description = ""};

    kw_metric_add(KW_M_RPC_HANDLED, kw_reason_row(status.reason)->label, 1);
    kw_hop_finish(outer, &status, KW_BYTES_NONE);
}

/* Renewals of the services outside pass by; everything else is a call with a capsule. */
static void on_open(struct kw_hop_call *outer, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    struct kw_orch *orch = context;

    if (open->method == KW_METHOD_RENEW_SERVICE) {
        kw_relay_open(outer, open, *kw_core_link_hop(orch->link));
    } else if (kw_feed_service_joins(orch->feed_service) && open->method != KW_METHOD_GET_STATUS) {
        refuse_joining(outer);
    } else {
        kw_call_open(outer, peer, open, orch);
    }
}

/* Only authz of the own cell may connect. */
static struct kw_result server_make(struct kw_orch *orch, struct kw_error *err)
{
    const struct kw_orch_config *config = orch->config;
    char peer[KW_SPIFFE_TEXT_SIZE];
    const char *const peers[] = {peer, NULL};
    struct kw_spiffe authz;
    const struct kw_hop_server_options options = {
        .listen = config->listen,
        .credentials_dir = config->credentials_dir,
        .trust_domain = config->trust_domain,
        .peers = peers,
        .handler = {.open = on_open, .context = orch},
    };

    KW_TRY(name_of(config, "authz", &authz, peer, err));
    return kw_hop_server_new(orch->rpc, &options, &orch->server, &orch->port, err);
}

static struct kw_result feed_open(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_orch *orch = KW_CONTAINER_OF(job, struct kw_orch, opening);
    const struct kw_feed_options options = {
        .mesh = orch->mesh,
        .store = kw_store_id(orch->store),
        .writer = orch->config->writer,
        .vouchers = orch->config->lane_key_file != NULL ? &orch->identity.trust : NULL,
        .orders = orch->config->lane_key_file != NULL ? &orch->identity.orders : NULL,
        .trust = &orch->officers,
        .tables = kw_orch_feed_tables,
        .table_count = kw_orch_feed_table_count,
        .log = &orch->copies,
        .keep_max = orch->config->feed_keep_max};

    return kw_feed_open(&orch->feed, &options, tx, kw_clock_wall_ms(), err);
}

static void on_held(void *context)
{
    kw_protection_look(context);
}

/* Only the replicator of the own cell may connect. */
static struct kw_result feed_serve(struct kw_orch *orch, struct kw_error *err)
{
    const struct kw_feed_service_options options = {.loop = orch->loop,
                                                    .rpc = orch->rpc,
                                                    .store = orch->store,
                                                    .feed = &orch->feed,
                                                    .identity = &orch->identity,
                                                    .listen = orch->config->feed_listen,
                                                    .keep_ms = KW_FEED_NEWCOMER_MS,
                                                    .inner = kw_core_link_hop(orch->link),
                                                    .held = on_held,
                                                    .context = orch};

    if (options.listen == NULL) {
        return KW_OK;
    }
    KW_TRY(kw_feed_service_start(&options, &orch->feed_service, &orch->feed_port, err));
    orch->feed_serves = true;
    return KW_OK;
}

/* Without a feed nothing can be written. It may be late: everything is being closed by then. */
static void feed_opened(struct kw_store_job *job)
{
    struct kw_orch *orch = KW_CONTAINER_OF(job, struct kw_orch, opening);
    struct kw_result result = job->result;

    if (orch->server == NULL || orch->stopping) {
        return;
    }
    if (kw_ok(result)) {
        result = feed_serve(orch, &job->error);
    }
    if (!kw_ok(result)) {
        orch->failed(&job->error, orch->context);
        return;
    }
    orch->feed_open = true;
    if (orch->core_ready) {
        link_up(orch);
    }
}

/* Comes last, since from now on a thread works on it; and yet before every other write, since they
 * run in the order given and no call is taken before the loop turns. */
static struct kw_result feed_start(struct kw_orch *orch, struct kw_error *err)
{
    orch->copy_options.len_max = (uint64_t)orch->config->receipts_kept_max_mib * BYTES_PER_MIB;
    orch->copies = kw_receipt_copies(&orch->copy_options);
    orch->opening = (struct kw_store_job){.run = feed_open, .done = feed_opened, .vital = true};
    return kw_store_write(orch->store, &orch->opening, err);
}

struct kw_result kw_orch_start(struct kw_orch *orch, struct kw_loop *loop,
                               const struct kw_orch_config *config, struct kw_error *err)
{
    orch->config = config;
    orch->loop = loop;
    orch->start_ms = kw_clock_wall_ms();
    KW_TRY(kw_id_from_setting("mesh", config->mesh, &orch->mesh, err));
    KW_TRY(kw_id_v7(&orch->boot_id, err));
    KW_TRY(gate_make(orch, err));
    KW_TRY(identity_load(orch, err));
    KW_TRY(kw_officers_trust_load(&orch->officers, config->pki_dir, config->trust_domain, err));
    KW_TRY(store_make(orch, err));
    KW_TRY(kw_rpc_new(loop, orch->boot_id, &orch->rpc, err));
    KW_TRY(link_make(orch, err));
    KW_TRY(renewal_start(orch, err));
    KW_TRY(server_make(orch, err));
    return feed_start(orch, err);
}
