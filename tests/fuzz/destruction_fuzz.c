/* Destructions as their officers signed them (KWZ1). Signatures and chains cost nothing here, so that what is asked
 * besides is reached: a signature counts unless its last byte is 0xee, every chain does. What is believed then is canonical, of
 * the very key, no dry run, and by an operator's certificate that was good when it was signed.
 *
 * Input: whose key u8 (1: another) ‖ a record. */
#include "common/audit/request_signature.h"
#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/rpc/messages.h"
#include "common/rpc/resource.h"
#include "services/orchestrator/destruction.h"
#include "tests/fuzz/fuzz.h"

#include <keyward/v1/key_service.pb-c.h>

#define ARENA_MAX KW_REQUEST_ARENA_MAX
#define BAD       0xee

static char domain[] = "keyward.test";

/* The linker puts these before the real ones (--wrap). */
struct kw_result __wrap_kw_ecdsa_verify(const struct kw_public_key *key, struct kw_bytes message,
                                        struct kw_bytes signature, struct kw_error *err);
struct kw_result __wrap_kw_trust_verify(const struct kw_trust *trust,
                                        const struct kw_certificate *leaf, STACK_OF(X509) * between,
                                        enum kw_purpose purpose, uint64_t at_ms,
                                        struct kw_error *err);

struct kw_result __wrap_kw_ecdsa_verify(const struct kw_public_key *key, struct kw_bytes message,
                                        struct kw_bytes signature, struct kw_error *err)
{
    KW_FUZZ_CHECK(key->evp != NULL && message.len > strlen("KEYWARD-SIG-v1"));
    KW_ENSURE(signature.len > 0 && signature.data[signature.len - 1] != BAD, err, SIGNATURE_INVALID,
              "a bad one");
    return KW_OK;
}

struct kw_result __wrap_kw_trust_verify(const struct kw_trust *trust,
                                        const struct kw_certificate *leaf, STACK_OF(X509) * between,
                                        enum kw_purpose purpose, uint64_t at_ms,
                                        struct kw_error *err)
{
    (void)at_ms;
    (void)err;
    KW_FUZZ_CHECK(trust != NULL && leaf->x509 != NULL);
    KW_FUZZ_CHECK(between == NULL && purpose == KW_PURPOSE_CLIENT);
    return KW_OK;
}

/* Read by this file alone. */
static void take_apart(struct kw_bytes record, struct kw_destruction *ret_destruction)
{
    struct kw_reader r = KW_READER(record);

    KW_FUZZ_CHECK(kw_bytes_equal(kw_get_raw(&r, strlen("KWZ1")), kw_bytes_str("KWZ1")));
    ret_destruction->body = kw_get_var(&r);
    ret_destruction->signature = kw_get_var(&r);
    ret_destruction->certificate = kw_get_var(&r);
    KW_FUZZ_MUST(kw_reader_end(&r, "a destruction", NULL));
}

static void is_canonical(const struct kw_destruction *destruction, struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};

    KW_FUZZ_MUST(kw_destruction_encode(destruction, &again, NULL));
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
}

static void names(const struct kw_destruction *destruction, struct kw_id key)
{
    struct kw_arena *arena = kw_arena_new(ARENA_MAX);
    const Keyward__V1__DestroyKeyRequest *request;
    struct kw_resource_ids ids;
    ProtobufCMessage *message;

    KW_FUZZ_CHECK(arena != NULL);
    KW_FUZZ_MUST(kw_message_unpack(&keyward__v1__destroy_key_request__descriptor, destruction->body,
                                   arena, &message, NULL));
    request = (const Keyward__V1__DestroyKeyRequest *)message;
    KW_FUZZ_MUST(kw_resource_parse(KW_RESOURCE_KEY, request->name, &ids, NULL));
    KW_FUZZ_CHECK(kw_id_equal(ids.id[1], key) && !request->validate_only);
    kw_arena_free(arena);
}

static void was_an_officers(const struct kw_destruction *destruction)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_request_signature signature;
    struct kw_validity validity;
    struct kw_spiffe id;

    KW_FUZZ_MUST(kw_certificate_from_der(&leaf, destruction->certificate, NULL));
    KW_FUZZ_MUST(kw_certificate_identity(&leaf, domain, &id, NULL));
    KW_FUZZ_CHECK(id.role == KW_ROLE_OPERATOR);
    KW_FUZZ_MUST(kw_certificate_validity(&leaf, &validity, NULL));
    KW_FUZZ_MUST(kw_request_signature_decode(destruction->signature, &signature, NULL));
    KW_FUZZ_CHECK(signature.not_after_ms >= validity.not_before_ms &&
                  signature.not_after_ms <= validity.not_after_ms + KW_REQUEST_SIGNATURE_AHEAD_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct kw_officers_trust officers = {.trust_domain = domain};
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    struct kw_id key = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    struct kw_destruction destruction = {0};
    struct kw_error err = {0};

    key.bytes[0] ^= kw_fuzz_u8(&input) & 1;
    if (kw_fuzz_accepted(kw_destruction_prove(input.rest, key, &officers, &err), &err)) {
        take_apart(input.rest, &destruction);
        is_canonical(&destruction, input.rest);
        names(&destruction, key);
        was_an_officers(&destruction);
    }
    return 0;
}
