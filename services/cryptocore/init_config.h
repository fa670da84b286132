/* Settings of `keyward-cryptocore init`. */
#ifndef KW_SERVICES_CRYPTOCORE_INIT_CONFIG_H
#define KW_SERVICES_CRYPTOCORE_INIT_CONFIG_H

#include "common/base/settings.h"

struct kw_init_config {
    char *trust_domain;
    char *out_dir;
    char *services_file;
    char *services_signature_file;
    struct kw_strings officer_csr_files;
    char *recovery_key_file;
    struct kw_strings edge_hosts;
    char *hsm_provider;
    char *hsm_module;
    char *hsm_token;
    char *hsm_pin_file;
    char *hsm_so_pin_file;
    char *hsm_lock_file;
    uint32_t root_days;
    uint32_t ca_days;
    uint32_t service_days;
    uint32_t officer_days;
};

extern const struct kw_settings_spec kw_init_settings;

#endif
