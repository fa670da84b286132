/* What the root's region answers to a request: `KWA1` (docs/formats.md). All that a new region needs, signed by the
 * root. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_ANSWER_H
#define KW_SERVICES_CRYPTOCORE_REGION_ANSWER_H

#include "services/cryptocore/region/request.h"
#include "services/cryptocore/region/set.h"

#define KW_REGION_OFFICERS_MAX 64

/* Bytes point into the record it was read from, or are the caller's. */
struct kw_region_answer {
    uint8_t request_digest[KW_SHA256_LEN];
    uint64_t time_ms;
    struct kw_bytes approval;                         /* of the request, by the first officer */
    struct kw_bytes set;                              /* KWG1, with the new region in it */
    struct kw_bytes carried;                          /* KWT1 */
    struct kw_bytes officers[KW_REGION_OFFICERS_MAX]; /* certificates, DER; the first approved */
    size_t officer_count;
};

/* Appends the record, signed by the root's key in the token. Fails: HSM_*, MEMORY, CRYPTO. */
struct kw_result kw_region_answer_write(const struct kw_region_answer *answer,
                                        struct kw_hsm_ceremony *ceremony, struct kw_buf *record,
                                        struct kw_error *err);

/* Fails: ENCODING_INVALID, SIGNATURE_INVALID (not this root's), BINDING_INVALID (an answer to
 * another request), MEMORY, CRYPTO. */
struct kw_result kw_region_answer_read(struct kw_bytes record, const struct kw_certificate *root,
                                       const struct kw_region_request *request,
                                       struct kw_region_answer *ret, struct kw_error *err);

#endif
