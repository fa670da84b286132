/* The orchestrator's tables under power cuts, written as its calls write them: receipt, effect and
 * request id in one transaction. */
#include "common/audit/chain.h"
#include "services/orchestrator/batch_feed.h"
#include "services/orchestrator/chain_table.h"
#include "services/orchestrator/device_feed.h"
#include "services/orchestrator/fact_feed.h"
#include "services/orchestrator/key_feed.h"
#include "services/orchestrator/receipt_table.h"
#include "services/orchestrator/request_feed.h"
#include "services/orchestrator/schema.h"
#include "tests/support/cut_drill.h"
#include "tests/support/orchestrator_feed.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define OPS           48
#define DEVICES       3 /* of a batch */
#define METHOD_BATCH  1
#define METHOD_STOP   73
#define CALLER        "spiffe://test/station/stn_a"
#define CHAIN_RECORDS 128

/* What the core has issued, one receipt an operation: it lives on while the orchestrator dies. */
static struct {
    struct kw_buf records[OPS + 1];
    struct kw_receipt receipts[OPS + 1];
    struct kw_hash heads[OPS + 1];
    struct kw_chain chain;
} core;

static struct kw_id id_of(uint8_t kind, uint32_t number)
{
    return (struct kw_id){{kind, (uint8_t)(number >> 8), (uint8_t)number, 1}};
}

static void issue_receipts(void)
{
    core.chain = (struct kw_chain){.core = id_of(1, 0), .stream = id_of(2, 0)};
    for (uint32_t op = 1; op <= OPS; op++) {
        KW_SCOPED(kw_buf_done) struct kw_buf items = {0};
        struct kw_receipt receipt = {.id = id_of(3, op),
                                     .time_ms = 1000 + op,
                                     .region = kw_bytes_str("r"),
                                     .cell = kw_bytes_str("c"),
                                     .capsule = kw_bytes_str("capsule"),
                                     .signer = kw_bytes_str("signer")};
        const struct kw_receipt_item item = {.key = id_of(5, op), .device = id_of(4, op)};

        cr_assert(kw_ok(kw_receipt_item_add(&receipt, &items, &item, NULL)));
        cr_assert(kw_ok(kw_chain_issue(&core.chain, &receipt, &core.records[op], NULL)));
        cr_assert(
            kw_ok(kw_receipt_decode(kw_buf_bytes(&core.records[op]), &core.receipts[op], NULL)));
        core.heads[op] = core.chain.head;
    }
}

static void forget_receipts(void)
{
    for (uint32_t op = 1; op <= OPS; op++) {
        kw_buf_done(&core.records[op]);
    }
}

/* Every third operation stops a key of the batch before it; the others make a batch. */
static bool stops(uint32_t op)
{
    return op % 3 == 0;
}

static bool refuses(uint32_t op)
{
    (void)op;
    return false;
}

static struct kw_request_key request_of(uint32_t op)
{
    return (struct kw_request_key){.caller = CALLER,
                                   .method = stops(op) ? METHOD_STOP : METHOD_BATCH,
                                   .request = id_of(6, op)};
}

/* --- doing --- */

static struct kw_result put_receipt(struct kw_tx *tx, uint32_t op, struct kw_error *err)
{
    const struct kw_receipt_row row = {.receipt = &core.receipts[op],
                                       .record = kw_buf_bytes(&core.records[op]),
                                       .head = core.heads[op],
                                       .caller = "stations/a"};

    return kw_receipt_insert(tx, &row, err);
}

static struct kw_result put_device(const struct kw_feed_tx *feed_tx, uint32_t op, uint32_t position,
                                   struct kw_error *err)
{
    static const uint8_t wrapped[40] = {1};
    const struct kw_device_row device = {.id = id_of(10, op * DEVICES + position),
                                         .batch = id_of(8, op),
                                         .position = position,
                                         .product = id_of(9, 0),
                                         .created_ms = op};
    const struct kw_key_row key = {.id = id_of(11, op * DEVICES + position),
                                   .device = device.id,
                                   .version = 1,
                                   .kek_version = 1,
                                   .wrapped = KW_BYTES_OF(wrapped),
                                   .check_value = KW_BYTES(wrapped, 3),
                                   .mac = KW_BYTES(wrapped, 16),
                                   .created_ms = op,
                                   .delivery = KW_BYTES_OF(wrapped),
                                   .delivery_version = 1};

    KW_TRY(kw_key_add(feed_tx, &key, err));
    return kw_device_add(feed_tx, &device, err);
}

static struct kw_result put_batch(const struct kw_feed_tx *feed_tx, uint32_t op,
                                  struct kw_error *err)
{
    const struct kw_batch_row batch = {.id = id_of(8, op),
                                       .station = id_of(7, 0),
                                       .request = id_of(6, op),
                                       .product = id_of(9, 0),
                                       .lot = "LOT",
                                       .count = DEVICES,
                                       .created_ms = op};

    KW_TRY(kw_batch_add(feed_tx, &batch, err));
    for (uint32_t i = 0; i < DEVICES; i++) {
        KW_TRY(put_device(feed_tx, op, i, err));
    }
    return KW_OK;
}

static struct kw_result put_stop(const struct kw_feed_tx *feed_tx, uint32_t op,
                                 struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_fact_row row = {.fact = {.key = id_of(11, (op - 1) * DEVICES),
                                       .kind = KW_FACT_SUSPENDED,
                                       .ref = id_of(12, op),
                                       .time_ms = op,
                                       .capsule = id_of(13, op),
                                       .actor = kw_bytes_str("spiffe://test/operator/opr_a")},
                              .justification = "lost"};

    KW_TRY(kw_fact_encode(&row.fact, &record, err));
    row.record = kw_buf_bytes(&record);
    return kw_fact_state(feed_tx, &row, err);
}

static struct kw_result apply(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                              struct kw_error *err)
{
    const struct kw_request_key key = request_of(op);
    struct kw_request_row row = {.response = kw_bytes_str("an answer"),
                                 .outcome = kw_bytes_str("what goes with it"),
                                 .created_ms = op};
    struct kw_feed_tx feed_tx;
    static struct kw_feed feed; /* outlives the job, which writes the lane at its end */
    bool found;

    KW_TRY(put_receipt(tx, op, err));
    KW_TRY(kw_request_find(tx, &key, arena, &row, &found, err));
    if (found) {
        return KW_OK;
    }
    KW_TRY(orchestrator_feed_tx(&feed, tx, arena, op, &feed_tx, err));
    KW_TRY(stops(op) ? put_stop(&feed_tx, op, err) : put_batch(&feed_tx, op, err));
    return kw_request_add(&feed_tx, &key, &row, err);
}

/* --- looking --- */

static struct kw_result count_effect(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                                     int64_t *count, struct kw_error *err)
{
    struct kw_batch_row batch;
    struct kw_fact_list facts;
    bool found;

    if (stops(op)) {
        KW_TRY(kw_fact_list(tx, id_of(11, (op - 1) * DEVICES), arena, &facts, err));
        *count += (int64_t)facts.count;
        return KW_OK;
    }
    KW_TRY(kw_batch_find(tx, id_of(8, op), arena, &batch, &found, err));
    *count += found ? 1 + (int64_t)batch.generated : 0;
    return KW_OK;
}

static struct kw_result look(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                             enum cut_found *ret_found, struct kw_error *err)
{
    const struct kw_request_key key = request_of(op);
    struct kw_receipt_found receipt;
    struct kw_request_row row;
    int64_t there = 0;
    bool found;

    KW_TRY(count_effect(tx, op, arena, &there, err));
    KW_TRY(kw_request_find(tx, &key, arena, &row, &found, err));
    there += found ? 1 : 0;
    KW_TRY(kw_receipt_find(tx, core.receipts[op].id, arena, &receipt, &found, err));
    KW_ENSURE(!found || kw_bytes_equal(receipt.record, kw_buf_bytes(&core.records[op])), err,
              INTERNAL, "a receipt is altered");
    there += found ? 1 : 0;
    *ret_found = cut_found_of(there, stops(op) ? 3 : 3 + DEVICES);
    return KW_OK;
}

/* The chain as it is stored passes the verifier: whole, though nobody closed it. */
static struct kw_result check(struct kw_tx *tx, struct kw_arena *arena, struct kw_error *err)
{
    static struct kw_chain_record records[CHAIN_RECORDS];
    const struct kw_chain_stretch stretch = {
        .core = core.chain.core, .stream = core.chain.stream, .to_seq = KW_CHAIN_END};
    const struct kw_chain_page page = {
        .arena = arena, .records = records, .max = CHAIN_RECORDS, .len_max = 1U << 20};
    const struct kw_chain start = {.core = core.chain.core, .stream = core.chain.stream};
    struct kw_chain_verifier verifier;
    size_t count;

    kw_chain_verify_start(&verifier, &start);
    KW_TRY(kw_chain_walk(tx, &stretch, (struct kw_chain_place){0}, &page, &count, err));
    for (size_t i = 0; i < count; i++) {
        enum kw_chain_verdict verdict;

        KW_TRY(kw_chain_verify_receipt(&verifier, records[i].record, &verdict, err));
        KW_ENSURE(verdict == KW_CHAIN_OK, err, INTERNAL, "the chain: %s",
                  kw_chain_verdict_name(verdict));
    }
    return KW_OK;
}

static struct cut_workload workload(void)
{
    return (struct cut_workload){
        .name = "orchestrator",
        .migrations = kw_orch_migrations,
        .migration_count = kw_orch_migration_count,
        .ops = OPS,
        .steps = 1600,
        .syncs = 40,
        .refuses = refuses,
        .apply = apply,
        .look = look,
        .check = check,
    };
}

TestSuite(orchestrator_cut, .init = issue_receipts, .fini = forget_receipts);

Test(orchestrator_cut, loses_nothing_that_it_acknowledged, .timeout = 1100)
{
    const struct cut_workload tables = workload();

    cut_drill_loses_nothing(&tables, 10);
}

Test(orchestrator_cut, a_disk_that_lies_is_found_out, .timeout = 550)
{
    const struct cut_workload tables = workload();

    cut_drill_finds_lies(&tables, 40);
}
