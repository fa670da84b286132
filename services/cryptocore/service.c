/* Building, running and taking apart.
 *
 *     SIGTERM ─▶ no new calls ─▶ calls in flight end ─▶ chains closed ─▶ hop closed
 *             ─▶ workers ended ─▶ loop ends
 */
#include "services/cryptocore/service.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "services/cryptocore/call.h"
#include "services/cryptocore/renew_service.h"
#include "services/cryptocore/status.h"

#include <stdio.h>

#define FAREWELL_MS 1000U

/* --- calls --- */

static void on_open(struct kw_hop_call *hop, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    struct kw_core *core = context;

    if (open->method == KW_METHOD_RECEIPTS) {
        kw_ledger_serve(core->ledger, peer->boot_id, hop);
    } else if (open->method == KW_METHOD_GET_STATUS) {
        kw_core_status_answer(hop, core);
    } else if (kw_process_draining(core->process)) {
        kw_hop_finish(
            hop, &(struct kw_hop_status){.reason = KW_E_DRAINING, .field = "", .description = ""},
            KW_BYTES_NONE);
    } else if (open->method == KW_METHOD_RENEW_SERVICE) {
        kw_core_renew_open(hop, open, core);
    } else {
        kw_core_call_open(hop, peer, open, core);
    }
}

void kw_core_call_ended(struct kw_core *core)
{
    core->in_flight--;
    if (core->in_flight == 0 && kw_process_draining(core->process)) {
        kw_process_drained(core->process);
    }
}

/* --- the HSM's state --- */

static void on_hsm_state(void *context, enum kw_hsm_state state)
{
    struct kw_core *core = context;

    core->hsm_ready = state == KW_HSM_READY;
    KW_LOG(INFO, "hsm state", KW_F_BOOL("ready", state == KW_HSM_READY),
           KW_F_U64("state", (uint64_t)state));
    if (state == KW_HSM_READY && !core->announced) {
        core->announced = true;
        kw_process_ready(core->process, "port=%d metrics=%d", core->port,
                         kw_observe_port(core->observe));
    }
}

static void on_readiness(void *context, struct kw_readiness *readiness)
{
    struct kw_core *core = context;

    kw_readiness_add(readiness, "hsm", core->hsm_ready);
}

/* --- the end --- */

static void on_drain(void *context)
{
    struct kw_core *core = context;

    if (core->in_flight == 0) {
        kw_process_drained(core->process);
    }
}

static void rpc_closed(void *context)
{
    struct kw_core *core = context;

    kw_observe_stop(core->observe);
    core->observe = NULL;
    kw_loop_stop(core->loop);
}

static void renewal_closed(void *context)
{
    struct kw_core *core = context;

    core->renewal = NULL;
    kw_rpc_close(core->rpc, rpc_closed, core);
}

static void hsm_closed(void *context)
{
    struct kw_core *core = context;

    core->hsm = NULL;
    kw_service_renewal_close(core->renewal, renewal_closed, core);
}

static void server_closed(void *context)
{
    struct kw_core *core = context;

    core->server = NULL;
    kw_hsm_pool_close(core->hsm, hsm_closed, core);
}

static void farewell_closed(struct kw_timer *timer)
{
    struct kw_core *core = KW_CONTAINER_OF(timer, struct kw_core, farewell);

    kw_hop_server_close(core->server, server_closed, core);
}

static void orchestrator_left(void *context)
{
    struct kw_core *core = context;

    if (!core->parted) {
        core->parted = true;
        kw_timer_close(&core->farewell, farewell_closed);
    }
}

static void farewell_over(struct kw_timer *timer)
{
    orchestrator_left(KW_CONTAINER_OF(timer, struct kw_core, farewell));
}

/* The signed close of the chains is on its way: a hop that is closed would drop it, so the
 * orchestrator leaves first. */
static void ledger_closed(void *context)
{
    struct kw_core *core = context;

    kw_timer_init(&core->farewell, core->loop, farewell_over);
    kw_timer_start(&core->farewell, FAREWELL_MS, 0);
    kw_hop_server_drain(core->server, orchestrator_left, core);
}

static void on_stop(void *context)
{
    struct kw_core *core = context;

    kw_trust_watch_stop(&core->trust_watch);
    kw_ledger_close(core->ledger, ledger_closed, core);
}

/* --- the beginning --- */

static struct kw_result verifier_make(struct kw_core *core, struct kw_error *err)
{
    const struct kw_core_config *config = core->config;
    struct kw_spiffe authz;

    KW_TRY(kw_spiffe_service(config->trust_domain, config->region, config->cell, "authz", &authz,
                             err));
    KW_TRY(kw_seal_verifier_new(&core->pki.trust[kw_core_ca_index(KW_HSM_CA_SERVICES)], &authz,
                                &core->seals, err));
    return kw_replay_new(KW_REPLAY_IDS_MAX, &core->replay, err);
}

/* A core whose workers are held loosely serves, and says so where it is seen. */
static struct kw_result sandbox_choose(const char *name, enum kw_hsm_sandbox *ret_sandbox,
                                       struct kw_error *err)
{
    KW_TRY(kw_hsm_sandbox_parse(name, ret_sandbox, err));
    kw_metric_set(KW_M_SANDBOX, kw_hsm_sandbox_name(*ret_sandbox), 1);
    if (*ret_sandbox == KW_HSM_SANDBOX_OFF) {
        KW_LOG(WARN, "hsm workers may make any system call: hsm_sandbox is off");
    } else {
        KW_LOG(INFO, "hsm workers are held", KW_F_STR("sandbox", name));
    }
    return KW_OK;
}

static struct kw_result hsm_make(struct kw_core *core, struct kw_error *err)
{
    const struct kw_core_config *config = core->config;
    struct kw_hsm_settings settings = {
        .worker_path = config->hsm_worker,
        .provider = config->hsm_provider,
        .module_path = config->hsm_module,
        .token_label = config->hsm_token,
        .pin_path = config->hsm_pin_file,
        .lock_path = config->hsm_lock_file,
        .workers = config->hsm_workers,
    };
    const struct kw_hsm_events hsm_events = {.state_changed = on_hsm_state, .context = core};

    KW_TRY(sandbox_choose(config->hsm_sandbox, &settings.sandbox, err));
    KW_TRY(kw_hsm_pool_new(core->loop, &settings, &hsm_events, &core->hsm, err));
    return kw_ledger_new(core->loop, core->boot_id, core->hsm, &core->ledger, err);
}

/* Only the orchestrator of the own cell may connect. */
static struct kw_result server_make(struct kw_core *core, struct kw_error *err)
{
    const struct kw_core_config *config = core->config;
    struct kw_spiffe orchestrator;
    char text[KW_SPIFFE_TEXT_SIZE];
    const char *peers[] = {text, NULL};
    struct kw_hop_server_options options = {
        .listen = config->listen,
        .credentials_dir = config->credentials_dir,
        .trust_domain = config->trust_domain,
        .peers = peers,
        .handler = {.open = on_open, .context = core},
    };

    KW_TRY(kw_spiffe_service(config->trust_domain, config->region, config->cell, "orchestrator",
                             &orchestrator, err));
    (void)kw_spiffe_text(&orchestrator, text);
    return kw_hop_server_new(core->rpc, &options, &core->server, &core->port, err);
}

static struct kw_result renewal_start(struct kw_core *core, struct kw_error *err)
{
    const struct kw_service_renewal_options options = {
        .loop = core->loop,
        .credentials_dir = core->config->credentials_dir,
        .trust_domain = core->config->trust_domain,
        .ask = kw_core_renew_own,
        .context = core,
    };

    return kw_service_renewal_start(&options, &core->renewal, err);
}

struct kw_result kw_core_start(struct kw_core *core, const struct kw_core_config *config,
                               struct kw_error *err)
{
    const struct kw_process_hooks hooks = {
        .drain = on_drain, .stop = on_stop, .context = core, .grace_ms = config->drain_ms};
    struct kw_observe_hooks observe_hooks = {
        .readiness = on_readiness, .alive = kw_process_alive, .context = core};

    core->config = config;
    core->start_ms = kw_clock_wall_ms();
    KW_TRY(kw_confinement_look(&core->confinement, err));
    KW_TRY(kw_id_v7(&core->boot_id, err));
    KW_TRY(kw_core_pki_load(&core->pki, config->pki_dir, config->trust_domain, err));
    KW_TRY(verifier_make(core, err));
    KW_TRY(kw_loop_new(&core->loop, err));
    kw_trust_watch_start(&core->trust_watch, core->loop, &core->pki, config->pki_dir);
    KW_TRY(kw_process_new(core->loop, &hooks, &core->process, err));
    observe_hooks.process = core->process;
    KW_TRY(kw_observe_start(config->metrics_listen, &observe_hooks, &core->observe, err));
    KW_TRY(hsm_make(core, err));
    KW_TRY(kw_rpc_new(core->loop, core->boot_id, &core->rpc, err));
    KW_TRY(renewal_start(core, err));
    return server_make(core, err);
}

int kw_core_run(struct kw_core *core)
{
    kw_loop_run(core->loop);
    return kw_process_end(core->process);
}

void kw_core_free(struct kw_core *core)
{
    kw_ledger_free(core->ledger);
    kw_rpc_free(core->rpc);
    kw_loop_free(core->loop);
    kw_seal_verifier_free(core->seals);
    kw_replay_free(core->replay);
    kw_core_pki_done(&core->pki);
}
