/* Settings of authz: the table, and the immutable value it fills. */
#ifndef KW_SERVICES_AUTHZ_CONFIG_H
#define KW_SERVICES_AUTHZ_CONFIG_H

#include "common/base/settings.h"

struct kw_authz_config {
    char *region;
    char *cell;
    char *trust_domain;
    char *listen;
    char *metrics_listen;
    char *credentials_dir;
    char *log_level;
    struct kw_strings targets;
    char *database;
    char *store_url;
    char *mesh; /* its id, in hex */
    uint32_t writer;
    char *lane_key_file;
    char *feed_listen;
    uint32_t feed_keep_max;
    char *pki_dir;
    char *officers_dir;
    char *auditors_dir;
    uint32_t staleness_release_s;
    uint32_t staleness_s;
    uint32_t drain_ms;
};

extern const struct kw_settings_spec kw_authz_settings;

#endif
