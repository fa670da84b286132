/* The command's settings: where the mesh is, who we are, how to show things. From --config=FILE (or
 * KEYWARD_CONFIG), KEYWARD_… and flags, as every program of Keyward. */
#ifndef KW_CLI_SETTINGS_H
#define KW_CLI_SETTINGS_H

#include "common/base/settings.h"

/* All texts NULL when not given. Release with kw_settings_done. */
struct kw_cli_settings {
    char *target;    /* "host:port" of a gateway */
    char *ca_file;   /* root that the gateway's certificate chains to */
    char *peer;      /* the gateway's SPIFFE id */
    char *cert_file; /* who we are */
    char *key_file;
    char *output; /* "table" or "json" */
    uint32_t timeout_ms;
};

extern const struct kw_settings_spec kw_cli_settings;

/* Is "--name" a setting (or --config)? */
bool kw_cli_setting_known(const char *flag);

#endif
