/* Renewal of a service's certificate (docs/formats.md): how the present key vouches for the next
 * one, and when it is time.
 *
 *     not before            half-life        + up to an eighth of the life       not after
 *     |————————————————————————|—————————————————|————————————————————————————————|
 *                               due: one moment in here, another for every certificate
 */
#ifndef KW_COMMON_PKI_RENEWAL_H
#define KW_COMMON_PKI_RENEWAL_H

#include "common/crypto/sign.h"
#include "common/pki/certificate.h"

/* Signs a PKCS#10 request by the next key with the present one. Fails: CRYPTO, MEMORY. */
struct kw_result kw_renewal_sign(const struct kw_private_key *present, struct kw_bytes csr,
                                 struct kw_signature *ret_signature, struct kw_error *err);

/* Fails: SIGNATURE_INVALID, CRYPTO, MEMORY. */
struct kw_result kw_renewal_verify(const struct kw_public_key *present, struct kw_bytes csr,
                                   struct kw_bytes signature, struct kw_error *err);

/* When a certificate is to be renewed, wall time in ms. `spread` is any number that differs between
 * certificates, so that those issued together are not renewed together. Pure. */
uint64_t kw_renewal_due_ms(const struct kw_validity *validity, uint32_t spread);

#endif
