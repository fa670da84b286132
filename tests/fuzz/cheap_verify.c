/* For evidence_fuzz.c and evidence_record_fuzz.c: signatures and chains that cost nothing to check, in place of
 * common/crypto/sign.c and common/pki/trust.c. A signature counts unless its last byte is 0xee, a certificate unless its
 * fingerprint begins with it: what a mutator makes gets past the first check, and the code behind it is reached a
 * thousand times a second. */
#include "tests/fuzz/cheap_verify.h"

#include "common/crypto/sign.h"
#include "common/pki/trust.h"
#include "tests/fuzz/fuzz.h"

#define BAD 0xee

const struct kw_verify_trust *kw_fuzz_evidence_trust(void)
{
    static struct kw_verify_trust trust;
    static struct kw_buf root;
    static struct kw_buf checkpoint;

    if (trust.trust_domain == NULL) {
        root = kw_fuzz_load("keys/evidence.root.pem");
        checkpoint = kw_fuzz_load("keys/evidence.checkpoint.der");
        trust = (struct kw_verify_trust){.root = kw_buf_bytes(&root),
                                         .checkpoint = kw_buf_bytes(&checkpoint),
                                         .trust_domain = "keyward.test"};
    }
    return &trust;
}

struct kw_result kw_ecdsa_sign(const struct kw_private_key *key, struct kw_bytes message,
                               struct kw_signature *ret_signature, struct kw_error *err)
{
    (void)key;
    (void)message;
    (void)ret_signature;
    KW_FAIL(err, CRYPTO, "nothing is signed here");
}

struct kw_result kw_ecdsa_verify(const struct kw_public_key *key, struct kw_bytes message,
                                 struct kw_bytes signature, struct kw_error *err)
{
    (void)key;
    (void)message;
    KW_ENSURE(signature.len > 0 && signature.data[signature.len - 1] != BAD, err, SIGNATURE_INVALID,
              "a bad one");
    return KW_OK;
}

struct kw_result kw_trust_from_pem(struct kw_trust *trust, struct kw_bytes pem,
                                   struct kw_error *err)
{
    KW_ENSURE(pem.len > 0, err, CONFIG_INVALID, "an empty bundle");
    trust->store = X509_STORE_new();
    KW_ENSURE(trust->store != NULL, err, MEMORY, "store");
    return KW_OK;
}

void kw_trust_done(struct kw_trust *trust)
{
    if (trust != NULL) {
        X509_STORE_free(trust->store);
        trust->store = NULL;
    }
}

struct kw_result kw_trust_verify(const struct kw_trust *trust, const struct kw_certificate *leaf,
                                 STACK_OF(X509) * between, enum kw_purpose purpose, uint64_t at_ms,
                                 struct kw_error *err)
{
    uint8_t fingerprint[KW_SHA256_LEN];

    (void)trust;
    (void)between;
    (void)purpose;
    (void)at_ms;
    KW_TRY(kw_certificate_fingerprint(leaf, fingerprint, err));
    KW_ENSURE(fingerprint[0] != BAD, err, IDENTITY_INVALID, "a bad one");
    return KW_OK;
}
