/* Settings of the crypto core: the table, and the immutable value it fills. */
#ifndef KW_SERVICES_CRYPTOCORE_CONFIG_H
#define KW_SERVICES_CRYPTOCORE_CONFIG_H

#include "common/base/settings.h"

struct kw_core_config {
    char *region;
    char *cell;
    char *trust_domain;
    char *listen;
    char *metrics_listen;
    char *credentials_dir;
    char *pki_dir; /* what `init` wrote: CA certificates, services.list */
    char *log_level;
    char *hsm_provider;
    char *hsm_module;
    char *hsm_token;
    char *hsm_pin_file;
    char *hsm_lock_file;
    char *hsm_worker;
    uint32_t hsm_workers;
    char *hsm_sandbox; /* enum kw_hsm_sandbox by name */
    uint32_t kek_version;
    uint32_t partner_certificate_days;
    uint32_t service_certificate_days;
    uint32_t drain_ms;
};

extern const struct kw_settings_spec kw_core_settings;

#endif
