/* Settings of the orchestrator: the table, and the immutable value it fills. */
#ifndef KW_SERVICES_ORCHESTRATOR_CONFIG_H
#define KW_SERVICES_ORCHESTRATOR_CONFIG_H

#include "common/base/settings.h"

struct kw_orch_config {
    char *region;
    char *cell;
    char *trust_domain;
    char *listen;
    char *metrics_listen;
    char *credentials_dir;
    char *log_level;
    char *database;
    char *store_url;
    char *mesh; /* its id, in hex */
    uint32_t writer;
    char *lane_key_file;
    char *feed_listen;
    uint32_t feed_keep_max;
    char *page_key_file;
    char *pki_dir;
    struct kw_strings targets;
    uint32_t receipts_kept_max_mib;
    uint32_t drain_ms;
};

extern const struct kw_settings_spec kw_orch_settings;

#endif
