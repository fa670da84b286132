/* Verifying seals: signer certificates and signatures are each checked once and remembered, the
 * least recently used making room. Both memories are small arrays that are searched: a mesh has a
 * handful of signers, and the capsules of one hop message arrive together. */
#include "common/audit/record.h"
#include "common/audit/seal.h"
#include "common/audit/seal_message.h"

#include <stdlib.h>

struct signer {
    uint64_t used; /* 0: free */
    uint8_t fingerprint[KW_SHA256_LEN];
    struct kw_buf der;
    struct kw_validity validity;
    struct kw_public_key key;
};

/* The signature is part of what is remembered: see kw_seal_verify. */
struct root {
    uint64_t used; /* 0: free */
    uint8_t signer[KW_SHA256_LEN];
    uint32_t leaf_count;
    struct kw_hash hash;
    struct kw_signature signature;
};

struct kw_seal_verifier {
    const struct kw_trust *trust;
    struct kw_spiffe identity;
    uint64_t uses; /* a clock for "least recently" */
    struct kw_seal_counts counts;
    struct signer signers[KW_SEAL_SIGNERS_MAX];
    struct root roots[KW_SEAL_ROOTS_MAX];
};

struct kw_result kw_seal_verifier_new(const struct kw_trust *trust, const struct kw_spiffe *signer,
                                      struct kw_seal_verifier **ret_verifier, struct kw_error *err)
{
    struct kw_seal_verifier *verifier = calloc(1, sizeof(*verifier));

    KW_ENSURE(verifier != NULL, err, MEMORY, "seal verifier");
    verifier->trust = trust;
    verifier->identity = *signer;
    *ret_verifier = verifier;
    return KW_OK;
}

static void signer_done(struct signer *signer)
{
    kw_buf_done(&signer->der);
    kw_public_key_done(&signer->key);
    *signer = (struct signer){0};
}

void kw_seal_verifier_trust(struct kw_seal_verifier *verifier, const struct kw_trust *trust)
{
    for (size_t i = 0; i < KW_SEAL_SIGNERS_MAX; i++) {
        signer_done(&verifier->signers[i]);
    }
    for (size_t i = 0; i < KW_SEAL_ROOTS_MAX; i++) {
        verifier->roots[i] = (struct root){0};
    }
    verifier->trust = trust;
}

void kw_seal_verifier_free(struct kw_seal_verifier *verifier)
{
    if (verifier == NULL) {
        return;
    }
    kw_seal_verifier_trust(verifier, NULL);
    free(verifier);
}

struct kw_seal_counts kw_seal_verifier_counts(const struct kw_seal_verifier *verifier)
{
    return verifier->counts;
}

/* Fills `signer` from a certificate that is authz's of this cell, now; the one place that believes
 * one. */
static struct kw_result signer_check(const struct kw_seal_verifier *verifier, struct kw_bytes der,
                                     uint64_t at_ms, struct signer *signer, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    struct kw_spiffe identity;

    KW_TRY(kw_certificate_from_der(&certificate, der, err));
    KW_TRY(kw_trust_verify(verifier->trust, &certificate, NULL, KW_PURPOSE_CLIENT, at_ms, err));
    KW_TRY(kw_certificate_identity(&certificate, verifier->identity.trust_domain, &identity, err));
    KW_ENSURE(kw_spiffe_equal(&identity, &verifier->identity), err, IDENTITY_INVALID,
              "the signer is not this cell's authz");
    KW_TRY(kw_certificate_validity(&certificate, &signer->validity, err));
    KW_TRY(kw_sha256(der, signer->fingerprint, err));
    KW_TRY(kw_buf_append(&signer->der, der, err));
    KW_TRY(kw_certificate_public_key(&certificate, &signer->key, err));
    KW_ENSURE(signer->key.curve == KW_CURVE_P256, err, IDENTITY_INVALID,
              "the signer's key is not on P-256");
    return KW_OK;
}

static struct signer *signer_oldest(struct kw_seal_verifier *verifier)
{
    struct signer *oldest = &verifier->signers[0];

    for (size_t i = 1; i < KW_SEAL_SIGNERS_MAX; i++) {
        if (verifier->signers[i].used < oldest->used) {
            oldest = &verifier->signers[i];
        }
    }
    return oldest;
}

static struct signer *signer_remembered(struct kw_seal_verifier *verifier,
                                        struct kw_bytes certificate, uint64_t at_ms)
{
    for (size_t i = 0; i < KW_SEAL_SIGNERS_MAX; i++) {
        struct signer *signer = &verifier->signers[i];

        if (signer->used != 0 && at_ms >= signer->validity.not_before_ms &&
            at_ms <= signer->validity.not_after_ms &&
            kw_bytes_equal(kw_buf_bytes(&signer->der), certificate)) {
            return signer;
        }
    }
    return NULL;
}

static struct kw_result find_signer(struct kw_seal_verifier *verifier, struct kw_bytes certificate,
                                    uint64_t at_ms, struct signer **ret_signer,
                                    struct kw_error *err)
{
    struct signer *signer = signer_remembered(verifier, certificate, at_ms);

    if (signer == NULL) {
        struct signer checked = {0};
        struct kw_result result = signer_check(verifier, certificate, at_ms, &checked, err);

        verifier->counts.certificates_checked++;
        if (!kw_ok(result)) {
            signer_done(&checked);
            return result;
        }
        signer = signer_oldest(verifier);
        signer_done(signer);
        *signer = checked;
    }
    signer->used = ++verifier->uses;
    *ret_signer = signer;
    return KW_OK;
}

static bool root_matches(const struct root *root, const struct kw_sealed *sealed,
                         const struct kw_hash *hash)
{
    return root->used != 0 && root->leaf_count == sealed->path.leaf_count &&
           memcmp(root->hash.bytes, hash->bytes, sizeof(hash->bytes)) == 0 &&
           memcmp(root->signer, sealed->signer, sizeof(root->signer)) == 0 &&
           kw_bytes_equal(kw_signature_bytes(&root->signature), sealed->signature);
}

/* The root if it is remembered, else the place that is to be filled with it. */
static struct root *root_place(struct kw_seal_verifier *verifier, const struct kw_sealed *sealed,
                               const struct kw_hash *hash)
{
    struct root *oldest = &verifier->roots[0];

    for (size_t i = 0; i < KW_SEAL_ROOTS_MAX; i++) {
        struct root *root = &verifier->roots[i];

        if (root_matches(root, sealed, hash)) {
            return root;
        }
        if (root->used < oldest->used) {
            oldest = root;
        }
    }
    return oldest;
}

static void root_remember(struct root *root, const struct kw_sealed *sealed,
                          const struct kw_hash *hash)
{
    *root = (struct root){.leaf_count = sealed->path.leaf_count, .hash = *hash};
    kw_copy(root->signer, sealed->signer, sizeof(root->signer));
    kw_copy(root->signature.bytes, sealed->signature.data, sealed->signature.len);
    root->signature.len = sealed->signature.len;
}

static struct kw_result check_root(struct kw_seal_verifier *verifier, const struct signer *signer,
                                   const struct kw_sealed *sealed, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_hash hash;
    struct root *root;

    KW_TRY(kw_merkle_leaf(sealed->capsule, &hash, err));
    KW_TRY(kw_merkle_climb(&hash, &sealed->path, &hash, err));
    root = root_place(verifier, sealed, &hash);
    if (root_matches(root, sealed, &hash)) {
        verifier->counts.signatures_remembered++;
    } else {
        verifier->counts.signatures_checked++;
        KW_TRY(kw_seal_message(sealed->path.leaf_count, &hash, &message, err));
        KW_TRY(kw_ecdsa_verify(&signer->key, kw_buf_bytes(&message), sealed->signature, err));
        root_remember(root, sealed, &hash);
    }
    root->used = ++verifier->uses;
    return KW_OK;
}

static struct kw_result verify(struct kw_seal_verifier *verifier, struct kw_bytes record,
                               struct kw_bytes signer_certificate, uint64_t at_ms,
                               struct kw_bytes *ret_capsule, struct kw_error *err)
{
    struct kw_sealed sealed;
    struct signer *signer;

    KW_TRY(kw_sealed_decode(record, &sealed, err));
    KW_TRY(find_signer(verifier, signer_certificate, at_ms, &signer, err));
    KW_ENSURE(memcmp(signer->fingerprint, sealed.signer, sizeof(sealed.signer)) == 0, err,
              CAPSULE_INVALID, "sealed by another certificate");
    KW_TRY(check_root(verifier, signer, &sealed, err));
    *ret_capsule = sealed.capsule;
    return KW_OK;
}

struct kw_result kw_seal_verify(struct kw_seal_verifier *verifier, struct kw_bytes record,
                                struct kw_bytes signer_certificate, uint64_t at_ms,
                                struct kw_bytes *ret_capsule, struct kw_error *err)
{
    struct kw_error inner = {0};
    struct kw_result result =
        verify(verifier, record, signer_certificate, at_ms, ret_capsule, &inner);

    return kw_record_refuse_capsule(result, &inner, err);
}
