/* The crypto core's settings. */
#include "services/cryptocore/config.h"

#include <stddef.h>

#define FIELD(field) .name = #field, .offset = offsetof(struct kw_core_config, field)

static const struct kw_setting settings[] = {
    {FIELD(region), .type = KW_SETTING_STRING, .required = true,
     .doc = "Region this instance runs in."},
    {FIELD(cell), .type = KW_SETTING_STRING, .required = true,
     .doc = "Cell (failure domain) this instance runs in. Only capsules of this cell's authz are "
            "accepted."},
    {FIELD(trust_domain), .type = KW_SETTING_STRING, .required = true,
     .doc = "SPIFFE trust domain of the mesh."},
    {FIELD(listen), .type = KW_SETTING_ADDRESS, .fallback = "127.0.0.1:0",
     .doc = "Where the orchestrator connects. Port 0 chooses a free one and prints it."},
    {FIELD(metrics_listen), .type = KW_SETTING_ADDRESS, .fallback = "127.0.0.1:0",
     .doc = "Plaintext /metrics, /livez and /readyz, on loopback or the pod's address."},
    {FIELD(credentials_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "Directory (a symbolic link that is swapped) with key.pem, cert.pem and ca.pem."},
    {FIELD(pki_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "Directory that `keyward-cryptocore init` wrote: CA certificates and the list of "
            "services."},
    {FIELD(log_level), .type = KW_SETTING_STRING, .fallback = "info",
     .doc = "debug, info, warn or error."},
    {FIELD(hsm_provider), .type = KW_SETTING_STRING, .fallback = "softhsm",
     .doc = "Row of the provider table: softhsm or cloudhsm. The latter has never been run."},
    {FIELD(hsm_module), .type = KW_SETTING_PATH, .fallback = "/usr/lib/softhsm/libsofthsm2.so",
     .doc = "PKCS#11 module."},
    {FIELD(hsm_token), .type = KW_SETTING_STRING, .required = true, .doc = "Label of the token."},
    {FIELD(hsm_pin_file), .type = KW_SETTING_SECRET_FILE, .required = true,
     .doc = "File with the user PIN, mode 0600."},
    {FIELD(hsm_lock_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "Lock by which all workers on this machine log in one after the other."},
    {FIELD(hsm_worker), .type = KW_SETTING_PATH, .required = true,
     .doc = "Path of keyward-hsm-worker."},
    {FIELD(hsm_workers), .type = KW_SETTING_U32, .fallback = "2", .min = 1, .max = 64,
     .doc = "Worker processes. SoftHSM scales with processes, not threads."},
    {FIELD(hsm_sandbox), .type = KW_SETTING_STRING, .fallback = "strict",
     .doc =
         "System calls that workers may make: strict (files, no network: SoftHSM), vendor "
         "(network, "
         "threads and devices too: modules that reach for an HSM), off (to find out what a module "
         "needs). A worker that makes another ends by SIGSYS: see "
         "keyward_sandbox_kills_total and the kernel's audit log."},
    {FIELD(kek_version), .type = KW_SETTING_U32, .fallback = "1", .min = 1, .max = UINT32_MAX,
     .doc = "Version of the KEK under which new keys are wrapped."},
    {FIELD(partner_certificate_days), .type = KW_SETTING_U32, .fallback = "30", .min = 1,
     .max = 365,
     .doc = "Validity of partners' and stations' certificates; they renew at half of it."},
    {FIELD(service_certificate_days), .type = KW_SETTING_U32, .fallback = "30", .min = 1, .max = 90,
     .doc = "Validity of the services' certificates."},
    {FIELD(drain_ms), .type = KW_SETTING_U32, .fallback = "10000", .min = 100, .max = 300000,
     .doc = "How long calls in flight may finish after SIGTERM."},
};

const struct kw_settings_spec kw_core_settings = {
    .program = "keyward-cryptocore",
    .summary = "The crypto core: verifies capsules and uses keys in the HSM. Keeps no state.",
    .settings = settings,
    .count = sizeof(settings) / sizeof(settings[0]),
};
