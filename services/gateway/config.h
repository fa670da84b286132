/* Settings of the gateway: the table, and the immutable value it fills. */
#ifndef KW_SERVICES_GATEWAY_CONFIG_H
#define KW_SERVICES_GATEWAY_CONFIG_H

#include "common/base/settings.h"

struct kw_gateway_config {
    char *region;
    char *cell;
    char *trust_domain;
    char *listen;
    char *metrics_listen;
    char *credentials_dir;
    char *edge_credentials_dir; /* NULL: credentials_dir */
    char *client_ca_file;
    struct kw_strings targets;
    char *redis; /* NULL: no request cache */
    bool redis_tls;
    char *redis_ca_file;       /* NULL: the system's */
    char *redis_user;          /* NULL: the one that Redis calls default */
    char *redis_password_file; /* NULL: it asks for none */
    char *cache_key_file;      /* required with redis */
    char *log_level;
    char *sandbox; /* "strict" or "off" */
    uint32_t calls_max;
    uint32_t caller_calls_max;
    uint32_t caller_rate_max;
    uint32_t drain_ms;
};

extern const struct kw_settings_spec kw_gateway_settings;

#endif
