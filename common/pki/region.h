/* The region of an issuing CA: the only organisational unit (OU) of its subject. Such a CA certifies services of that
 * region and of no other, so that a region whose services CA is captured can't speak for another one.
 *
 * A CA that names no region isn't held to one: a root, which issues CAs. Callers belong to no region.
 */
#ifndef KW_COMMON_PKI_REGION_H
#define KW_COMMON_PKI_REGION_H

#include "common/pki/certificate.h"

/* The region that a CA's certificate names. Fails: IDENTITY_INVALID (none, several, or no name of a
 * region). */
struct kw_result kw_certificate_region(const struct kw_certificate *ca,
                                       char ret_region[KW_SPIFFE_SEGMENT_LEN_MAX + 1],
                                       struct kw_error *err);

/* Is `leaf` one that the CA in its issuer's name may certify? Where the chain was verified, that name
 * is the CA's subject: whoever sent the leaf can't choose it. kw_trust_verify asks this; who leaves
 * the chain to another (gRPC) asks it himself. Any thread. Fails: IDENTITY_INVALID (a service of
 * another region; an issuer of several). */
struct kw_result kw_region_check(const X509 *leaf, struct kw_error *err);

/* What a root calls each CA of services, beside its region. */
#define KW_SERVICES_CA_NAME "Keyward services CA"

/* Is the CA in its issuer's name the services CA of this region? Who trusts a root alone tells it from the CAs of callers by that,
 * after kw_trust_verify. Any thread. */
bool kw_region_services_issued(const X509 *leaf, const char *region);

#endif
