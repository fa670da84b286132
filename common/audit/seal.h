/* Sealing capsules (`KWS1`): one ECDSA signature over the Merkle root of all capsules of one hop
 * message, and a verifier that remembers whom and what it has verified, so that a hop message costs
 * one signature check.
 */
#ifndef KW_COMMON_AUDIT_SEAL_H
#define KW_COMMON_AUDIT_SEAL_H

#include "common/audit/merkle.h"
#include "common/crypto/sign.h"
#include "common/pki/trust.h"

/* A sealed capsule, taken apart. Borrows from the record. */
struct kw_sealed {
    struct kw_bytes capsule; /* KWC1 */
    struct kw_merkle_path path;
    uint8_t signer[KW_SHA256_LEN]; /* fingerprint of authz's leaf certificate */
    struct kw_bytes signature;
};

/* Reads the record; verifies nothing. Fails: ENCODING_INVALID. */
struct kw_result kw_sealed_decode(struct kw_bytes record, struct kw_sealed *ret_sealed,
                                  struct kw_error *err);

/* Seals `count` encoded capsules with one signature: `ret_sealed[i]` gets (appended) the record of
 * `capsules[i]`. `key` is authz's P-256 service key and `fingerprint` that of its leaf certificate.
 * On failure the buffers may hold part of it and are to be released. Any thread. Fails:
 * ARGUMENT_INVALID (count 0 or over KW_SEAL_BATCH_MAX, or not a P-256 key), CRYPTO, MEMORY. */
struct kw_result kw_capsules_seal(const struct kw_private_key *key,
                                  const uint8_t fingerprint[KW_SHA256_LEN],
                                  const struct kw_bytes *capsules, size_t count,
                                  struct kw_buf *ret_sealed, struct kw_error *err);

struct kw_seal_verifier;

/* A verifier that accepts `signer` alone, exactly: authz of the own cell. `trust` (the services' CA
 * bundle) is borrowed and outlives the verifier. One thread at a time. Caller frees. Fails: MEMORY.
 */
struct kw_result kw_seal_verifier_new(const struct kw_trust *trust, const struct kw_spiffe *signer,
                                      struct kw_seal_verifier **ret_verifier, struct kw_error *err);

/* Accepts NULL. */
void kw_seal_verifier_free(struct kw_seal_verifier *verifier);

/* Forgets everything and uses `trust` from now on: after a reload of the CA bundle. */
void kw_seal_verifier_trust(struct kw_seal_verifier *verifier, const struct kw_trust *trust);

/* Verifies a sealed capsule by the signer's leaf certificate (DER), which must chain to the bundle
 * and be valid at wall time `at_ms`: now, or a receipt's time for the offline verifier.
 * `ret_capsule` borrows from `record`. Remembered per certificate: chain, identity and key.
 * Remembered per signature: root and signature bytes together, so that a signature that was altered
 * is never accepted for a root that was verified. Fails: CAPSULE_INVALID (any of it is not as it
 * should be), MEMORY, CRYPTO. */
struct kw_result kw_seal_verify(struct kw_seal_verifier *verifier, struct kw_bytes record,
                                struct kw_bytes signer_certificate, uint64_t at_ms,
                                struct kw_bytes *ret_capsule, struct kw_error *err);

/* How many signatures were checked and how many were remembered. For metrics. */
struct kw_seal_counts {
    uint64_t certificates_checked;
    uint64_t signatures_checked;
    uint64_t signatures_remembered;
};

struct kw_seal_counts kw_seal_verifier_counts(const struct kw_seal_verifier *verifier);

#endif
