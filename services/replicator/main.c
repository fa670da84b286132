/* keyward-replicator: its whole life. */
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/harden/harden.h"
#include "common/health/health.h"
#include "common/loop/process.h"
#include "common/observe/observe.h"
#include "services/replicator/service.h"

#include <stdlib.h>

/* One a process; outlives every callback. */
struct program {
    struct kw_replicator_config config;
    struct kw_replicator_service *replicator;
    struct kw_loop *loop;
    struct kw_process *process;
    struct kw_observe *observe;
    bool announced;
};

static void on_readiness(void *context, struct kw_readiness *readiness)
{
    struct program *program = context;

    kw_readiness_add(readiness, "authz",
                     kw_replicator_service_has(program->replicator, KW_OWNER_AUTHZ));
    kw_readiness_add(readiness, "orchestrator",
                     kw_replicator_service_has(program->replicator, KW_OWNER_ORCHESTRATOR));
}

/* READY says that it carries, and so is said once both owners are there. Links may be down: a lone cell is
 * ready too. */
static void on_ready(void *context)
{
    struct program *program = context;

    if (!program->announced) {
        program->announced = true;
        kw_process_ready(program->process, "port=%d metrics=%d",
                         kw_replicator_service_port(program->replicator),
                         kw_observe_port(program->observe));
    }
}

static void on_failed(const struct kw_error *error, void *context)
{
    struct program *program = context;

    KW_LOG(ERROR, "cannot go on", KW_F_ERR(error));
    kw_process_fail(program->process, EXIT_FAILURE);
}

static void on_drained(void *context)
{
    struct program *program = context;

    kw_process_drained(program->process);
}

static void on_drain(void *context)
{
    struct program *program = context;

    kw_replicator_service_drain(program->replicator);
}

static void on_stopped(void *context)
{
    struct program *program = context;

    kw_observe_stop(program->observe);
    kw_loop_stop(program->loop);
}

static void on_stop(void *context)
{
    struct program *program = context;

    kw_replicator_service_stop(program->replicator);
}

static struct kw_result start(struct program *program, struct kw_error *err)
{
    const struct kw_process_hooks hooks = {.drain = on_drain,
                                           .stop = on_stop,
                                           .context = program,
                                           .grace_ms = program->config.drain_ms};
    const struct kw_replicator_events events = {.ready = on_ready,
                                                .failed = on_failed,
                                                .drained = on_drained,
                                                .stopped = on_stopped,
                                                .context = program};
    struct kw_observe_hooks observe = {
        .readiness = on_readiness, .alive = kw_process_alive, .context = program};

    KW_TRY(kw_harden(err));
    KW_TRY(kw_process_prepare(err));
    KW_TRY(kw_failpoint_load(err));
    KW_TRY(kw_secret_region_lock(err));
    KW_TRY(kw_loop_new(&program->loop, err));
    KW_TRY(kw_process_new(program->loop, &hooks, &program->process, err));
    observe.process = program->process;
    KW_TRY(kw_replicator_service_new(program->loop, &program->config, &events, &program->replicator,
                                     err));
    return kw_observe_start(program->config.metrics_listen, &observe, &program->observe, err);
}

static struct kw_result serve(struct program *program, int *ret_exit_code, struct kw_error *err)
{
    enum kw_log_level level = KW_LOG_INFO;

    KW_TRY(kw_log_level_parse(program->config.log_level, &level, err));
    kw_log_setup("replicator", program->config.region, level);
    KW_TRY(start(program, err));
    kw_loop_run(program->loop);
    *ret_exit_code = kw_process_end(program->process);
    kw_replicator_service_free(program->replicator);
    kw_loop_free(program->loop);
    return KW_OK;
}

int main(int argc, char **argv)
{
    static struct program program;
    enum kw_settings_outcome outcome = KW_SETTINGS_PRINTED;
    struct kw_error error = {0};
    int exit_code = EXIT_SUCCESS;
    struct kw_result result;

    if (kw_health_asked(argc, argv)) {
        return kw_health_main(&kw_replicator_settings, argc, argv);
    }
    result =
        kw_settings_load(&kw_replicator_settings, argc, argv, &program.config, &outcome, &error);
    if (kw_ok(result) && outcome == KW_SETTINGS_RUN) {
        result = serve(&program, &exit_code, &error);
    }
    kw_settings_done(&kw_replicator_settings, &program.config);
    if (!kw_ok(result)) {
        KW_LOG(ERROR, "cannot go on", KW_F_ERR(&error));
        return EXIT_FAILURE;
    }
    return exit_code;
}
