/* Certificates as we read them: parse, identity, fingerprint, serial, validity, key. Whether one is
 * to be believed is trust.h's business. */
#ifndef KW_COMMON_PKI_CERTIFICATE_H
#define KW_COMMON_PKI_CERTIFICATE_H

#include "common/crypto/digest.h"
#include "common/crypto/key.h"
#include "common/pki/spiffe.h"

#define KW_SERIAL_LEN_MAX 20 /* RFC 5280 §4.1.2.2 */

/* Owned by the caller's storage; release with kw_certificate_done. Immutable: any thread. */
struct kw_certificate {
    X509 *x509;
};

/* Big-endian, without leading zeros. */
struct kw_serial {
    uint8_t bytes[KW_SERIAL_LEN_MAX];
    size_t len;
};

/* Wall time, milliseconds since 1970; certificates carry whole seconds. */
struct kw_validity {
    uint64_t not_before_ms;
    uint64_t not_after_ms;
};

/* Reads one DER certificate, with nothing after it, spelled as kw_certificate_to_der writes it: one
 * certificate has one fingerprint. Fails: ARGUMENT_INVALID. */
struct kw_result kw_certificate_from_der(struct kw_certificate *certificate, struct kw_bytes der,
                                         struct kw_error *err);

/* Reads the first certificate of a PEM text. Fails: ARGUMENT_INVALID. */
struct kw_result kw_certificate_from_pem(struct kw_certificate *certificate, struct kw_bytes pem,
                                         struct kw_error *err);

/* Accepts NULL and zeroed. */
void kw_certificate_done(struct kw_certificate *certificate);

/* Append to the buffer. Fail: MEMORY, CRYPTO. */
struct kw_result kw_certificate_to_der(const struct kw_certificate *certificate,
                                       struct kw_buf *ret_der, struct kw_error *err);
struct kw_result kw_certificate_to_pem(const struct kw_certificate *certificate,
                                       struct kw_buf *ret_pem, struct kw_error *err);

/* Whom the certificate names: its only URI SAN, in `trust_domain`. The subject's CN is never looked
 * at. Fails: IDENTITY_INVALID (no URI SAN, more than one, not one of our ids, foreign trust
 * domain). */
struct kw_result kw_certificate_identity(const struct kw_certificate *certificate,
                                         const char *trust_domain, struct kw_spiffe *ret_id,
                                         struct kw_error *err);

/* SHA-256 of the DER form. Fails: CRYPTO. */
struct kw_result kw_certificate_fingerprint(const struct kw_certificate *certificate,
                                            uint8_t ret_fingerprint[KW_SHA256_LEN],
                                            struct kw_error *err);

/* Fails: ARGUMENT_INVALID (zero, negative, or longer than RFC 5280 allows). */
struct kw_result kw_certificate_serial(const struct kw_certificate *certificate,
                                       struct kw_serial *ret_serial, struct kw_error *err);

/* Fails: ARGUMENT_INVALID (a date that does not exist, or before 1970). */
struct kw_result kw_certificate_validity(const struct kw_certificate *certificate,
                                         struct kw_validity *ret_validity, struct kw_error *err);

/* The subject's key. `ret_key` is made here. Fails: ARGUMENT_INVALID (not P-256 or P-384). */
struct kw_result kw_certificate_public_key(const struct kw_certificate *certificate,
                                           struct kw_public_key *ret_key, struct kw_error *err);

#endif
