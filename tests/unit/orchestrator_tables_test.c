/* The orchestrator's tables on a real database: each SQL statement does what its header says. */
#include "common/audit/chain.h"
#include "services/orchestrator/batch_feed.h"
#include "services/orchestrator/chain_table.h"
#include "services/orchestrator/device_feed.h"
#include "services/orchestrator/fact_feed.h"
#include "services/orchestrator/key_feed.h"
#include "services/orchestrator/receipt_table.h"
#include "services/orchestrator/request_feed.h"
#include "services/orchestrator/schema.h"
#include "services/orchestrator/wrapped_key_feed.h"
#include "tests/support/key_officer.h"
#include "tests/support/orchestrator_feed.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

static struct store_fixture store;
static struct kw_arena *arena;
static struct kw_feed feed;

static void init(void)
{
    store_fixture_init(&store);
    cr_assert(kw_ok(store_fixture_open(&store, kw_orch_migrations, kw_orch_migration_count, NULL)));
    arena = kw_arena_new(1U << 20);
}

static void done(void)
{
    kw_arena_free(arena);
    store_fixture_close(&store);
    store_fixture_done(&store);
}

TestSuite(orchestrator_tables, .init = init, .fini = done);

/* Runs a function in one write transaction; it asserts for itself. */
static void in_tx(STORE_TEST_RUN((*run)))
{
    struct store_test_job job = store_test_job(&store, run, 0, NULL);
    struct kw_result result = store_test_write(&job);

    cr_assert(kw_ok(result), "%s", job.job.error.message);
}

/* What is said at this time. */
static struct kw_feed_tx at(struct kw_tx *tx, uint64_t wall_ms)
{
    struct kw_feed_tx feed_tx;

    cr_assert(kw_ok(orchestrator_feed_tx(&feed, tx, arena, wall_ms, &feed_tx, NULL)));
    return feed_tx;
}

static struct kw_id id_of(uint8_t fill)
{
    struct kw_id id;

    memset(id.bytes, fill, sizeof(id.bytes));
    return id;
}

/* --- a batch with two devices and their keys --- */

static const struct kw_id batch_id = {{10}};
static const struct kw_id station_id = {{11}};
static const struct kw_id request_id = {{12}};
static const struct kw_id product_id = {{13}};

static struct kw_result put_device(const struct kw_feed_tx *feed_tx, uint8_t fill,
                                   uint32_t position, struct kw_error *err)
{
    static const uint8_t wrapped[40] = {1};
    const struct kw_device_row device = {.id = id_of(fill),
                                         .batch = batch_id,
                                         .position = position,
                                         .product = product_id,
                                         .created_ms = 100};
    const struct kw_key_row key = {.id = id_of((uint8_t)(fill + 100)),
                                   .device = device.id,
                                   .version = 1,
                                   .kek_version = 3,
                                   .wrapped = KW_BYTES_OF(wrapped),
                                   .check_value = KW_BYTES(wrapped, 3),
                                   .mac = KW_BYTES(wrapped, 16),
                                   .created_ms = 100,
                                   .delivery = KW_BYTES_OF(wrapped),
                                   .delivery_version = 4};

    KW_TRY(kw_key_add(feed_tx, &key, err));
    return kw_device_add(feed_tx, &device, err);
}

static struct kw_result put_batch(struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_batch_row batch = {.id = batch_id,
                                       .station = station_id,
                                       .request = request_id,
                                       .product = product_id,
                                       .lot = "LOT",
                                       .count = 3,
                                       .created_ms = 99};
    const struct kw_feed_tx feed_tx = at(tx, 99);

    KW_TRY(kw_batch_add(&feed_tx, &batch, err));
    KW_TRY(put_device(&feed_tx, 2, 0, err));
    return put_device(&feed_tx, 1, 1, err);
}

static struct kw_result batch_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_feed_tx then = at(tx, 500);
    const struct kw_feed_tx later = at(tx, 600);
    struct kw_batch_row batch;
    bool found;

    (void)job;
    KW_TRY(put_batch(tx, err));
    KW_TRY(kw_batch_find_request(tx, station_id, request_id, 0, arena, &batch, &found, err));
    cr_assert(found);
    cr_assert(kw_id_equal(batch.id, batch_id));
    cr_assert(eq(u32, batch.generated, 2));
    cr_assert(eq(u32, batch.confirmed, 0));
    cr_assert(eq(u64, batch.released_ms, 0));
    cr_assert(eq(u32, batch.end, 2));
    KW_TRY(kw_batch_release(&then, batch_id, err));
    KW_TRY(kw_batch_release(&later, batch_id, err)); /* the first stays */
    KW_TRY(kw_batch_find(tx, batch_id, arena, &batch, &found, err));
    cr_assert(eq(u64, batch.released_ms, 500));
    KW_TRY(kw_batch_find(tx, id_of(77), arena, &batch, &found, err));
    cr_assert(not(found));
    return KW_OK;
}

Test(orchestrator_tables, batches_are_found_by_request_and_counted)
{
    in_tx(batch_run);
}

static struct kw_result confirm_run(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    const struct kw_feed_tx then = at(tx, 200);
    const struct kw_feed_tx later = at(tx, 300);
    struct kw_device_row device;
    bool found;

    (void)job;
    KW_TRY(put_batch(tx, err));
    KW_TRY(kw_device_find(tx, id_of(1), arena, &device, &found, err));
    KW_TRY(kw_device_confirm(&then, &device, "SN 1", err));
    KW_TRY(kw_device_confirm(&later, &device, "SN 1", err)); /* the first stays */
    KW_TRY(kw_device_find(tx, id_of(1), arena, &device, &found, err));
    cr_assert(found);
    cr_assert(eq(str, (char *)(uintptr_t)device.serial, "SN 1"));
    cr_assert(eq(u64, device.confirmed_ms, 200));
    cr_assert(eq(int, kw_device_state(&device), KW_DEVICE_CONFIRMED));
    cr_assert(kw_id_equal(device.station, station_id));
    cr_assert(kw_id_equal(device.key, id_of(101)));
    cr_assert(not(device.disputed));
    cr_assert(eq(int, kw_device_confirm(&later, &device, "SN 2", NULL).reason,
                 KW_E_STORE_CONFLICT)); /* whoever says so has to undo it */
    KW_TRY(kw_device_release(&later, id_of(1), err));
    KW_TRY(kw_device_find(tx, id_of(1), arena, &device, &found, err));
    cr_assert(eq(int, kw_device_state(&device), KW_DEVICE_RELEASED));
    return KW_OK;
}

Test(orchestrator_tables, devices_are_confirmed_once)
{
    in_tx(confirm_run);
}

static struct kw_result list_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_device_span span = {batch_id, 1, 4};
    struct kw_device_filter filter = {.serial = ""};
    struct kw_device_row rows[4];
    size_t count;

    (void)job;
    KW_TRY(put_batch(tx, err));
    KW_TRY(kw_device_list(tx, &filter, KW_ID_NONE, 4, arena, rows, &count, err));
    cr_assert(eq(sz, count, 2));
    cr_assert(kw_id_equal(rows[0].id, id_of(1))); /* by id, not by position */
    KW_TRY(kw_device_list(tx, &filter, id_of(1), 4, arena, rows, &count, err));
    cr_assert(eq(sz, count, 1));
    filter.batch = batch_id;
    filter.state = KW_DEVICE_PROVISIONED;
    KW_TRY(kw_device_list(tx, &filter, KW_ID_NONE, 1, arena, rows, &count, err));
    cr_assert(eq(sz, count, 1));
    filter.station = id_of(99);
    KW_TRY(kw_device_list(tx, &filter, KW_ID_NONE, 4, arena, rows, &count, err));
    cr_assert(eq(sz, count, 0));
    KW_TRY(kw_device_range(tx, &span, 4, arena, rows, &count, err));
    cr_assert(eq(sz, count, 1));
    cr_assert(eq(u32, rows[0].position, 1));
    return KW_OK;
}

Test(orchestrator_tables, devices_are_listed_by_id_and_filter)
{
    in_tx(list_run);
}

static struct kw_result key_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf order = {0};
    const struct kw_feed_tx now = at(tx, 100);
    struct kw_key_row key;
    bool found;

    (void)job;
    KW_TRY(put_batch(tx, err));
    KW_TRY(kw_key_find_newest(tx, id_of(1), arena, &key, &found, err));
    cr_assert(found);
    cr_assert(kw_id_equal(key.batch, batch_id));
    cr_assert(eq(u32, key.delivery_version, 4));
    KW_TRY(kw_key_erase_delivery(&now, key.id, err));
    KW_TRY(kw_key_find(tx, key.id, arena, &key, &found, err));
    cr_assert(eq(sz, key.delivery.len, 0));
    cr_assert(eq(sz, key.wrapped.len, 40));
    key_officer_destroys(key.device, key.id, &order);
    KW_TRY(kw_key_destroy(&now, key.id, kw_buf_bytes(&order), err));
    KW_TRY(kw_key_find(tx, key.id, arena, &key, &found, err));
    cr_assert(found);
    cr_assert(eq(sz, key.wrapped.len, 0));
    return KW_OK;
}

Test(orchestrator_tables, keys_are_erased_and_their_rows_stay)
{
    in_tx(key_run);
}

/* --- facts --- */

static struct kw_result put_fact(struct kw_tx *tx, enum kw_fact_kind kind, uint8_t suspension,
                                 uint64_t time_ms, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const struct kw_feed_tx now = at(tx, time_ms);
    struct kw_fact_row row = {.fact = {.key = id_of(101),
                                       .kind = kind,
                                       .time_ms = time_ms,
                                       .capsule = id_of(8),
                                       .actor = kw_bytes_str("spiffe://t/operator/o")},
                              .justification = "why"};

    if (suspension != 0) {
        row.fact.ref = id_of(suspension);
    }
    KW_TRY(kw_fact_encode(&row.fact, &record, err));
    row.record = kw_buf_bytes(&record);
    return kw_fact_state(&now, &row, err);
}

static struct kw_result fact_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_fact_list list;
    char before[KW_ETAG_SIZE];
    char after[KW_ETAG_SIZE];

    (void)job;
    KW_TRY(put_batch(tx, err));
    KW_TRY(put_fact(tx, KW_FACT_SUSPENDED, 5, 1000, err));
    KW_TRY(put_fact(tx, KW_FACT_PROTECTED, 0, 900, err));
    KW_TRY(put_fact(tx, KW_FACT_PROTECTED, 0, 950, err)); /* the first stays */
    KW_TRY(kw_fact_list(tx, id_of(101), arena, &list, err));
    cr_assert(eq(sz, list.count, 2));
    cr_assert(eq(u64, list.rows[0].fact.time_ms, 900));
    cr_assert(kw_state_suspended(&list.state));
    KW_TRY(kw_fact_list_etag(&list, before, err));
    KW_TRY(put_fact(tx, KW_FACT_LIFTED, 5, 1100, err));
    KW_TRY(kw_fact_list(tx, id_of(101), arena, &list, err));
    cr_assert(not(kw_state_suspended(&list.state)));
    KW_TRY(kw_fact_list_etag(&list, after, err));
    cr_assert(ne(str, before, after));
    return KW_OK;
}

Test(orchestrator_tables, facts_are_a_set_whose_fold_is_the_state)
{
    in_tx(fact_run);
}

/* A row whose record is of another key than its column says, or is no record at all. */
static struct kw_result misplaced_run(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_fact_row row = {.fact = {.key = id_of(102),
                                       .kind = KW_FACT_COMPROMISED,
                                       .time_ms = 900,
                                       .actor = kw_bytes_str("spiffe://t/operator/o")},
                              .justification = ""};
    struct kw_fact_list list;

    (void)job;
    KW_TRY(put_batch(tx, err));
    KW_TRY(kw_fact_encode(&row.fact, &record, err));
    row.record = kw_buf_bytes(&record);
    row.fact.key = id_of(101);
    KW_TRY(kw_fact_put(tx, &row, err));
    cr_assert(eq(int, kw_fact_list(tx, id_of(101), arena, &list, NULL).reason, KW_E_INTERNAL));
    row.record.len--;
    row.fact.key = id_of(102);
    KW_TRY(kw_fact_put(tx, &row, err));
    cr_assert(eq(int, kw_fact_list(tx, id_of(102), arena, &list, NULL).reason, KW_E_INTERNAL));
    return KW_OK;
}

Test(orchestrator_tables, what_is_no_fact_of_the_key_gives_it_no_state)
{
    in_tx(misplaced_run);
}

static struct kw_result walk_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_fact_cursor cursor = {.time_ms = 900};
    struct kw_fact_row rows[4];
    size_t count;

    (void)job;
    KW_TRY(put_batch(tx, err));
    KW_TRY(put_fact(tx, KW_FACT_CONFIRMED, 0, 800, err));
    KW_TRY(put_fact(tx, KW_FACT_PROTECTED, 0, 900, err));
    KW_TRY(put_fact(tx, KW_FACT_ACTIVATED, 0, 900, err));
    KW_TRY(put_fact(tx, KW_FACT_DEACTIVATED, 0, 2000, err));
    KW_TRY(kw_fact_walk(tx, &cursor, 2000, 1, arena, rows, &count, err));
    cr_assert(eq(sz, count, 1));
    cr_assert(eq(int, rows[0].fact.kind, KW_FACT_PROTECTED)); /* the start is inclusive */
    KW_TRY(kw_fact_walk(tx, &cursor, 2000, 4, arena, rows, &count, err));
    cr_assert(eq(sz, count, 1));
    cr_assert(eq(int, rows[0].fact.kind, KW_FACT_ACTIVATED)); /* the end is not */
    KW_TRY(kw_fact_walk(tx, &cursor, 2000, 4, arena, rows, &count, err));
    cr_assert(eq(sz, count, 0));
    return KW_OK;
}

Test(orchestrator_tables, facts_are_walked_in_time)
{
    in_tx(walk_run);
}

/* --- transport keys, requests --- */

static struct kw_result transport_run(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *err)
{
    static const uint8_t bytes[40] = {1};
    struct kw_transport_key_row row = {.owner = id_of(1),
                                       .version = 1,
                                       .kek_version = 1,
                                       .wrapped = KW_BYTES_OF(bytes),
                                       .check_value = KW_BYTES(bytes, 3),
                                       .mac = KW_BYTES(bytes, 16),
                                       .nonce = KW_BYTES(bytes, 16),
                                       .created_ms = 5};
    const struct kw_feed_tx then = at(tx, 10);
    const struct kw_feed_tx later = at(tx, 20);
    uint32_t newest;
    bool found;

    (void)job;
    KW_TRY(kw_transport_key_newest(tx, id_of(1), &newest, err));
    cr_assert(eq(u32, newest, 0));
    KW_TRY(kw_transport_key_add(&then, &row, err));
    KW_TRY(kw_transport_key_newest(tx, id_of(1), &newest, err));
    cr_assert(eq(u32, newest, 1));
    KW_TRY(kw_transport_key_confirm(&then, &row, err));
    KW_TRY(kw_transport_key_confirm(&later, &row, err)); /* the first stays */
    KW_TRY(kw_transport_key_find(tx, id_of(1), 1, arena, &row, &found, err));
    cr_assert(eq(u64, row.confirmed_ms, 10));
    KW_TRY(kw_transport_key_find(tx, id_of(1), 2, arena, &row, &found, err));
    cr_assert(not(found));
    return KW_OK;
}

Test(orchestrator_tables, transport_keys_have_versions)
{
    in_tx(transport_run);
}

static struct kw_result request_run(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct kw_request_key key = {.caller = "spiffe://t/a", .method = 73, .request = id_of(1)};
    struct kw_request_row row = {.content = {4}, .response = kw_bytes_str("yes"), .created_ms = 1};
    const struct kw_feed_tx now = at(tx, 1);
    struct kw_request_row found_row;
    bool found;

    (void)job;
    KW_TRY(kw_request_add(&now, &key, &row, err));
    KW_TRY(kw_request_find(tx, &key, arena, &found_row, &found, err));
    cr_assert(found);
    cr_assert(kw_bytes_equal(found_row.response, kw_bytes_str("yes")));
    cr_assert(eq(u8, found_row.content[0], 4));
    key.first = 256; /* another range is another request */
    KW_TRY(kw_request_find(tx, &key, arena, &found_row, &found, err));
    cr_assert(not(found));
    key.first = 0;
    row.created_ms = 2; /* done again: whoever does so has to undo it */
    cr_assert(eq(int, kw_request_add(&now, &key, &row, NULL).reason, KW_E_STORE_CONFLICT));
    return KW_OK;
}

Test(orchestrator_tables, requests_are_kept_once)
{
    in_tx(request_run);
}

/* Of one database they are one store to all others, and what both did is still two. */
static struct kw_result instances_run(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *err)
{
    const struct kw_request_key key = {.caller = "spiffe://t/a", .method = 73, .request = id_of(1)};
    const struct kw_request_row row = {
        .content = {4}, .response = kw_bytes_str("yes"), .created_ms = 1};
    static struct kw_feed other; /* it is still asked for its lane when all is stored */
    struct kw_feed_tx now = at(tx, 1);

    (void)job;
    other = feed;
    other.options.writer = 1;
    KW_TRY(kw_request_add(&now, &key, &row, err));
    now.feed = &other;
    cr_assert(eq(int, kw_request_add(&now, &key, &row, NULL).reason, KW_E_STORE_CONFLICT));
    return KW_OK;
}

Test(orchestrator_tables, what_two_instances_did_at_one_moment_is_done_twice)
{
    in_tx(instances_run);
}

/* --- receipts --- */

static const struct kw_id core_id = {{21}};
static const struct kw_id stream_id = {{22}};

static struct kw_result put_receipt(struct kw_tx *tx, struct kw_chain *chain, const char *caller,
                                    uint8_t device, struct kw_buf *record, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf items = {0};
    struct kw_receipt receipt = {.id = id_of((uint8_t)(chain->seq + 1)),
                                 .time_ms = 1000 * (chain->seq + 1),
                                 .region = kw_bytes_str("r"),
                                 .cell = kw_bytes_str("c"),
                                 .capsule = kw_bytes_str("capsule"),
                                 .signer = kw_bytes_str("signer")};
    const struct kw_receipt_item item = {.key = id_of(101), .device = id_of(device)};
    struct kw_receipt_row row = {.receipt = &receipt, .caller = caller};

    KW_TRY(kw_receipt_item_add(&receipt, &items, &item, err));
    KW_TRY(kw_chain_issue(chain, &receipt, record, err));
    row.record = kw_buf_bytes(record);
    row.head = chain->head;
    KW_TRY(kw_receipt_insert(tx, &row, err));
    return kw_receipt_insert(tx, &row, err); /* the same again is fine */
}

static struct kw_result count_receipt(void *context, const struct kw_receipt_found *receipt,
                                      bool *ret_more, struct kw_error *err)
{
    size_t *count = context;

    (void)receipt;
    (void)err;
    (*count)++;
    *ret_more = true;
    return KW_OK;
}

static size_t count_listed(struct kw_tx *tx, const char *caller, uint8_t device, uint64_t start_ms,
                           uint64_t end_ms)
{
    const struct kw_receipt_filter filter = {.caller = caller,
                                             .device = device == 0 ? KW_ID_NONE : id_of(device),
                                             .start_ms = start_ms,
                                             .end_ms = end_ms};
    size_t count = 0;

    cr_assert(kw_ok(kw_receipt_list(tx, &filter, (struct kw_receipt_place){0}, arena, count_receipt,
                                    &count, NULL)));
    return count;
}

enum {
    LONG_LIST = 130
};

static struct kw_result long_list_run(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *err)
{
    struct kw_chain chain = {.core = core_id, .stream = stream_id};

    (void)job;
    for (int i = 0; i < LONG_LIST; i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

        KW_TRY(put_receipt(tx, &chain, "partners/a", 1, &record, err));
    }
    cr_assert(eq(sz, count_listed(tx, "", 0, 0, INT64_MAX), LONG_LIST));
    cr_assert(eq(sz, count_listed(tx, "partners/a", 1, 0, INT64_MAX), LONG_LIST));
    return KW_OK;
}

Test(orchestrator_tables, a_list_of_receipts_may_be_long)
{
    in_tx(long_list_run);
}

static struct kw_result receipt_run(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct kw_chain chain = {.core = core_id, .stream = stream_id};
    struct kw_buf records[3] = {0};
    struct kw_receipt_found found_row;
    bool found;

    (void)job;
    KW_TRY(put_receipt(tx, &chain, "partners/a", 1, &records[0], err));
    KW_TRY(put_receipt(tx, &chain, "partners/b", 1, &records[1], err));
    KW_TRY(put_receipt(tx, &chain, "partners/a", 2, &records[2], err));
    cr_assert(eq(sz, count_listed(tx, "", 0, 0, INT64_MAX), 3));
    cr_assert(eq(sz, count_listed(tx, "partners/a", 0, 0, INT64_MAX), 2));
    cr_assert(eq(sz, count_listed(tx, "", 1, 0, INT64_MAX), 2));
    cr_assert(eq(sz, count_listed(tx, "partners/a", 1, 0, INT64_MAX), 1));
    cr_assert(eq(sz, count_listed(tx, "", 0, 2000, 3000), 1));
    KW_TRY(kw_receipt_find(tx, id_of(2), arena, &found_row, &found, err));
    cr_assert(found);
    cr_assert(eq(str, (char *)(uintptr_t)found_row.caller, "partners/b"));
    for (size_t i = 0; i < 3; i++) {
        kw_buf_done(&records[i]);
    }
    return KW_OK;
}

Test(orchestrator_tables, receipts_are_listed_by_caller_device_and_time)
{
    in_tx(receipt_run);
}

static struct kw_result conflict_run(struct kw_store_job *job, struct kw_tx *tx,
                                     struct kw_error *err)
{
    struct kw_chain chain = {.core = core_id, .stream = stream_id};
    KW_SCOPED(kw_buf_done) struct kw_buf first = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf second = {0};
    struct kw_result result;

    (void)job;
    KW_TRY(put_receipt(tx, &chain, "partners/a", 1, &first, err));
    chain.seq = 0; /* the same number again, with another content */
    chain.head = (struct kw_hash){0};
    result = put_receipt(tx, &chain, "partners/a", 2, &second, err);
    cr_assert(eq(int, result.reason, KW_E_STORE_CONFLICT));
    return KW_OK;
}

Test(orchestrator_tables, a_place_in_a_chain_has_one_receipt)
{
    in_tx(conflict_run);
}

static struct kw_result refused_run(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct kw_chain chain = {.core = core_id, .stream = stream_id};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_result result = put_receipt(tx, &chain, "partners/a", 0, &record, err);

    (void)job;
    cr_assert(eq(int, result.reason, KW_E_INTERNAL));
    return result;
}

/* Here since it may only read. */
Test(orchestrator_tables, a_receipt_that_the_store_refuses_is_not_stored_and_no_conflict)
{
    struct store_test_job job = store_test_job(&store, refused_run, 0, NULL);

    cr_assert(eq(int, store_test_read(&job).reason, KW_E_INTERNAL));
}

static struct kw_result order_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_chain ahead = {.core = core_id, .stream = stream_id, .seq = 1};
    struct kw_chain chain = {.core = core_id, .stream = stream_id};
    KW_SCOPED(kw_buf_done) struct kw_buf first = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf second = {0};
    struct kw_result result = put_receipt(tx, &ahead, "partners/a", 1, &second, err);

    (void)job;
    cr_assert(eq(int, result.reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(sz, count_listed(tx, "", 0, 0, INT64_MAX), 0));
    KW_TRY(put_receipt(tx, &chain, "partners/a", 1, &first, err));
    kw_buf_clear(&second);
    return put_receipt(tx, &chain, "partners/a", 1, &second, err);
}

Test(orchestrator_tables, a_receipt_waits_for_the_one_before_it)
{
    in_tx(order_run);
}

/* --- chains --- */

static struct kw_result put_checkpoint(struct kw_tx *tx, const struct kw_chain *chain,
                                       uint64_t time_ms, struct kw_error *err)
{
    const struct kw_checkpoint checkpoint = {.core = chain->core,
                                             .stream = chain->stream,
                                             .seq = chain->seq,
                                             .head = chain->head,
                                             .time_ms = time_ms};
    bool new;

    return kw_checkpoint_insert(tx, &checkpoint, kw_bytes_str("checkpoint"), &new, err);
}

static struct kw_result chain_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_chain chain = {.core = core_id, .stream = stream_id};
    struct kw_chain_record records[8];
    const struct kw_chain_page page = {
        .arena = arena, .records = records, .max = 8, .len_max = 1U << 16};
    struct kw_chain_stretch stretch;
    size_t count;

    (void)job;
    for (int i = 0; i < 4; i++) { /* at 1000, 2000 …; a checkpoint behind each */
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

        KW_TRY(put_receipt(tx, &chain, "partners/a", 1, &record, err));
        KW_TRY(put_checkpoint(tx, &chain, 1000 * chain.seq + 1, err));
    }
    KW_TRY(kw_chain_list(tx, 2500, 3500, &(struct kw_chain_stretch){0}, 1, &stretch, &count, err));
    cr_assert(eq(sz, count, 1));
    cr_assert(eq(u64, stretch.from_seq, 2)); /* the checkpoint before the interval */
    cr_assert(eq(u64, stretch.to_seq, 4));   /* and the one after it */
    KW_TRY(kw_chain_walk(tx, &stretch, (struct kw_chain_place){.seq = 2}, &page, &count, err));
    cr_assert(eq(sz, count, 5)); /* checkpoint 2, then receipt and checkpoint 3, 4 */
    cr_assert(eq(u32, records[0].place.rank, 1));
    cr_assert(eq(u64, records[1].place.seq, 3));
    cr_assert(eq(u32, records[1].place.rank, 0));
    chain.head.bytes[0] ^= 1;
    cr_assert(eq(int, put_checkpoint(tx, &chain, 9999, NULL).reason, KW_E_STORE_CONFLICT));
    KW_TRY(kw_chain_list(tx, 2500, 3500, &stretch, 1, &stretch, &count, err));
    cr_assert(eq(sz, count, 0));
    return KW_OK;
}

Test(orchestrator_tables, a_chain_is_proved_from_checkpoint_to_checkpoint)
{
    in_tx(chain_run);
}
