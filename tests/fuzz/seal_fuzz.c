/* Sealed capsules (KWS1): taken apart, climbed to the root, and shown to a verifier that believes in a CA whose key
 * nobody has: whatever comes, it is refused. */
#include "common/audit/seal.h"
#include "tests/fuzz/fuzz.h"

#define TIME_MS UINT64_C(1767225600000) /* when the vectors' certificates are valid */

static struct kw_seal_verifier *verifier;
static struct kw_trust trust;

static void set_up(void)
{
    struct kw_buf pem = kw_fuzz_load("keys/stranger.pem");
    struct kw_spiffe signer;

    KW_FUZZ_MUST(kw_trust_from_pem(&trust, kw_buf_bytes(&pem), NULL));
    kw_buf_done(&pem);
    KW_FUZZ_MUST(kw_spiffe_service("keyward.test", "eu-1", "a", "authz", &signer, NULL));
    KW_FUZZ_MUST(kw_seal_verifier_new(&trust, &signer, &verifier, NULL));
}

static void climb(const struct kw_sealed *sealed)
{
    struct kw_error err = {0};
    struct kw_hash leaf;
    struct kw_hash root;

    KW_FUZZ_MUST(kw_merkle_leaf(sealed->capsule, &leaf, NULL));
    if (kw_fuzz_accepted(kw_merkle_climb(&leaf, &sealed->path, &root, &err), &err)) {
        KW_FUZZ_CHECK(sealed->path.leaf_index < sealed->path.leaf_count &&
                      sealed->path.leaf_count <= KW_SEAL_BATCH_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    struct kw_bytes certificate = kw_fuzz_piece(&input);
    struct kw_sealed sealed;
    struct kw_error err = {0};
    struct kw_bytes capsule;

    if (verifier == NULL) {
        set_up();
    }
    if (kw_fuzz_accepted(kw_sealed_decode(input.rest, &sealed, &err), &err)) {
        climb(&sealed);
    }
    KW_FUZZ_CHECK(!kw_fuzz_accepted(
        kw_seal_verify(verifier, input.rest, certificate, TIME_MS, &capsule, &err), &err));
    return 0;
}
