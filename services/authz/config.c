/* Authz's settings. */
#include "services/authz/config.h"

#include "common/base/limits.h"
#include "common/feed_service/feed_settings.h"

#include <stddef.h>

#define FIELD(field) .name = #field, .offset = offsetof(struct kw_authz_config, field)

static const struct kw_setting settings[] = {
    {FIELD(region), .type = KW_SETTING_STRING, .required = true,
     .doc = "Region this instance runs in."},
    {FIELD(cell), .type = KW_SETTING_STRING, .required = true,
     .doc = "Cell (failure domain) this instance runs in. Its capsules are accepted there alone."},
    {FIELD(trust_domain), .type = KW_SETTING_STRING, .required = true,
     .doc = "SPIFFE trust domain of the mesh."},
    {FIELD(listen), .type = KW_SETTING_ADDRESS, .fallback = "127.0.0.1:0",
     .doc = "Where the gateway connects. Port 0 chooses a free one and prints it."},
    {FIELD(metrics_listen), .type = KW_SETTING_ADDRESS, .fallback = "127.0.0.1:0",
     .doc = "Plaintext /metrics, /livez and /readyz, on loopback or the pod's address."},
    {FIELD(credentials_dir), .type = KW_SETTING_PATH, .required = true,
     .doc =
         "Directory (a symbolic link that is swapped) with key.pem, cert.pem and ca.pem. The key "
         "signs the capsules too."},
    {FIELD(log_level), .type = KW_SETTING_STRING, .fallback = "info",
     .doc = "debug, info, warn or error."},
    {FIELD(targets), .type = KW_SETTING_LIST, .required = true, .min = 1, .max = KW_HOP_TARGETS_MAX,
     .doc = "Addresses of the orchestrator, host:port. All are used."},
    {FIELD(database), .type = KW_SETTING_PATH,
     .doc = "File of the database, on a local disk: SQLite, one process at a time. Either this or "
            "store_url."},
    {FIELD(store_url), .type = KW_SETTING_STRING,
     .doc = "The same in a PostgreSQL database (14 or later), which several instances may share: "
            "postgresql://user@host/name?sslmode=verify-full&sslrootcert=...&passfile=... It may "
            "hold no password."},
    KW_FEED_SETTINGS(struct kw_authz_config),
    {FIELD(pki_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "Directory `keyward-cryptocore init` wrote: ca-operators.pem says which officers are "
            "ours, services.list.pem whose orders about stores are believed. Read at the start."},
    {FIELD(officers_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "Directory with the operators' certificates, *.pem, leaf first. It is the list: at "
            "start the ones in it are registered and operators no longer in it are revoked, for "
            "good. An empty one is refused."},
    {FIELD(auditors_dir), .type = KW_SETTING_PATH,
     .doc = "The same for auditors, who may read and nothing else."},
    {FIELD(staleness_release_s), .type = KW_SETTING_U32, .fallback = "30", .min = 5, .max = 86400,
     .doc = "Under a strict grant no key is released when another region was heard of last so long "
            "ago: what it revoked since is not known here."},
    {FIELD(staleness_s), .type = KW_SETTING_U32, .fallback = "300", .min = 5, .max = 86400,
     .doc = "The same for deriving sessions."},
    {FIELD(drain_ms), .type = KW_SETTING_U32, .fallback = "10000", .min = 100, .max = 300000,
     .doc = "How long calls in flight may finish after SIGTERM."},
};

const struct kw_settings_spec kw_authz_settings = {
    .program = "keyward-authz",
    .summary = "Decides who may do what, and seals the decision for the layers inside.",
    .settings = settings,
    .count = sizeof(settings) / sizeof(settings[0]),
};
