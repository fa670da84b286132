/* The first certificates of a region: of the services of its list, and of officers. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_ISSUE_H
#define KW_SERVICES_CRYPTOCORE_REGION_ISSUE_H

#include "common/base/settings.h"
#include "services/cryptocore/region/list.h"
#include "services/cryptocore/region/set.h"

/* By whom, where to, for how long. All borrowed. */
struct kw_region_issuer {
    struct kw_hsm_ceremony *ceremony;
    const struct kw_region_set *set;
    const struct kw_region_row *own; /* in the set */
    const char *out_dir;
    const char *trust_domain;
    const struct kw_strings *edge_hosts; /* names of the gateways */
    uint32_t service_days;
    uint32_t officer_days;
};

/* From a little before now. */
struct kw_validity kw_region_valid_for(uint32_t days);

/* Makes key and certificate of each service, below credentials/CELL/NAME. Fails: HSM_*, SYSTEM,
 * MEMORY, CRYPTO. */
struct kw_result kw_region_issue_services(const struct kw_region_issuer *issuer,
                                          const struct kw_region_list *list, struct kw_error *err);

/* A certificate for the key of a PKCS#10 request (DER, in a file), for an operator with a new id,
 * below officers/; appended to `ret_pem` too. Fails: CONFIG_INVALID, ARGUMENT_INVALID,
 * SIGNATURE_INVALID, HSM_*, SYSTEM, MEMORY. */
struct kw_result kw_region_issue_officer(const struct kw_region_issuer *issuer,
                                         const char *csr_path, struct kw_buf *ret_pem,
                                         struct kw_error *err);

#endif
