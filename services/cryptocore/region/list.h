/* The list of services of a region, read: SPIFFE ids, one a line, of one region and of one cell or several. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_LIST_H
#define KW_SERVICES_CRYPTOCORE_REGION_LIST_H

#include "common/crypto/key.h"
#include "common/pki/spiffe.h"

#define KW_REGION_SERVICES_MAX 1024

/* Zeroed: empty. Release with kw_region_list_done. */
struct kw_region_list {
    struct kw_buf text; /* as it was signed */
    struct kw_buf signature;
    struct kw_spiffe *services;
    size_t count;
};

/* Reads the list and its signature, which must be the officer's: whoever runs a ceremony can't add
 * a service. Fails: CONFIG_INVALID (files; a line that is no service of `trust_domain`; two regions;
 * a service named twice; none, or over KW_REGION_SERVICES_MAX), IDENTITY_INVALID (a line is no
 * SPIFFE id), SIGNATURE_INVALID, MEMORY, CRYPTO. */
struct kw_result kw_region_list_load(struct kw_region_list *list, const char *path,
                                     const char *signature_path,
                                     const struct kw_public_key *officer, const char *trust_domain,
                                     struct kw_error *err);

/* Writes list and signature below out_dir, for the core. Fails: CONFIG_INVALID, SYSTEM. */
struct kw_result kw_region_list_put(const struct kw_region_list *list, const char *out_dir,
                                    struct kw_error *err);
void kw_region_list_done(struct kw_region_list *list);

/* The region of its services. Of a list that was loaded. */
const char *kw_region_list_region(const struct kw_region_list *list);

#endif
