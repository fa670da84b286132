/* The steps by which a further region comes to the mesh, each a subcommand of keyward-cryptocore:
 *
 *     new region      request ──▶ KWQ1 ── the first officer signs it
 *     recovery key    carry      KWB1, KWQ1 ──▶ KWT1      no HSM
 *     root's region   answer     KWQ1, KWT1 ──▶ KWA1      and its own files know the new region
 *     new region      complete   KWA1 ──▶ all that its services need, as init
 *     all others      regions    KWG1 ──▶ they know it, too
 *
 * All block. A step that fails leaves the token as it was, and says by name what was wrong. Nothing
 * that is there is overwritten but whom a region trusts.
 */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_STEPS_H
#define KW_SERVICES_CRYPTOCORE_REGION_STEPS_H

#include "services/cryptocore/region/token.h"

struct kw_request_config {
    char *trust_domain;
    char *region;
    char *request_file;
    struct kw_region_token token;
};

struct kw_carry_config {
    char *trust_domain;
    char *pki_dir;
    char *root_sha256;
    char *request_file;
    char *request_sha256;
    char *approval_file;
    char *blob_file;
    char *recovery_key_file;
    char *carried_file;
};

struct kw_answer_config {
    char *trust_domain;
    char *region_dir;
    char *request_file;
    char *request_sha256;
    char *approval_file;
    char *carried_file;
    char *answer_file;
    uint32_t ca_days;
    struct kw_region_token token;
};

struct kw_complete_config {
    char *trust_domain;
    char *out_dir;
    char *request_file;
    char *answer_file;
    char *root_file;
    char *root_sha256;
    char *services_file;
    char *services_signature_file;
    struct kw_strings officer_csr_files;
    struct kw_strings edge_hosts;
    uint32_t service_days;
    uint32_t officer_days;
    struct kw_region_token token;
};

struct kw_regions_config {
    char *trust_domain;
    char *region_dir;
    char *regions_file;
};

extern const struct kw_settings_spec kw_request_settings;
extern const struct kw_settings_spec kw_carry_settings;
extern const struct kw_settings_spec kw_answer_settings;
extern const struct kw_settings_spec kw_complete_settings;
extern const struct kw_settings_spec kw_regions_settings;

/* Makes the keys of the region on a fresh token, and asks for the rest. Fails: ALREADY_EXISTS (the
 * token is not fresh), CONFIG_INVALID, ARGUMENT_INVALID (names), HSM_*, SYSTEM. */
struct kw_result kw_core_request(const struct kw_request_config *config, struct kw_error *err);

/* Opens the ceremony's blob with the recovery key and wraps KEK and MAC key for the carrier of an
 * approved request, once root and request are those that people compared. Fails: as
 * kw_region_root_load, kw_region_set_read, kw_region_approved_load and kw_hsm_carry, SYSTEM. */
struct kw_result kw_core_carry(const struct kw_carry_config *config, struct kw_error *err);

/* Certifies the CAs of an approved request by the root, once it is sure that the keys that were
 * carried are this token's. Fails: as kw_region_approved_load and kw_region_carried_read,
 * ALREADY_EXISTS (that region is of the mesh), BINDING_INVALID (other keys were carried),
 * ARGUMENT_INVALID (region_dir's root is not the token's), HSM_*, SYSTEM. */
struct kw_result kw_core_answer(const struct kw_answer_config *config, struct kw_error *err);

/* Believes an answer by the root's digest, takes the keys into the token, and writes what init
 * does. Fails: CONFIG_INVALID, BINDING_INVALID (another root, request, token, key or check value),
 * SIGNATURE_INVALID (root's, officer's), ALREADY_EXISTS (the token has its keys), HSM_KEY_MISSING
 * (it waits for none), IDENTITY_INVALID, HSM_*, SYSTEM. */
struct kw_result kw_core_complete(const struct kw_complete_config *config, struct kw_error *err);

/* Brings a newer set of regions to one that runs. Fails: SIGNATURE_INVALID (not its root's),
 * STATE_CONFLICT (older than what it has), BINDING_INVALID (it says other CAs of this region),
 * NOT_FOUND (this region isn't in it), CONFIG_INVALID, SYSTEM. */
struct kw_result kw_core_regions(const struct kw_regions_config *config, struct kw_error *err);

#endif
