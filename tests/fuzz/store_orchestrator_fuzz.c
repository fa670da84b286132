/* The orchestrator's tables with anything in their columns: every reader of rows. What is stored wrong is refused with
 * a reason; a fact or receipt that is read back is one.
 */
#include "common/base/limits.h"
#include "services/orchestrator/batch_table.h"
#include "services/orchestrator/chain_table.h"
#include "services/orchestrator/device_table.h"
#include "services/orchestrator/fact_table.h"
#include "services/orchestrator/key_table.h"
#include "services/orchestrator/receipt_table.h"
#include "services/orchestrator/request_table.h"
#include "services/orchestrator/schema.h"
#include "services/orchestrator/transport_key_table.h"
#include "tests/fuzz/store_rows.h"

#define PAGE 8

static void devices(struct kw_tx *tx, struct kw_arena *arena)
{
    const struct kw_device_filter filter = {.serial = ""};
    const struct kw_device_span span = {kw_fuzz_row_id, 0, PAGE};
    struct kw_device_row rows[PAGE];
    struct kw_batch_row batch;
    struct kw_error err = {0};
    size_t count;
    bool found;

    (void)kw_fuzz_accepted(kw_batch_find(tx, kw_fuzz_row_id, arena, &batch, &found, &err), &err);
    (void)kw_fuzz_accepted(
        kw_batch_find_request(tx, kw_fuzz_row_id, kw_fuzz_row_id, 0, arena, &batch, &found, &err),
        &err);
    (void)kw_fuzz_accepted(kw_device_find(tx, kw_fuzz_row_id, arena, rows, &found, &err), &err);
    if (kw_fuzz_accepted(kw_device_list(tx, &filter, KW_ID_NONE, PAGE, arena, rows, &count, &err),
                         &err)) {
        KW_FUZZ_CHECK(count <= PAGE);
        for (size_t i = 0; i < count; i++) {
            (void)kw_device_state(&rows[i]);
        }
    }
    (void)kw_fuzz_accepted(kw_device_range(tx, &span, PAGE, arena, rows, &count, &err), &err);
}

static void keys(struct kw_tx *tx, struct kw_arena *arena)
{
    struct kw_transport_key_row transport;
    struct kw_key_row rows[PAGE];
    struct kw_error err = {0};
    uint32_t version;
    size_t count;
    bool found;

    (void)kw_fuzz_accepted(kw_key_find(tx, kw_fuzz_row_id, arena, rows, &found, &err), &err);
    (void)kw_fuzz_accepted(kw_key_find_newest(tx, kw_fuzz_row_id, arena, rows, &found, &err), &err);
    (void)kw_fuzz_accepted(kw_key_list(tx, KW_ID_NONE, KW_ID_NONE, PAGE, arena, rows, &count, &err),
                           &err);
    (void)kw_fuzz_accepted(kw_transport_key_newest(tx, kw_fuzz_row_id, &version, &err), &err);
    (void)kw_fuzz_accepted(
        kw_transport_key_find(tx, kw_fuzz_row_id, version, arena, &transport, &found, &err), &err);
}

static void facts(struct kw_tx *tx, struct kw_arena *arena)
{
    struct kw_fact_cursor cursor = {0};
    struct kw_fact_list list;
    struct kw_fact_row rows[PAGE];
    struct kw_error err = {0};
    char etag[KW_ETAG_SIZE];
    size_t count;

    if (kw_fuzz_accepted(kw_fact_list(tx, kw_fuzz_row_id, arena, &list, &err), &err)) {
        for (size_t i = 0; i < list.count; i++) {
            KW_FUZZ_CHECK(kw_id_equal(list.rows[i].fact.key, kw_fuzz_row_id));
        }
        KW_FUZZ_MUST(kw_fact_list_etag(&list, etag, NULL));
    }
    (void)kw_fuzz_accepted(
        kw_fact_walk(tx, &cursor, UINT64_MAX >> 1, PAGE, arena, rows, &count, &err), &err);
}

static struct kw_result take(void *context, const struct kw_receipt_found *receipt, bool *ret_more,
                             struct kw_error *err)
{
    struct kw_receipt decoded;

    (void)context;
    *ret_more = true;
    KW_FUZZ_CHECK(receipt->caller != NULL);
    return kw_receipt_decode(receipt->record, &decoded, err);
}

static void receipts(struct kw_tx *tx, struct kw_arena *arena)
{
    const struct kw_receipt_filter filter = {.caller = "", .end_ms = UINT64_MAX >> 1};
    const struct kw_receipt_place beginning = {0};
    struct kw_chain_record records[PAGE];
    struct kw_chain_page page = {
        .arena = arena, .records = records, .max = PAGE, .len_max = KW_PAGE_BYTES_MAX};
    struct kw_chain_stretch stretches[PAGE] = {0};
    struct kw_receipt_found one;
    struct kw_error err = {0};
    size_t count;
    bool found;

    (void)kw_fuzz_accepted(kw_receipt_find(tx, kw_fuzz_row_id, arena, &one, &found, &err), &err);
    (void)kw_fuzz_accepted(kw_receipt_list(tx, &filter, beginning, arena, take, NULL, &err), &err);
    if (kw_fuzz_accepted(
            kw_chain_list(tx, 0, UINT64_MAX >> 1, &stretches[0], PAGE, stretches, &count, &err),
            &err) &&
        count > 0) {
        (void)kw_fuzz_accepted(
            kw_chain_walk(tx, &stretches[0], (struct kw_chain_place){0}, &page, &count, &err),
            &err);
    }
}

static void requests(struct kw_tx *tx, struct kw_arena *arena)
{
    const struct kw_request_key key = {.caller = "", .request = kw_fuzz_row_id};
    struct kw_request_row row;
    struct kw_error err = {0};
    bool found;

    (void)kw_fuzz_accepted(kw_request_find(tx, &key, arena, &row, &found, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_tx *tx = kw_fuzz_rows_begin(kw_orch_migrations, kw_orch_migration_count, &input);

    KW_FUZZ_CHECK(arena != NULL);
    devices(tx, arena);
    keys(tx, arena);
    facts(tx, arena);
    receipts(tx, arena);
    requests(tx, arena);
    kw_fuzz_rows_end(tx);
    kw_arena_free(arena);
    return 0;
}
