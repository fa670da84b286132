/* keyward-cryptocore: the crypto core (`--config FILE`) and its offline ceremony (`init`, and the steps of a further
 * region: `request`, `carry`, `answer`, `complete`, `regions`, each with `--config FILE`). */
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/harden/harden.h"
#include "common/health/health.h"
#include "services/cryptocore/init.h"
#include "services/cryptocore/region/steps.h"
#include "services/cryptocore/service.h"

#include <stdio.h>
#include <stdlib.h>

static int report(const struct kw_error *error)
{
    KW_LOG(ERROR, "cannot go on", KW_F_ERR(error));
    return EXIT_FAILURE;
}

static struct kw_result serve(const struct kw_core_config *config, int *ret_exit_code,
                              struct kw_error *err)
{
    static struct kw_core core; /* one a process; outlives every callback */
    enum kw_log_level level = KW_LOG_INFO;

    KW_TRY(kw_log_level_parse(config->log_level, &level, err));
    kw_log_setup("cryptocore", config->region, level);
    KW_TRY(kw_harden(err));
    KW_TRY(kw_process_prepare(err));
    KW_TRY(kw_failpoint_load(err));
    KW_TRY(kw_secret_region_lock(err));
    KW_TRY(kw_core_start(&core, config, err));
    *ret_exit_code = kw_core_run(&core);
    kw_core_free(&core);
    return KW_OK;
}

static struct kw_result serve_main(int argc, char **argv, int *ret_exit_code, struct kw_error *err)
{
    struct kw_core_config config = {0};
    enum kw_settings_outcome outcome = KW_SETTINGS_PRINTED;
    struct kw_result result =
        kw_settings_load(&kw_core_settings, argc, argv, &config, &outcome, err);

    if (kw_ok(result) && outcome == KW_SETTINGS_RUN) {
        result = serve(&config, ret_exit_code, err);
    }
    kw_settings_done(&kw_core_settings, &config);
    return result;
}

/* --- the offline ceremony --- */

/* One subcommand: its settings, and what it does with them. */
struct step {
    const char *name;
    const struct kw_settings_spec *settings;
    struct kw_result (*run)(const void *config, struct kw_error *err);
};

union step_config {
    struct kw_init_config init;
    struct kw_request_config request;
    struct kw_carry_config carry;
    struct kw_answer_config answer;
    struct kw_complete_config complete;
    struct kw_regions_config regions;
};

#define STEP_RUN(name)                                                                             \
    static struct kw_result name##_run(const void *config, struct kw_error *err)                   \
    {                                                                                              \
        return kw_core_##name(config, err);                                                        \
    }
STEP_RUN(init)
STEP_RUN(request)
STEP_RUN(carry)
STEP_RUN(answer)
STEP_RUN(complete)
STEP_RUN(regions)

static const struct step steps[] = {
    {"init", &kw_init_settings, init_run},
    {"request", &kw_request_settings, request_run},
    {"carry", &kw_carry_settings, carry_run},
    {"answer", &kw_answer_settings, answer_run},
    {"complete", &kw_complete_settings, complete_run},
    {"regions", &kw_regions_settings, regions_run},
};

static const struct step *step_find(const char *name)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (strcmp(steps[i].name, name) == 0) {
            return &steps[i];
        }
    }
    return NULL;
}

static struct kw_result ceremony(const struct step *step, const union step_config *config,
                                 struct kw_error *err)
{
    static char name[32]; /* the log goes by it until the end */

    (void)snprintf(name, sizeof(name), "cryptocore-%s", step->name);
    kw_log_setup(name, "", KW_LOG_INFO);
    KW_TRY(kw_harden(err));
    KW_TRY(kw_secret_region_lock(err));
    return step->run(config, err);
}

static struct kw_result step_main(const struct step *step, int argc, char **argv,
                                  struct kw_error *err)
{
    union step_config config;
    enum kw_settings_outcome outcome = KW_SETTINGS_PRINTED;
    struct kw_result result;

    memset(&config, 0, sizeof(config));
    result = kw_settings_load(step->settings, argc, argv, &config, &outcome, err);
    if (kw_ok(result) && outcome == KW_SETTINGS_RUN) {
        result = ceremony(step, &config, err);
    }
    kw_settings_done(step->settings, &config);
    return result;
}

int main(int argc, char **argv)
{
    struct kw_error error = {0};
    int exit_code = EXIT_SUCCESS;
    const struct step *step = argc > 1 ? step_find(argv[1]) : NULL;
    struct kw_result result;

    if (kw_health_asked(argc, argv)) {
        return kw_health_main(&kw_core_settings, argc, argv);
    }
    result = step != NULL ? step_main(step, argc - 1, argv + 1, &error)
                          : serve_main(argc, argv, &exit_code, &error);
    return kw_ok(result) ? exit_code : report(&error);
}
