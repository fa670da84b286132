/* keyward-cryptocore: the crypto core (`--config FILE`) and its offline ceremony (`init --config
 * FILE`). */
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/harden/harden.h"
#include "services/cryptocore/init.h"
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

static struct kw_result ceremony(const struct kw_init_config *config, struct kw_error *err)
{
    kw_log_setup("cryptocore-init", "", KW_LOG_INFO);
    KW_TRY(kw_harden(err));
    KW_TRY(kw_secret_region_lock(err));
    return kw_core_init(config, err);
}

static struct kw_result init_main(int argc, char **argv, struct kw_error *err)
{
    struct kw_init_config config = {0};
    enum kw_settings_outcome outcome = KW_SETTINGS_PRINTED;
    struct kw_result result =
        kw_settings_load(&kw_init_settings, argc, argv, &config, &outcome, err);

    if (kw_ok(result) && outcome == KW_SETTINGS_RUN) {
        result = ceremony(&config, err);
    }
    kw_settings_done(&kw_init_settings, &config);
    return result;
}

int main(int argc, char **argv)
{
    struct kw_error error = {0};
    int exit_code = EXIT_SUCCESS;
    bool is_init = argc > 1 && strcmp(argv[1], "init") == 0;
    struct kw_result result = is_init ? init_main(argc - 1, argv + 1, &error)
                                      : serve_main(argc, argv, &exit_code, &error);

    return kw_ok(result) ? exit_code : report(&error);
}
