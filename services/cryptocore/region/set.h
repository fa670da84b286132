/* The regions of a mesh: `KWG1` (docs/formats.md), signed by the root. Whom every region trusts. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_SET_H
#define KW_SERVICES_CRYPTOCORE_REGION_SET_H

#include "services/cryptocore/pki_files.h"
#include "services/cryptocore/region/record.h"

#define KW_REGIONS_MAX 16 /* three CAs of callers each: within KW_TRUST_CERTIFICATES_MAX */

/* Bytes point into the record it was read from, or are the caller's. */
struct kw_region_row {
    char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1];
    struct kw_bytes checkpoint;            /* SubjectPublicKeyInfo, DER */
    struct kw_bytes cas[KW_CORE_CA_COUNT]; /* certificates, DER, in the order of kw_core_cas */
};

struct kw_region_set {
    char trust_domain[KW_SPIFFE_DOMAIN_LEN_MAX + 1];
    uint64_t version; /* grows */
    size_t count;
    struct kw_region_row rows[KW_REGIONS_MAX]; /* ascending by region */
};

/* NULL: it is not of the mesh. */
const struct kw_region_row *kw_region_set_find(const struct kw_region_set *set, const char *region);

/* Puts a row in its place. Fails: ALREADY_EXISTS (that region is there), LIMIT_REACHED. */
struct kw_result kw_region_set_add(struct kw_region_set *set, const struct kw_region_row *row,
                                   struct kw_error *err);

/* Appends the record, signed by the root's key in the token. Fails: HSM_*, MEMORY, CRYPTO. */
struct kw_result kw_region_set_write(const struct kw_region_set *set,
                                     struct kw_hsm_ceremony *ceremony, struct kw_buf *record,
                                     struct kw_error *err);

/* Believes nothing but the root: its signature over the record, and over each CA, which must name
 * its row's region. Fails: ENCODING_INVALID, SIGNATURE_INVALID, CONFIG_INVALID (another trust
 * domain), IDENTITY_INVALID (a CA), ARGUMENT_INVALID (a certificate or key), MEMORY, CRYPTO. */
struct kw_result kw_region_set_read(struct kw_bytes record, const struct kw_certificate *root,
                                    const char *trust_domain, struct kw_region_set *ret,
                                    struct kw_error *err);

#endif
