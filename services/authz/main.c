/* keyward-authz: its whole life. */
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/feed_service/offline.h"
#include "common/harden/harden.h"
#include "common/health/health.h"
#include "common/loop/process.h"
#include "common/observe/observe.h"
#include "services/authz/service.h"

#include <stdlib.h>

/* One a process; outlives every callback. */
struct program {
    struct kw_authz_config config;
    struct kw_authz_service *authz;
    struct kw_loop *loop;
    struct kw_process *process;
    struct kw_observe *observe;
    int port; /* 0: it does not listen yet */
    bool announced;
};

static void on_readiness(void *context, struct kw_readiness *readiness)
{
    struct program *program = context;

    kw_readiness_add(readiness, "orchestrator", kw_authz_service_linked(program->authz));
    kw_readiness_add(readiness, "joined", kw_authz_service_joined(program->authz));
}

static void on_started(int port, void *context)
{
    struct program *program = context;
    const struct kw_observe_hooks hooks = {.readiness = on_readiness,
                                           .alive = kw_process_alive,
                                           .process = program->process,
                                           .context = program};
    struct kw_error error;

    if (!kw_ok(
            kw_observe_start(program->config.metrics_listen, &hooks, &program->observe, &error))) {
        KW_LOG(ERROR, "cannot go on", KW_F_ERR(&error));
        kw_process_fail(program->process, EXIT_FAILURE);
        return;
    }
    program->port = port;
}

/* READY says that it serves, and so is said once the layer inside is there. */
static void on_linked(void *context)
{
    struct program *program = context;

    if (program->port > 0 && !program->announced) {
        program->announced = true;
        kw_process_ready(program->process, "port=%d metrics=%d feed=%d", program->port,
                         kw_observe_port(program->observe),
                         kw_authz_service_feed_port(program->authz));
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

    kw_authz_service_drain(program->authz);
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

    kw_authz_service_stop(program->authz);
}

static struct kw_result start(struct program *program, struct kw_error *err)
{
    const struct kw_process_hooks hooks = {.drain = on_drain,
                                           .stop = on_stop,
                                           .context = program,
                                           .grace_ms = program->config.drain_ms};
    const struct kw_authz_events events = {.started = on_started,
                                           .linked = on_linked,
                                           .failed = on_failed,
                                           .drained = on_drained,
                                           .stopped = on_stopped,
                                           .context = program};

    KW_TRY(kw_loop_new(&program->loop, err));
    KW_TRY(kw_process_new(program->loop, &hooks, &program->process, err));
    return kw_authz_service_new(program->loop, &program->config, &events, &program->authz, err);
}

/* What every process of ours does first. */
static struct kw_result prepare(const struct kw_authz_config *config, struct kw_error *err)
{
    enum kw_log_level level = KW_LOG_INFO;

    KW_TRY(kw_log_level_parse(config->log_level, &level, err));
    kw_log_setup("authz", config->region, level);
    KW_TRY(kw_harden(err));
    KW_TRY(kw_process_prepare(err));
    KW_TRY(kw_failpoint_load(err));
    return kw_secret_region_lock(err);
}

static struct kw_result serve(struct program *program, int *ret_exit_code, struct kw_error *err)
{
    KW_TRY(start(program, err));
    kw_loop_run(program->loop);
    *ret_exit_code = kw_process_end(program->process);
    kw_authz_service_free(program->authz);
    kw_loop_free(program->loop);
    return KW_OK;
}

static struct kw_result run(struct program *program, const struct kw_offline_words *words,
                            int *ret_exit_code, struct kw_error *err)
{
    KW_TRY(prepare(&program->config, err));
    if (words->orphans != NULL) {
        return kw_authz_orphans(&program->config, words->orphans, err);
    }
    return words->count > 0 ? kw_authz_new_life(&program->config, err)
                            : serve(program, ret_exit_code, err);
}

int main(int argc, char **argv)
{
    static struct program program;
    const struct kw_offline_words words = kw_offline_words(argc, argv);
    enum kw_settings_outcome outcome = KW_SETTINGS_PRINTED;
    struct kw_error error = {0};
    int exit_code = EXIT_SUCCESS;
    struct kw_result result;

    if (kw_health_asked(argc, argv)) {
        return kw_health_main(&kw_authz_settings, argc, argv);
    }
    result = kw_settings_load(&kw_authz_settings, argc - words.count, argv + words.count,
                              &program.config, &outcome, &error);
    if (kw_ok(result) && outcome == KW_SETTINGS_RUN) {
        result = run(&program, &words, &exit_code, &error);
    }
    kw_settings_done(&kw_authz_settings, &program.config);
    if (!kw_ok(result)) {
        KW_LOG(ERROR, "cannot go on", KW_F_ERR(&error));
        return EXIT_FAILURE;
    }
    return exit_code;
}
