/* The first officer's approval of a region's request: whose it must be, and that it is. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_APPROVAL_H
#define KW_SERVICES_CRYPTOCORE_REGION_APPROVAL_H

#include "services/cryptocore/region/request.h"
#include "services/cryptocore/region/set.h"

/* Where it lies, and what is known of it. */
struct kw_region_approval_source {
    const char *pki_dir; /* the first region's */
    const char *request_file;
    const char *request_sha256; /* as people compared it */
    const char *approval_file;
};

/* A request as it came, and read. Release with kw_region_approved_done. */
struct kw_region_approved {
    struct kw_buf record; /* KWQ1: `request` points into it */
    struct kw_buf approval;
    struct kw_region_request request;
};

/* Is `approval` by this officer's key, over the request? Fails: SIGNATURE_INVALID, MEMORY, CRYPTO. */
struct kw_result kw_region_approval_check(const struct kw_certificate *officer,
                                          struct kw_bytes request, struct kw_bytes approval,
                                          struct kw_error *err);

/* Reads a request and its approval, by the officer who signed the first region's list and is an
 * operator by a CA of `set`, which the caller believes. Fails: CONFIG_INVALID (files, another trust
 * domain), as kw_region_request_load, kw_core_pki_load, kw_region_officer_check,
 * kw_region_request_read and kw_region_approval_check. */
struct kw_result kw_region_approved_load(const struct kw_region_approval_source *from,
                                         const struct kw_region_set *set,
                                         struct kw_region_approved *ret, struct kw_error *err);
void kw_region_approved_done(struct kw_region_approved *approved);

#endif
