/* The orchestrator's settings. */
#include "services/orchestrator/config.h"

#include "common/feed_service/feed_settings.h"

#include <stddef.h>

#define FIELD(field) .name = #field, .offset = offsetof(struct kw_orch_config, field)

static const struct kw_setting settings[] = {
    {FIELD(region), .type = KW_SETTING_STRING, .required = true,
     .doc = "Region this instance runs in."},
    {FIELD(cell), .type = KW_SETTING_STRING, .required = true,
     .doc = "Cell (failure domain) this instance runs in. Only capsules of this cell's authz are "
            "accepted."},
    {FIELD(trust_domain), .type = KW_SETTING_STRING, .required = true,
     .doc = "SPIFFE trust domain of the mesh."},
    {FIELD(listen), .type = KW_SETTING_ADDRESS, .fallback = "127.0.0.1:0",
     .doc = "Where authz connects. Port 0 chooses a free one and prints it."},
    {FIELD(metrics_listen), .type = KW_SETTING_ADDRESS, .fallback = "127.0.0.1:0",
     .doc = "Plaintext /metrics, /livez and /readyz, on loopback or the pod's address."},
    {FIELD(credentials_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "Directory (a symbolic link that is swapped) with key.pem, cert.pem and ca.pem."},
    {FIELD(log_level), .type = KW_SETTING_STRING, .fallback = "info",
     .doc = "debug, info, warn or error."},
    {FIELD(database), .type = KW_SETTING_PATH,
     .doc = "SQLite file with everything the orchestrator owns: devices, wrapped keys, facts, "
            "receipts. One process at a time. Either this or store_url."},
    {FIELD(store_url), .type = KW_SETTING_STRING,
     .doc = "The same in a PostgreSQL database (14 or later), which several instances may share: "
            "postgresql://user@host/name?sslmode=verify-full&sslrootcert=...&passfile=... It may "
            "hold no password."},
    KW_FEED_SETTINGS(struct kw_orch_config),
    {FIELD(page_key_file), .type = KW_SETTING_SECRET_FILE, .required = true,
     .doc = "File with 32 or more random bytes, mode 0600: authenticates page tokens. The same in "
            "all instances."},
    {FIELD(pki_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "Directory `keyward-cryptocore init` wrote: by ca-operators.pem it is told whether an "
            "officer signed that a key is destroyed, by services.list.pem whose orders about "
            "stores are believed. Read at the start."},
    {FIELD(targets), .type = KW_SETTING_LIST, .required = true, .min = 1, .max = 1,
     .doc = "Address of this cell's crypto core, host:port."},
    {FIELD(receipts_kept_max_mib), .type = KW_SETTING_U32, .fallback = "65536", .min = 1,
     .max = 16777216,
     .doc =
         "Receipts of other cells that are kept here, MiB of what each of their stores hands over. "
         "Then no more are taken, and keyward_receipts_unshipped grows there."},
    {FIELD(drain_ms), .type = KW_SETTING_U32, .fallback = "10000", .min = 100, .max = 300000,
     .doc = "How long calls in flight may finish after SIGTERM."},
};

const struct kw_settings_spec kw_orch_settings = {
    .program = "keyward-orchestrator",
    .summary = "The orchestrator: owns devices, wrapped keys, facts and receipts.",
    .settings = settings,
    .count = sizeof(settings) / sizeof(settings[0]),
};
