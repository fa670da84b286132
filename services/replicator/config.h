/* Settings of the replicator: the table, and the immutable value it fills. */
#ifndef KW_SERVICES_REPLICATOR_CONFIG_H
#define KW_SERVICES_REPLICATOR_CONFIG_H

#include "common/base/settings.h"

struct kw_replicator_config {
    char *region;
    char *cell;
    char *trust_domain;
    char *mesh; /* its id, in hex */
    char *listen;
    char *metrics_listen;
    char *credentials_dir;
    char *log_level;
    char *authz;
    char *orchestrator;
    struct kw_strings cells;
    uint32_t drain_ms;
};

extern const struct kw_settings_spec kw_replicator_settings;

#endif
