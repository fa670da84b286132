/* keyward-gateway: the public endpoint. */
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/harden/harden.h"
#include "common/health/health.h"
#include "services/gateway/sandbox.h"
#include "services/gateway/service.h"

#include <stdlib.h>

static struct kw_result serve(const struct kw_gateway_config *config, int *ret_exit_code,
                              struct kw_error *err)
{
    static struct kw_gateway gateway; /* one a process; outlives every callback */
    enum kw_log_level level = KW_LOG_INFO;

    KW_TRY(kw_log_level_parse(config->log_level, &level, err));
    kw_log_setup("gateway", config->region, level);
    KW_TRY(kw_harden(err));
    KW_TRY(kw_process_prepare(err));
    KW_TRY(kw_failpoint_load(err));
    KW_TRY(kw_secret_region_lock(err));
    KW_TRY(kw_gateway_start(&gateway, config, err));
    KW_TRY(kw_gateway_confine(config->sandbox, config->redis, err));
    *ret_exit_code = kw_gateway_run(&gateway);
    kw_gateway_free(&gateway);
    return KW_OK;
}

int main(int argc, char **argv)
{
    struct kw_gateway_config config = {0};
    struct kw_error error = {0};
    enum kw_settings_outcome outcome = KW_SETTINGS_PRINTED;
    int exit_code = EXIT_SUCCESS;
    struct kw_result result;

    if (kw_health_asked(argc, argv)) {
        return kw_health_main(&kw_gateway_settings, argc, argv);
    }
    result = kw_settings_load(&kw_gateway_settings, argc, argv, &config, &outcome, &error);
    if (kw_ok(result) && outcome == KW_SETTINGS_RUN) {
        result = serve(&config, &exit_code, &error);
    }
    kw_settings_done(&kw_gateway_settings, &config);
    if (!kw_ok(result)) {
        KW_LOG(ERROR, "cannot go on", KW_F_ERR(&error));
        return EXIT_FAILURE;
    }
    return exit_code;
}
