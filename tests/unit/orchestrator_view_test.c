/* The orchestrator's views in too little memory: with every budget from none to enough a view either fails or may be
 * read. Else a list would measure, and a release compare, what is only scratch. */
#include "common/audit/capsule.h"
#include "common/audit/seal.h"
#include "common/rpc/methods.h"
#include "services/orchestrator/view.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define BUDGET_STEP 16U
#define BUDGET_MAX  8192U

TestSuite(orchestrator_view);

static const struct kw_id some_id = {{1, 2, 3}};

#define MUST(expr)                                                                                 \
    do {                                                                                           \
        struct kw_error must_error_ = {0};                                                         \
        struct kw_error *err = &must_error_;                                                       \
        struct kw_result must_result_ = (expr);                                                    \
        cr_assert(kw_ok(must_result_), "%s: %s", #expr, must_error_.message);                      \
    } while (0)

/* Makes one view; what it is made from is the same each time. */
typedef struct kw_result show_function(struct kw_view *view, const ProtobufCMessage **ret_message,
                                       struct kw_error *err);

/* The size of what was made, read through; 0: not made. */
static size_t size_within(size_t budget, show_function *show)
{
    struct kw_arena *arena = kw_arena_new(budget);
    const ProtobufCMessage *message;
    struct kw_view view;
    struct kw_result shown;
    size_t size = 0;

    kw_view_init(&view, arena);
    shown = show(&view, &message, NULL);
    cr_assert(kw_ok(shown) || shown.reason == KW_E_MEMORY, "%zu bytes: %s", budget,
              kw_reason_row(shown.reason)->name);
    if (kw_ok(shown)) {
        size = protobuf_c_message_get_packed_size(message);
    }
    kw_arena_free(arena);
    return size;
}

static void check_every_budget(show_function *show)
{
    size_t whole = size_within(BUDGET_MAX, show);
    size_t failed = 0;

    cr_assert(lt(sz, 0, whole));
    for (size_t budget = 0; budget < BUDGET_MAX; budget += BUDGET_STEP) {
        size_t size = size_within(budget, show);

        cr_assert(size == 0 || size == whole, "%zu bytes", budget);
        failed += size == 0 ? 1 : 0;
    }
    cr_assert(lt(sz, 5, failed));
}

static struct kw_result show_batch(struct kw_view *view, const ProtobufCMessage **ret_message,
                                   struct kw_error *err)
{
    const struct kw_batch_row row = {.id = some_id,
                                     .station = some_id,
                                     .product = some_id,
                                     .lot = "LOT",
                                     .count = 3,
                                     .created_ms = 99};
    Keyward__V1__Batch *batch;

    KW_TRY(kw_view_batch(view, &row, &batch, err));
    *ret_message = &batch->base;
    return KW_OK;
}

Test(orchestrator_view, a_batch_is_whole_or_none)
{
    check_every_budget(show_batch);
}

static struct kw_result show_device(struct kw_view *view, const ProtobufCMessage **ret_message,
                                    struct kw_error *err)
{
    const struct kw_device_row row = {.id = some_id,
                                      .batch = some_id,
                                      .product = some_id,
                                      .created_ms = 1,
                                      .confirmed_ms = 2,
                                      .released_ms = 3,
                                      .serial = "SN 1",
                                      .key = some_id};
    Keyward__V1__Device *device;

    KW_TRY(kw_view_device(view, &row, &device, err));
    *ret_message = &device->base;
    return KW_OK;
}

Test(orchestrator_view, a_device_is_whole_or_none)
{
    check_every_budget(show_device);
}

static struct kw_result show_key(struct kw_view *view, const ProtobufCMessage **ret_message,
                                 struct kw_error *err)
{
    static const uint8_t bytes[16] = {1};
    const struct kw_key_row row = {.id = some_id,
                                   .device = some_id,
                                   .version = 1,
                                   .check_value = KW_BYTES(bytes, 3),
                                   .created_ms = 1};
    struct kw_fact_row facts[2] = {
        {.fact = {.key = some_id, .kind = KW_FACT_PROTECTED, .time_ms = 1}},
        {.fact = {.key = some_id, .kind = KW_FACT_SUSPENDED, .time_ms = 2, .ref = some_id}}};
    const struct kw_fact_list list = {.rows = facts, .count = 2};
    Keyward__V1__Key *key;

    for (size_t i = 0; i < 2; i++) {
        facts[i].fact.actor = kw_bytes_str("spiffe://t/operator/opr_aaaaaaaaaaaaaaaaaaaaaaaaaa");
        facts[i].record = KW_BYTES_OF(bytes);
        facts[i].mac = KW_BYTES_OF(bytes);
        facts[i].justification = "lost";
    }
    KW_TRY(kw_view_key(view, &row, &list, true, &key, err));
    *ret_message = &key->base;
    return KW_OK;
}

Test(orchestrator_view, a_key_is_whole_or_none)
{
    check_every_budget(show_key);
}

static struct kw_result show_envelope(struct kw_view *view, const ProtobufCMessage **ret_message,
                                      struct kw_error *err)
{
    static const uint8_t wrapped[40] = {1};
    static const uint8_t mac[KW_CMAC_LEN] = {1};
    const struct kw_envelope envelope = {.suite = KW_SUITE_AES256,
                                         .kind = KW_ENVELOPE_KEY,
                                         .device = some_id,
                                         .key = some_id,
                                         .partner = some_id,
                                         .receipt = some_id,
                                         .epoch = 1,
                                         .ptk_version = 1,
                                         .issued_ms = 1,
                                         .expires_ms = 2,
                                         .region = kw_bytes_str("r1")};
    KW_SCOPED(kw_buf_done) struct kw_buf sealed = {0};
    Keyward__V1__KeyEnvelope *shown;

    MUST(kw_envelope_encode_prefix(&envelope, &sealed, err));
    MUST(kw_envelope_finish(&sealed, KW_BYTES_OF(wrapped), mac, err));
    KW_TRY(kw_view_envelope(view, kw_buf_bytes(&sealed), &shown, err));
    *ret_message = &shown->base;
    return KW_OK;
}

Test(orchestrator_view, an_envelope_is_whole_or_none)
{
    check_every_budget(show_envelope);
}

/* A receipt of a use, capsule included. */
static struct kw_buf receipt_record;

static void make_capsule(struct kw_buf *sealed)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    static const uint8_t fingerprint[KW_SHA256_LEN] = {1};
    const struct kw_capsule capsule = {
        .id = some_id,
        .region = kw_bytes_str("r1"),
        .cell = kw_bytes_str("c1"),
        .caller = kw_bytes_str("spiffe://t/partner/prt_aaaaaaaaaaaaaaaaaaaaaaaaaa"),
        .method = KW_METHOD_GET_DEVICE_ACCESS,
        .scope = KW_SCOPE_BODY,
        .operation = KW_OPERATION_RELEASE,
        .grant = some_id,
        .owner = some_id,
        .epoch = 1,
        .ptk_version = 1,
        .issued_ms = 1,
        .not_after_ms = 2};
    struct kw_bytes content;

    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    MUST(kw_capsule_encode(&capsule, &record, err));
    content = kw_buf_bytes(&record);
    MUST(kw_capsules_seal(&key, fingerprint, &content, 1, sealed, err));
}

static void make_receipt(void)
{
    KW_SCOPED(kw_buf_done) struct kw_buf capsule = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf items = {0};
    struct kw_receipt receipt = {.id = some_id,
                                 .time_ms = 1,
                                 .core = some_id,
                                 .stream = some_id,
                                 .seq = 1,
                                 .region = kw_bytes_str("r1"),
                                 .cell = kw_bytes_str("c1"),
                                 .signer = kw_bytes_str("signer")};
    const struct kw_receipt_item item = {.key = some_id, .device = some_id};

    make_capsule(&capsule);
    receipt.capsule = kw_buf_bytes(&capsule);
    MUST(kw_receipt_item_add(&receipt, &items, &item, err));
    MUST(kw_receipt_encode(&receipt, &receipt_record, err));
}

static struct kw_result show_receipt(struct kw_view *view, const ProtobufCMessage **ret_message,
                                     struct kw_error *err)
{
    Keyward__V1__Receipt *receipt;

    KW_TRY(kw_view_receipt(view, kw_buf_bytes(&receipt_record),
                           "partners/prt_aaaaaaaaaaaaaaaaaaaaaaaaaa", &receipt, err));
    *ret_message = &receipt->base;
    return KW_OK;
}

Test(orchestrator_view, a_receipt_is_whole_or_none)
{
    make_receipt();
    check_every_budget(show_receipt);
    kw_buf_done(&receipt_record);
}
