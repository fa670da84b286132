/* The settings of init. */
#include "services/cryptocore/init_config.h"

#include <stddef.h>

#define FIELD(field) .name = #field, .offset = offsetof(struct kw_init_config, field)

static const struct kw_setting settings[] = {
    {FIELD(trust_domain), .type = KW_SETTING_STRING, .required = true,
     .doc = "SPIFFE trust domain of the mesh."},
    {FIELD(out_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "Where certificates, credentials and the ceremony blob are written; pki, credentials "
            "and officers must not be there."},
    {FIELD(services_file), .type = KW_SETTING_PATH, .required = true,
     .doc =
         "The services that get a certificate: one SPIFFE id a line, of one region, of one cell or "
         "several."},
    {FIELD(services_signature_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "The first officer's ECDSA signature (DER) over KEYWARD-LIST-v1 and the list."},
    {FIELD(officer_csr_files), .type = KW_SETTING_LIST, .required = true, .min = 1, .max = 16,
     .doc = "PKCS#10 requests (DER) of the first officers."},
    {FIELD(recovery_key_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "P-384 public key (DER) for which the KEK is wrapped for keeping. Its private half is "
            "kept offline."},
    {FIELD(edge_hosts), .type = KW_SETTING_LIST, .max = 16, .fallback = "localhost,127.0.0.1",
     .doc = "DNS names and addresses by which partners reach the gateway."},
    {FIELD(hsm_provider), .type = KW_SETTING_STRING, .fallback = "softhsm",
     .doc = "Row of the provider table."},
    {FIELD(hsm_module), .type = KW_SETTING_PATH, .fallback = "/usr/lib/softhsm/libsofthsm2.so",
     .doc = "PKCS#11 module."},
    {FIELD(hsm_token), .type = KW_SETTING_STRING, .required = true,
     .doc = "Label of the fresh token."},
    {FIELD(hsm_pin_file), .type = KW_SETTING_SECRET_FILE, .required = true,
     .doc = "File with the user PIN, mode 0600."},
    {FIELD(hsm_so_pin_file), .type = KW_SETTING_SECRET_FILE,
     .doc = "With it, the token is initialised first: for SoftHSM. File with the security "
            "officer's PIN, mode 0600."},
    {FIELD(hsm_lock_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "Lock for logins to the token."},
    {FIELD(root_days), .type = KW_SETTING_U32, .fallback = "7300", .min = 1, .max = 10950,
     .doc = "Validity of the root."},
    {FIELD(ca_days), .type = KW_SETTING_U32, .fallback = "1825", .min = 1, .max = 3650,
     .doc = "Validity of the issuing CAs."},
    {FIELD(service_days), .type = KW_SETTING_U32, .fallback = "30", .min = 1, .max = 90,
     .doc = "Validity of the services' first certificates."},
    {FIELD(officer_days), .type = KW_SETTING_U32, .fallback = "90", .min = 1, .max = 365,
     .doc = "Validity of the officers' first certificates."},
};

const struct kw_settings_spec kw_init_settings = {
    .program = "keyward-cryptocore init",
    .summary =
        "Makes the keys of a fresh HSM token, the root and the CAs, and the first certificates. "
        "Offline, for the first region of a mesh.",
    .settings = settings,
    .count = sizeof(settings) / sizeof(settings[0]),
};
