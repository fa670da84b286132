/* keyward-orchestrator: its whole life. */
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/feed_service/offline.h"
#include "common/harden/harden.h"
#include "common/health/health.h"
#include "common/loop/process.h"
#include "common/observe/observe.h"
#include "services/orchestrator/service.h"

#include <stdlib.h>

/* One a process; outlives every callback. */
struct program {
    struct kw_orch orch;
    struct kw_loop *loop;
    struct kw_process *process;
    struct kw_observe *observe;
    bool announced;
};

static void on_readiness(void *context, struct kw_readiness *readiness)
{
    struct program *program = context;

    kw_readiness_add(readiness, "core", program->orch.core_ready);
    kw_readiness_add(readiness, "joined", !kw_feed_service_joins(program->orch.feed_service));
}

/* READY says that it serves, and so is said once the layer inside is there. */
static void on_linked(void *context)
{
    struct program *program = context;

    if (!program->announced) {
        program->announced = true;
        kw_process_ready(program->process, "port=%d metrics=%d feed=%d", program->orch.port,
                         kw_observe_port(program->observe), program->orch.feed_port);
    }
}

/* Nothing is acknowledged any more; what was is on disk. */
static void on_store_failed(const struct kw_error *error, void *context)
{
    struct program *program = context;

    KW_LOG(ERROR, "cannot go on", KW_F_ERR(error));
    kw_process_fail(program->process, EXIT_FAILURE);
}

/* What needs the core would be refused for good; another life is another chain. */
static void on_chain_broken(void *context)
{
    struct program *program = context;

    KW_LOG(ERROR, "the receipt chain is broken: ending, to be started anew");
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

    kw_orch_drain(&program->orch, on_drained);
}

static void on_stopped(void *context)
{
    struct program *program = context;

    kw_observe_stop(program->observe);
    program->observe = NULL;
    kw_loop_stop(program->loop);
}

static void on_stop(void *context)
{
    struct program *program = context;

    kw_orch_stop(&program->orch, on_stopped);
}

static struct kw_result start(struct program *program, const struct kw_orch_config *config,
                              struct kw_error *err)
{
    const struct kw_process_hooks hooks = {
        .drain = on_drain, .stop = on_stop, .context = program, .grace_ms = config->drain_ms};
    struct kw_observe_hooks observe = {
        .readiness = on_readiness, .alive = kw_process_alive, .context = program};

    KW_TRY(kw_loop_new(&program->loop, err));
    KW_TRY(kw_process_new(program->loop, &hooks, &program->process, err));
    observe.process = program->process;
    KW_TRY(kw_observe_start(config->metrics_listen, &observe, &program->observe, err));
    program->orch.failed = on_store_failed;
    program->orch.linked = on_linked;
    program->orch.broken = on_chain_broken;
    program->orch.context = program;
    return kw_orch_start(&program->orch, program->loop, config, err);
}

/* What every process of ours does first. */
static struct kw_result prepare(const struct kw_orch_config *config, struct kw_error *err)
{
    enum kw_log_level level = KW_LOG_INFO;

    KW_TRY(kw_log_level_parse(config->log_level, &level, err));
    kw_log_setup("orchestrator", config->region, level);
    KW_TRY(kw_harden(err));
    KW_TRY(kw_process_prepare(err));
    KW_TRY(kw_failpoint_load(err));
    return kw_secret_region_lock(err);
}

static struct kw_result serve(const struct kw_orch_config *config, int *ret_exit_code,
                              struct kw_error *err)
{
    static struct program program;

    KW_TRY(start(&program, config, err));
    kw_loop_run(program.loop);
    *ret_exit_code = kw_process_end(program.process);
    kw_orch_done(&program.orch);
    kw_loop_free(program.loop);
    return KW_OK;
}

static struct kw_result run(const struct kw_orch_config *config,
                            const struct kw_offline_words *words, int *ret_exit_code,
                            struct kw_error *err)
{
    KW_TRY(prepare(config, err));
    if (words->orphans != NULL) {
        return kw_orch_orphans(config, words->orphans, err);
    }
    return words->count > 0 ? kw_orch_new_life(config, err) : serve(config, ret_exit_code, err);
}

int main(int argc, char **argv)
{
    struct kw_orch_config config = {0};
    const struct kw_offline_words words = kw_offline_words(argc, argv);
    enum kw_settings_outcome outcome = KW_SETTINGS_PRINTED;
    struct kw_error error = {0};
    int exit_code = EXIT_SUCCESS;
    struct kw_result result;

    if (kw_health_asked(argc, argv)) {
        return kw_health_main(&kw_orch_settings, argc, argv);
    }
    result = kw_settings_load(&kw_orch_settings, argc - words.count, argv + words.count, &config,
                              &outcome, &error);
    if (kw_ok(result) && outcome == KW_SETTINGS_RUN) {
        result = run(&config, &words, &exit_code, &error);
    }
    kw_settings_done(&kw_orch_settings, &config);
    if (!kw_ok(result)) {
        KW_LOG(ERROR, "cannot go on", KW_F_ERR(&error));
        return EXIT_FAILURE;
    }
    return exit_code;
}
