/* The first officer's approval of a region's request: whose it must be, and that it is. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_APPROVAL_H
#define KW_SERVICES_CRYPTOCORE_REGION_APPROVAL_H

#include "services/cryptocore/region/request.h"

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

/* Reads a request and its approval, by the officer who signed the first region's list, whose `pki_dir`
 * this is. Fails: CONFIG_INVALID (files, another trust domain), as kw_core_pki_load,
 * kw_region_request_read and kw_region_approval_check. */
struct kw_result kw_region_approved_load(const char *pki_dir, const char *trust_domain,
                                         const char *request_path, const char *approval_path,
                                         struct kw_region_approved *ret, struct kw_error *err);
void kw_region_approved_done(struct kw_region_approved *approved);

#endif
