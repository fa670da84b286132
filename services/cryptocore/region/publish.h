/* Whom a region trusts, written out of the set of regions: what its services and its edge read. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_PUBLISH_H
#define KW_SERVICES_CRYPTOCORE_REGION_PUBLISH_H

#include "services/cryptocore/region/set.h"

/* The CAs of services of all regions, as PEM: the ca.pem of credentials. Fails: ARGUMENT_INVALID,
 * MEMORY. */
struct kw_result kw_region_services_pem(const struct kw_region_set *set, struct kw_buf *ret_pem,
                                        struct kw_error *err);

/* Writes below `dir` what follows from the set, each file by one rename, the set itself last:
 *
 *     pki/ca-services.pem      the region's own
 *     pki/services-ca.pem      all regions'
 *     pki/ca-{partners,operators,stations}.pem   all regions', the own first
 *     pki/client-ca.pem        those three kinds together
 *     pki/checkpoint.pub, pki/checkpoint-REGION.pub   own and others' checkpoint keys, DER
 *     pki/regions.kwg          the set: `record`
 *
 * `own` is the region's row of the set. Fails: ARGUMENT_INVALID, SYSTEM, MEMORY. */
struct kw_result kw_region_publish(const char *dir, const struct kw_region_set *set,
                                   const struct kw_region_row *own, struct kw_bytes record,
                                   struct kw_error *err);

/* Gives the services of all cells below `dir` the set's CAs to trust; each takes note within seconds.
 * Fails: CONFIG_INVALID (credentials), SYSTEM, MEMORY. */
struct kw_result kw_region_publish_credentials(const char *dir, const struct kw_region_set *set,
                                               struct kw_error *err);

#endif
