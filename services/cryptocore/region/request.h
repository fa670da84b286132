/* What a new region asks for: `KWQ1` (docs/formats.md). Its keys, each with a signature by itself over all of it. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_REQUEST_H
#define KW_SERVICES_CRYPTOCORE_REGION_REQUEST_H

#include "common/base/id.h"
#include "services/cryptocore/region/record.h"

/* The carrier, the issuing CAs in the order of kw_core_cas, the checkpoint key. */
#define KW_REGION_KEYS       6
#define KW_REGION_KEY_CA     1 /* the first CA's */
#define KW_REGION_CHECKPOINT 5
extern const enum kw_hsm_signer kw_region_signers[KW_REGION_KEYS];

/* Plain data; bytes point into the record it was read from, or are the caller's. */
struct kw_region_request {
    struct kw_id nonce;
    uint64_t time_ms;
    char trust_domain[KW_SPIFFE_DOMAIN_LEN_MAX + 1];
    char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1];
    struct kw_hsm_token_info token;
    struct kw_bytes keys[KW_REGION_KEYS]; /* SubjectPublicKeyInfo, DER */
    uint8_t digest[KW_SHA256_LEN];        /* of the record; read only */
};

/* Appends the record, with each key's signature made by the token. Fails: HSM_*, MEMORY, CRYPTO,
 * SIGNATURE_INVALID. */
struct kw_result kw_region_request_write(const struct kw_region_request *request,
                                         struct kw_hsm_ceremony *ceremony, struct kw_buf *record,
                                         struct kw_error *err);

/* Fails: ENCODING_INVALID (malformed), ARGUMENT_INVALID (a key; the region's name),
 * SIGNATURE_INVALID (a key did not sign it), MEMORY, CRYPTO. */
struct kw_result kw_region_request_read(struct kw_bytes record, struct kw_region_request *ret,
                                        struct kw_error *err);

#endif
