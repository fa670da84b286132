/* Whom we believe: a set of CA certificates, and the check of a leaf against it (RFC 5280, our
 * profile).
 *
 * The profile: keys on P-256 or P-384 and ECDSA with SHA-256 or SHA-384 in the whole chain, an
 * extended key usage that names the purpose, and no CA certificate in a leaf's place. Any CA of the
 * set is an anchor, also one that is not a root, so that a listener can trust the partners' issuing
 * CA alone, and a CA that names a region certifies that region's services alone (region.h). No
 * network is used.
 */
#ifndef KW_COMMON_PKI_TRUST_H
#define KW_COMMON_PKI_TRUST_H

#include "common/pki/certificate.h"

#include <openssl/x509.h>

enum kw_purpose {
    KW_PURPOSE_CLIENT,
    KW_PURPOSE_SERVER,
};

/* Owned by the caller's storage; release with kw_trust_done. Any number of threads may verify at
 * once. */
struct kw_trust {
    X509_STORE *store;
};

/* Reads a PEM bundle, each of which must be a CA certificate within the profile.
 * Fails: CONFIG_INVALID (empty, malformed, not a CA, a key or signature outside the profile, too
 * many). */
struct kw_result kw_trust_from_pem(struct kw_trust *trust, struct kw_bytes pem,
                                   struct kw_error *err);

/* Accepts NULL and zeroed. */
void kw_trust_done(struct kw_trust *trust);

/* Is `ca` an issuing CA within the profile, below `root` and signed by its key? Time isn't looked at.
 * Fails: IDENTITY_INVALID, ARGUMENT_INVALID (the profile). */
struct kw_result kw_certificate_issued_ca(const struct kw_certificate *ca,
                                          const struct kw_certificate *root, struct kw_error *err);

/* Checks `leaf` for `purpose` at wall time `at_ms`. `between` are certificates the peer sent along,
 * used but not trusted; may be NULL. Fails: IDENTITY_INVALID (foreign CA, expired or not yet valid,
 * other purpose, CA as leaf, another region's service, outside the profile), MEMORY, CRYPTO. */
struct kw_result kw_trust_verify(const struct kw_trust *trust, const struct kw_certificate *leaf,
                                 STACK_OF(X509) * between, enum kw_purpose purpose, uint64_t at_ms,
                                 struct kw_error *err);

#endif
