/* The replicator's settings. */
#include "services/replicator/config.h"

#include "common/base/id.h"
#include "common/base/limits.h"

#include <stddef.h>

#define FIELD(field) .name = #field, .offset = offsetof(struct kw_replicator_config, field)

static const struct kw_setting settings[] = {
    {FIELD(region), .type = KW_SETTING_STRING, .required = true,
     .doc = "Region this instance runs in."},
    {FIELD(cell), .type = KW_SETTING_STRING, .required = true,
     .doc = "Cell (failure domain) this instance runs in. It carries for its owners alone."},
    {FIELD(trust_domain), .type = KW_SETTING_STRING, .required = true,
     .doc = "SPIFFE trust domain of the mesh."},
    {FIELD(mesh), .type = KW_SETTING_STRING, .required = true, .min = 2 * KW_ID_LEN,
     .max = 2 * KW_ID_LEN,
     .doc =
         "Id of the mesh, 32 hex digits: the same in all its cells, and the one its owners have."},
    {FIELD(listen), .type = KW_SETTING_ADDRESS, .fallback = "127.0.0.1:0",
     .doc = "Where replicators of other cells connect: the address that `cells` of all of them has "
            "for this one."},
    {FIELD(metrics_listen), .type = KW_SETTING_ADDRESS, .fallback = "127.0.0.1:0",
     .doc = "Plaintext /metrics, /livez and /readyz, on loopback or the pod's address."},
    {FIELD(credentials_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "Directory (a symbolic link that is swapped) with key.pem, cert.pem and ca.pem."},
    {FIELD(log_level), .type = KW_SETTING_STRING, .fallback = "info",
     .doc = "debug, info, warn or error."},
    {FIELD(authz), .type = KW_SETTING_ADDRESS, .required = true,
     .doc = "Where authz of this cell listens for its replicator (`feed_listen` there)."},
    {FIELD(orchestrator), .type = KW_SETTING_ADDRESS, .required = true,
     .doc = "The same of the orchestrator."},
    {FIELD(cells), .type = KW_SETTING_LIST, .required = true, .min = 1, .max = KW_SETTINGS_LIST_MAX,
     .doc = "All cells of the mesh, this one too, as REGION/CELL=HOST:PORT of their replicators. "
            "Cells of a region are linked with one another, and each with its namesakes in other "
            "regions; of two that are linked the one whose name comes first calls the other."},
    {FIELD(drain_ms), .type = KW_SETTING_U32, .fallback = "2000", .min = 100, .max = 300000,
     .doc = "How long links may take to end after SIGTERM."},
};

const struct kw_settings_spec kw_replicator_settings = {
    .program = "keyward-replicator",
    .summary = "Carries changes between cells; can delay them, and nothing else.",
    .settings = settings,
    .count = sizeof(settings) / sizeof(settings[0]),
};
