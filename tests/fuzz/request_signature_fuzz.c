/* The caller's signature (keyward-signature-bin): taken apart and checked with a key; nobody signed these. */
#include "common/audit/request_signature.h"
#include "tests/fuzz/fuzz.h"

static struct kw_public_key key;

static void set_up(void)
{
    struct kw_private_key pair = {0};

    KW_FUZZ_MUST(kw_private_key_generate(&pair, KW_CURVE_P256, NULL));
    KW_FUZZ_MUST(kw_private_key_public(&pair, &key, NULL));
    kw_private_key_done(&pair);
}

/* Now, and at any time. */
static bool verifies(const struct kw_signed_request *request, struct kw_bytes value,
                     uint64_t now_ms)
{
    struct kw_error err = {0};
    bool fresh = kw_fuzz_accepted(
        kw_request_signature_verify_fresh(&key, request, value, now_ms, &err), &err);

    return kw_fuzz_accepted(kw_request_signature_verify(&key, request, value, &err), &err) || fresh;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t body_hash[KW_SHA256_LEN];
    static const uint8_t request_id[KW_ID_LEN];
    struct kw_signed_request request = {.method = kw_bytes_str("/keyward.v1.KeyService/GetKey"),
                                        .request_id = KW_BYTES_OF(request_id),
                                        .body_hash = body_hash};
    struct kw_request_signature signature;
    struct kw_error err = {0};

    if (key.evp == NULL) {
        set_up();
    }
    if (!kw_fuzz_accepted(kw_request_signature_decode(KW_BYTES(data, size), &signature, &err),
                          &err)) {
        return 0;
    }
    KW_FUZZ_CHECK(signature.signature.len == size - sizeof(uint64_t) - sizeof(uint16_t));
    KW_FUZZ_CHECK(!verifies(&request, KW_BYTES(data, size), signature.not_after_ms));
    KW_FUZZ_CHECK(!verifies(&request, KW_BYTES(data, size), signature.not_after_ms + 1));
    KW_FUZZ_CHECK(!verifies(&request, KW_BYTES(data, size), signature.not_after_ms / 2));
    request.request_id.len = size % (KW_ID_LEN + 1);
    KW_FUZZ_CHECK(!verifies(&request, KW_BYTES(data, size), signature.not_after_ms));
    return 0;
}
