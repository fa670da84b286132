/* Vouchers (KWV1), and officers' orders (KWO1). What is read is canonical. Signatures and chains cost nothing here, so
 * that what is asked besides is reached: a signature counts unless its last byte is 0xee, every chain does. What is
 * believed then is of the place and the service that its certificate names, of our mesh, issued by then and in its
 * certificate's time.
 *
 * Input: how u8 (1: of another mesh, 2: the reader is an orchestrator) ‖ seconds u32, from half of them before the
 * vectors' time ‖ a record. */
#include "common/base/codec.h"
#include "common/feed/order.h"
#include "common/feed/voucher.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_MAX (256U * 1024U)
#define BAD       0xee
#define TIME_MS   UINT64_C(1767225600000) /* when the vectors' certificates are valid */

enum how {
    OTHER_MESH = 1,
    ORCHESTRATOR = 2,
};

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
    (void)key;
    KW_FUZZ_CHECK(message.len > strlen(KW_VOUCHER_LABEL));
    KW_ENSURE(signature.data[signature.len - 1] != BAD, err, SIGNATURE_INVALID, "a bad one");
    return KW_OK;
}

struct kw_result __wrap_kw_trust_verify(const struct kw_trust *trust,
                                        const struct kw_certificate *leaf, STACK_OF(X509) * between,
                                        enum kw_purpose purpose, uint64_t at_ms,
                                        struct kw_error *err)
{
    (void)at_ms;
    (void)err;
    KW_FUZZ_CHECK(trust != NULL && leaf->x509 != NULL && purpose == KW_PURPOSE_CLIENT);
    KW_FUZZ_CHECK(sk_X509_num(between) < KW_VOUCHER_CHAIN_MAX);
    return KW_OK;
}

static void is_canonical(const struct kw_voucher *voucher)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_writer w = KW_WRITER(&again);

    kw_put_raw(&w, kw_bytes_str("KWV1"));
    kw_put_raw(&w, kw_id_bytes(&voucher->mesh));
    kw_put_raw(&w, kw_id_bytes(&voucher->seed));
    kw_put_var(&w, voucher->region);
    kw_put_var(&w, voucher->cell);
    kw_put_var(&w, voucher->service);
    kw_put_raw(&w, kw_id_bytes(&voucher->incarnation));
    kw_put_var(&w, voucher->key);
    kw_put_var(&w, voucher->signers);
    kw_put_var(&w, voucher->lives);
    kw_put_var(&w, voucher->settled);
    kw_put_u64(&w, voucher->issued_ms);
    kw_put_u8(&w, (uint8_t)voucher->chain_count);
    for (size_t i = 0; i < voucher->chain_count; i++) {
        kw_put_var(&w, voucher->chain[i]);
    }
    kw_put_var(&w, voucher->signature);
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), voucher->record));
}

static void believed(const struct kw_voucher *voucher, const struct kw_voucher_trust *trust,
                     uint64_t at_ms)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    struct kw_spiffe certified;
    struct kw_spiffe says;
    struct kw_validity validity;
    struct kw_id store;

    KW_FUZZ_MUST(kw_certificate_from_der(&leaf, voucher->chain[0], NULL));
    KW_FUZZ_MUST(kw_certificate_identity(&leaf, trust->self.trust_domain, &certified, NULL));
    KW_FUZZ_MUST(kw_voucher_place(voucher, trust->self.trust_domain, &says, NULL));
    KW_FUZZ_CHECK(kw_spiffe_equal(&certified, &says));
    KW_FUZZ_CHECK(strcmp(certified.service, trust->self.service) == 0);
    KW_FUZZ_MUST(kw_voucher_check_key(voucher, NULL));
    KW_FUZZ_MUST(kw_certificate_validity(&leaf, &validity, NULL));
    KW_FUZZ_CHECK(voucher->issued_ms >= validity.not_before_ms &&
                  voucher->issued_ms <= validity.not_after_ms &&
                  voucher->issued_ms <= at_ms + KW_STAMP_AHEAD_MS_MAX);
    KW_FUZZ_MUST(kw_voucher_store(voucher->mesh, &certified, voucher->seed, &store, NULL));
    KW_FUZZ_CHECK(kw_id_equal(store, voucher->store));
}

/* The change it makes is one that every reader takes, with the voucher in it. */
static void row(const struct kw_voucher *voucher)
{
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};
    struct kw_arena *arena = kw_arena_new(ARENA_MAX);
    struct kw_record record;

    KW_FUZZ_CHECK(arena != NULL);
    KW_FUZZ_MUST(kw_voucher_row(voucher, arena, &record, NULL));
    KW_FUZZ_MUST(kw_record_encode(&record, &encoded, NULL));
    KW_FUZZ_MUST(kw_record_decode(&kw_store_record, kw_buf_bytes(&encoded), &record, NULL));
    KW_FUZZ_MUST(kw_store_record_check(&record, NULL));
    KW_FUZZ_CHECK(kw_bytes_equal(kw_voucher_of(&record), voucher->record));
    KW_FUZZ_CHECK(kw_bytes_equal(kw_store_record_region(&record), voucher->region));
    kw_arena_free(arena);
}

/* Written again from what was read, it is the same. */
static void order(struct kw_bytes record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_error err = {0};
    struct kw_order read;

    if (kw_fuzz_accepted(kw_order_decode(record, &read, &err), &err)) {
        KW_FUZZ_MUST(kw_order_encode(&read, &content, NULL));
        KW_FUZZ_MUST(kw_order_seal(kw_buf_bytes(&content), read.signature, &again, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
        KW_FUZZ_CHECK(kw_order_of(&read, read.stores[0].store) == &read.stores[0]);
    }
}

static void judge(struct kw_bytes record, uint8_t how, uint64_t at_ms)
{
    static const struct kw_trust services;
    struct kw_voucher_trust trust = {.services = &services};
    struct kw_voucher voucher;
    enum kw_lane_verdict verdict;
    struct kw_id mesh;

    KW_FUZZ_MUST(kw_voucher_decode(record, &voucher, NULL));
    mesh = voucher.mesh;
    mesh.bytes[0] ^= how & OTHER_MESH;
    KW_FUZZ_MUST(kw_spiffe_service("keyward.test", "eu-1", "b",
                                   (how & ORCHESTRATOR) != 0 ? "orchestrator" : "authz",
                                   &trust.self, NULL));
    KW_FUZZ_MUST(kw_voucher_read(record, mesh, &trust, at_ms, &voucher, &verdict, NULL));
    KW_FUZZ_CHECK((verdict == KW_LANE_OTHER_MESH) == ((how & OTHER_MESH) != 0));
    if (verdict == KW_LANE_NEWS) {
        believed(&voucher, &trust, at_ms);
    } else {
        KW_FUZZ_CHECK(verdict == KW_LANE_BROKEN || verdict == KW_LANE_OTHER_MESH ||
                      verdict == KW_LANE_STRANGER || verdict == KW_LANE_UNSIGNED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    uint8_t how = kw_fuzz_u8(&input) & (OTHER_MESH | ORCHESTRATOR);
    uint64_t at_ms = TIME_MS + UINT64_C(1000) * kw_fuzz_u32(&input) - (UINT64_C(1000) << 31);
    struct kw_voucher voucher;
    struct kw_error err = {0};

    order(input.rest);
    if (kw_fuzz_accepted(kw_voucher_decode(input.rest, &voucher, &err), &err)) {
        is_canonical(&voucher);
        row(&voucher);
        judge(input.rest, how, at_ms);
    }
    return 0;
}
