/* Certificate requests (PKCS#10, RFC 2986): the proof that the caller holds the key it wants
 * certified, and nothing more. Names and extensions asked for in one are ignored: the issuer
 * decides what it certifies. */
#ifndef KW_COMMON_PKI_CSR_H
#define KW_COMMON_PKI_CSR_H

#include "common/crypto/key.h"

/* Checks a DER request's signature and gives its key, which is made here. Any thread.
 * Fails: ARGUMENT_INVALID (malformed, trailing bytes, not DER, a key or signature that is not ECDSA on P-256
 * or P-384 with SHA-256 or SHA-384), SIGNATURE_INVALID (not signed by its own key). */
struct kw_result kw_csr_verify(struct kw_bytes der, struct kw_public_key *ret_key,
                               struct kw_error *err);

/* Appends a DER request for `key`, with an empty subject. Fails: CRYPTO, MEMORY. */
struct kw_result kw_csr_build(const struct kw_private_key *key, struct kw_buf *ret_der,
                              struct kw_error *err);

#endif
