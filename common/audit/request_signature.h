/* The caller's own signature on a mutation: metadata `keyward-signature-bin` (docs/formats.md). */
#ifndef KW_COMMON_AUDIT_REQUEST_SIGNATURE_H
#define KW_COMMON_AUDIT_REQUEST_SIGNATURE_H

#include "common/base/id.h"
#include "common/crypto/digest.h"
#include "common/crypto/sign.h"

/* What is signed. Borrowed for the call. */
struct kw_signed_request {
    struct kw_bytes method;     /* path: "/keyward.v1.GrantService/CreateGrant" */
    struct kw_bytes request_id; /* the 16 bytes of the UUID in the body */
    const uint8_t *body_hash;   /* KW_SHA256_LEN: of the request message as sent */
};

/* The value, taken apart. Borrows from it. */
struct kw_request_signature {
    uint64_t not_after_ms; /* wall time, since 1970 */
    struct kw_bytes signature;
};

/* Reads the value; verifies nothing. Fails: SIGNATURE_INVALID (malformed). */
struct kw_result kw_request_signature_decode(struct kw_bytes value,
                                             struct kw_request_signature *ret_signature,
                                             struct kw_error *err);

/* Signs and appends the value. `key` is the key of the caller's certificate, P-256 or P-384. Fails:
 * CRYPTO, MEMORY. */
struct kw_result kw_request_signature_make(const struct kw_private_key *key,
                                           const struct kw_signed_request *request,
                                           uint64_t not_after_ms, struct kw_buf *ret_value,
                                           struct kw_error *err);

/* Is the value a signature of this request by this key? Says nothing about when: for records looked
 * at later. Fails: SIGNATURE_INVALID, CRYPTO, MEMORY. */
struct kw_result kw_request_signature_verify(const struct kw_public_key *key,
                                             const struct kw_signed_request *request,
                                             struct kw_bytes value, struct kw_error *err);

/* The same, and fresh at wall time `now_ms`: not-after is not past and at most
 * KW_REQUEST_SIGNATURE_AHEAD_MS ahead. Replays are found by the request id, not here. Fails:
 * SIGNATURE_INVALID, CRYPTO, MEMORY. */
struct kw_result kw_request_signature_verify_fresh(const struct kw_public_key *key,
                                                   const struct kw_signed_request *request,
                                                   struct kw_bytes value, uint64_t now_ms,
                                                   struct kw_error *err);

#endif
