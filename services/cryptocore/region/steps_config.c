/* The settings of the steps. */
#include "services/cryptocore/region/compared.h"
#include "services/cryptocore/region/steps.h"

#define FIELD(type, field) .name = #field, .offset = offsetof(struct type, field)
#define COUNT(settings)    (sizeof(settings) / sizeof((settings)[0]))

static const struct kw_setting request_settings[] = {
    {FIELD(kw_request_config, trust_domain), .type = KW_SETTING_STRING, .required = true,
     .doc = "SPIFFE trust domain of the mesh."},
    {FIELD(kw_request_config, region), .type = KW_SETTING_STRING, .required = true,
     .doc = "Name of the new region."},
    {FIELD(kw_request_config, request_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "Where the request is written. The first officer signs it: ECDSA (DER) over "
            "KEYWARD-REGION-v1 and the file."},
    KW_REGION_TOKEN_SETTINGS(struct kw_request_config),
    {KW_REGION_TOKEN_FIELD(struct kw_request_config, hsm_so_pin_file),
     .type = KW_SETTING_SECRET_FILE,
     .doc = "With it, the token is initialised first: for SoftHSM. File with the security "
            "officer's PIN, mode 0600."},
};

const struct kw_settings_spec kw_request_settings = {
    .program = "keyward-cryptocore request",
    .summary = "Makes the keys of a further region on a fresh token, and the request that the "
               "root's region answers. Offline.",
    .settings = request_settings,
    .count = COUNT(request_settings),
};

static const struct kw_setting carry_settings[] = {
    {FIELD(kw_carry_config, trust_domain), .type = KW_SETTING_STRING, .required = true,
     .doc = "SPIFFE trust domain of the mesh."},
    {FIELD(kw_carry_config, pki_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "Directory pki/ of the first region, or a copy: regions and the first officer, as the "
            "root certified them."},
    {KW_REGION_ROOT_SHA256, .offset = offsetof(struct kw_carry_config, root_sha256)},
    {FIELD(kw_carry_config, request_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "The new region's request."},
    {KW_REGION_REQUEST_SHA256, .offset = offsetof(struct kw_carry_config, request_sha256)},
    {FIELD(kw_carry_config, approval_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "The first officer's signature over the request."},
    {FIELD(kw_carry_config, blob_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "ceremony.kwb of the first region."},
    {FIELD(kw_carry_config, recovery_key_file), .type = KW_SETTING_SECRET_FILE, .required = true,
     .doc = "The recovery key's private half (PEM, P-384), mode 0600."},
    {FIELD(kw_carry_config, carried_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "Where KEK and MAC key are written, wrapped for the new region's HSM."},
};

const struct kw_settings_spec kw_carry_settings = {
    .program = "keyward-cryptocore carry",
    .summary =
        "Wraps KEK and MAC key anew, for the HSM of a region whose request the first officer "
        "approved. Offline, without an HSM.",
    .settings = carry_settings,
    .count = COUNT(carry_settings),
};

static const struct kw_setting answer_settings[] = {
    {FIELD(kw_answer_config, trust_domain), .type = KW_SETTING_STRING, .required = true,
     .doc = "SPIFFE trust domain of the mesh."},
    {FIELD(kw_answer_config, region_dir), .type = KW_SETTING_PATH, .required = true,
     .doc =
         "What init wrote in the region that has the root. Its files are told of the new region."},
    {FIELD(kw_answer_config, request_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "The new region's request."},
    {KW_REGION_REQUEST_SHA256, .offset = offsetof(struct kw_answer_config, request_sha256)},
    {FIELD(kw_answer_config, approval_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "The first officer's signature over the request."},
    {FIELD(kw_answer_config, carried_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "What `carry` wrote."},
    {FIELD(kw_answer_config, answer_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "Where the answer is written."},
    {FIELD(kw_answer_config, ca_days), .type = KW_SETTING_U32, .fallback = "1825", .min = 1,
     .max = 3650, .doc = "Validity of the new region's issuing CAs."},
    KW_REGION_TOKEN_SETTINGS(struct kw_answer_config),
};

const struct kw_settings_spec kw_answer_settings = {
    .program = "keyward-cryptocore answer",
    .summary =
        "Certifies a further region's CAs by the root and answers its request. Offline, at the "
        "root's HSM.",
    .settings = answer_settings,
    .count = COUNT(answer_settings),
};

static const struct kw_setting complete_settings[] = {
    {FIELD(kw_complete_config, trust_domain), .type = KW_SETTING_STRING, .required = true,
     .doc = "SPIFFE trust domain of the mesh."},
    {FIELD(kw_complete_config, out_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "Where certificates and credentials are written; pki, credentials and officers must "
            "not be there."},
    {FIELD(kw_complete_config, request_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "What `request` wrote."},
    {FIELD(kw_complete_config, answer_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "What `answer` wrote."},
    {FIELD(kw_complete_config, root_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "The root's certificate (PEM)."},
    {KW_REGION_ROOT_SHA256, .offset = offsetof(struct kw_complete_config, root_sha256)},
    {FIELD(kw_complete_config, services_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "The services that get a certificate: one SPIFFE id a line, of this region."},
    {FIELD(kw_complete_config, services_signature_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "The first officer's ECDSA signature (DER) over KEYWARD-LIST-v1 and the list."},
    {FIELD(kw_complete_config, officer_csr_files), .type = KW_SETTING_LIST, .max = 16,
     .doc = "PKCS#10 requests (DER) of further officers. Those of the mesh are in the answer."},
    {FIELD(kw_complete_config, edge_hosts), .type = KW_SETTING_LIST, .max = 16,
     .fallback = "localhost,127.0.0.1",
     .doc = "DNS names and addresses by which partners reach the gateway."},
    {FIELD(kw_complete_config, service_days), .type = KW_SETTING_U32, .fallback = "30", .min = 1,
     .max = 90, .doc = "Validity of the services' first certificates."},
    {FIELD(kw_complete_config, officer_days), .type = KW_SETTING_U32, .fallback = "90", .min = 1,
     .max = 365, .doc = "Validity of further officers' first certificates."},
    KW_REGION_TOKEN_SETTINGS(struct kw_complete_config),
};

const struct kw_settings_spec kw_complete_settings = {
    .program = "keyward-cryptocore complete",
    .summary =
        "Takes the answer to a request: the keys into the HSM, certificates and credentials to "
        "where the services find them. Offline, once a region.",
    .settings = complete_settings,
    .count = COUNT(complete_settings),
};

static const struct kw_setting regions_settings[] = {
    {FIELD(kw_regions_config, trust_domain), .type = KW_SETTING_STRING, .required = true,
     .doc = "SPIFFE trust domain of the mesh."},
    {FIELD(kw_regions_config, region_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "What init or complete wrote."},
    {FIELD(kw_regions_config, regions_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "pki/regions.kwg of the region that has the root, after an answer."},
};

const struct kw_settings_spec kw_regions_settings = {
    .program = "keyward-cryptocore regions",
    .summary = "Tells a region of another one's CAs. Its services take note while they run.",
    .settings = regions_settings,
    .count = COUNT(regions_settings),
};
