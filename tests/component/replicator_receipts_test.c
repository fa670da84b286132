/* Receipt logs of two cells, each of which keeps the other's, by real feeds and replicators: eu/a and us/a. */
#include "common/audit/chain.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/feed_service/feed_service_internal.h"
#include "services/orchestrator/receipt_copy.h"
#include "services/orchestrator/receipt_table.h"
#include "services/orchestrator/schema.h"
#include "tests/support/faults.h"
#include "tests/support/must.h"
#include "tests/support/real_cells.h"

#include <string.h>

enum {
    SIGNER_LEN = 60000, /* few receipts are many segments */
};

static struct kw_migration migrations[4];
static const struct kw_receipt_copy_options options = {.len_max = 1U << 28};
static struct kw_feed_log receipt_log;

/* Both look now, if they do nothing else. */
static bool look(void)
{
    for (int cell = 0; cell < CELLS; cell++) {
        struct kw_feed_service *service = real_orchestrator(cell)->service;

        service->keeping.due_ns = 0;
        kw_feed_keeping_tend(service);
    }
    return true;
}

#define LOOKING_UNTIL(condition) HOUSE_EVENTUALLY(&real_house, look() && (condition))

static void set_up(void)
{
    migrations[0] = feed_migrations[0];
    migrations[1] = feed_migrations[1];
    migrations[2] = kw_orch_migrations[0]; /* with table receipts */
    migrations[3] = kw_orch_migrations[3]; /* kept_… */
    receipt_log = kw_receipt_copies(&options);
    house_extra = (struct house_extra){migrations, 4, &receipt_log};
    real_cells_init();
}

TestSuite(replicator_receipts, .init = set_up, .fini = real_cells_done, .timeout = 120);

/* --- receipts --- */

struct making {
    struct kw_chain *chain;
    const char *region;
    size_t count;
    size_t signer_len;
};

static struct kw_result make_one(const struct making *making, struct kw_tx *tx,
                                 struct kw_error *err)
{
    static uint8_t signer[SIGNER_LEN];
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_receipt receipt = {.time_ms = 1000 + making->chain->seq,
                                 .region = kw_bytes_str(making->region),
                                 .cell = kw_bytes_str("a"),
                                 .capsule = kw_bytes_str("capsule"),
                                 .signer = KW_BYTES(signer, making->signer_len)};
    struct kw_receipt_row row = {.receipt = &receipt, .caller = "operators/x"};

    KW_TRY(kw_id_random(&receipt.id, err));
    KW_TRY(kw_chain_issue(making->chain, &receipt, &record, err));
    row.record = kw_buf_bytes(&record);
    row.head = making->chain->head;
    return kw_receipt_insert(tx, &row, err);
}

static struct kw_result run_make(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct making *making = job->in;

    for (size_t i = 0; i < making->count; i++) {
        KW_TRY(make_one(making, tx, err));
    }
    return KW_OK;
}

static void make(int cell, struct kw_chain *chain, size_t count, size_t signer_len)
{
    const struct making making = {chain, cell == EU ? "eu" : "us", count, signer_len};

    REQUIRE(kw_ok(house_write_job(real_orchestrator(cell), run_make, &making, NULL)), "receipts");
}

static int64_t kept(int cell)
{
    return house_number(real_orchestrator(cell), "SELECT coalesce(sum(last), 0) FROM kept_chains");
}

static int64_t segments(int cell)
{
    return house_number(real_orchestrator(cell), "SELECT count(*) FROM kept_segments");
}

static uint64_t unshipped(int cell)
{
    const struct kw_feed_keeping *keeping = &real_orchestrator(cell)->service->keeping;

    return keeping->now.total - keeping->unshipped[KW_KEEPER_FAR].kept;
}

static uint64_t total(int cell)
{
    return real_orchestrator(cell)->service->keeping.now.total;
}

static struct kw_chain chain_of(uint8_t core)
{
    return (struct kw_chain){.core = {{core}}, .stream = {{core}}};
}

/* --- what is kept --- */

Test(replicator_receipts, each_keeps_the_others)
{
    struct kw_chain eu = chain_of(1);
    struct kw_chain us = chain_of(2);

    make(EU, &eu, 7, 100);
    make(US, &us, 3, 100);
    LOOKING_UNTIL(kept(US) == 7 && kept(EU) == 3);
    make(EU, &eu, 5, 100);
    LOOKING_UNTIL(kept(US) == 12);
    LOOKING_UNTIL(total(EU) == 12 && unshipped(EU) == 0);
    LOOKING_UNTIL(total(US) == 3 && unshipped(US) == 0);
}

Test(replicator_receipts, a_long_chain_comes_segment_by_segment)
{
    struct kw_chain eu = chain_of(1);

    make(EU, &eu, 20, SIGNER_LEN);
    LOOKING_UNTIL(kept(US) == 20);
    cr_assert_geq(segments(US), 5);
    cr_assert_eq(kw_metric_value(KW_M_RECEIPT_SEGMENTS, "good"), segments(US));
}

Test(replicator_receipts, of_many_chains_all_are_kept)
{
    enum {
        CHAINS = KW_LOG_CHAINS_MAX + 10,
    };

    for (int i = 0; i < CHAINS; i++) {
        struct kw_chain chain = {.core = {{(uint8_t)(i / 100 + 1), (uint8_t)i}}, .stream = {{7}}};

        make(EU, &chain, 1, 100);
    }
    LOOKING_UNTIL(kept(US) == CHAINS);
    LOOKING_UNTIL(total(EU) == CHAINS && unshipped(EU) == 0);
}

/* --- what is lost, and what is not --- */

Test(replicator_receipts, what_was_copied_is_there_when_its_cells_disk_is_lost)
{
    struct kw_chain first = chain_of(1);
    struct kw_chain second = chain_of(3);

    make(EU, &first, 9, 100);
    LOOKING_UNTIL(kept(US) == 9);
    real_cell_stop(EU);
    real_owner_lose(real_orchestrator(EU));
    real_cell_begin(EU);
    make(EU, &second, 4, 100); /* of its new life */
    LOOKING_UNTIL(kept(US) == 13);
    LOOKING_UNTIL(total(EU) == 4 && unshipped(EU) == 0);
}

Test(replicator_receipts, what_a_keeper_lost_it_asks_again)
{
    struct kw_chain eu = chain_of(1);

    make(EU, &eu, 9, 100);
    LOOKING_UNTIL(kept(US) == 9);
    real_cell_stop(US);
    real_owner_lose(real_orchestrator(US));
    cr_assert_eq(kept(US), 0);
    real_cell_begin(US);
    LOOKING_UNTIL(kept(US) == 9);
}

Test(replicator_receipts, who_is_away_gets_the_rest_later_and_it_shows)
{
    struct kw_chain eu = chain_of(1);
    struct kw_feed_keeping *keeping = &real_orchestrator(EU)->service->keeping;

    make(EU, &eu, 2, 100);
    LOOKING_UNTIL(total(EU) == 2 && unshipped(EU) == 0);
    real_cell_stop(US);
    make(EU, &eu, 5, 100);
    LOOKING_UNTIL(total(EU) == 7);
    cr_assert_eq(unshipped(EU), 5);
    cr_assert(keeping->now.has[KW_KEEPER_FAR] && !keeping->now.has[KW_KEEPER_NEAR]);
    real_cell_begin(US);
    LOOKING_UNTIL(kept(US) == 7 && unshipped(EU) == 0);
}

/* Else every restart were an alarm. */
Test(replicator_receipts, since_when_copies_are_missing_is_counted_from_the_start_on)
{
    struct kw_chain eu = chain_of(1);
    uint64_t began_ns = kw_clock_mono_ns();

    make(EU, &eu, 2, 100);
    LOOKING_UNTIL(kept(US) == 2);
    real_cell_stop(US);
    real_cell_stop(EU);
    real_owner_restart(real_orchestrator(EU));
    LOOKING_UNTIL(total(EU) == 2);
    cr_assert_eq(unshipped(EU), 2, "nobody has said anything yet");
    cr_assert_geq(real_orchestrator(EU)->service->keeping.unshipped[KW_KEEPER_FAR].whole_ns,
                  began_ns);
}

/* --- what is wrong --- */

static struct kw_result run_sql(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, job->in, &stmt, err));
    return kw_exec(stmt, NULL, err);
}

static void set_back(int cell, const char *sql)
{
    REQUIRE(kw_ok(house_write_job(real_orchestrator(cell), run_sql, sql, NULL)), "%s", sql);
}

/* A file that was set back, and goes on: two histories. */
Test(replicator_receipts, another_history_is_told_and_what_is_kept_stays)
{
    struct kw_chain eu = chain_of(1);
    struct kw_chain before = eu;

    make(EU, &eu, 3, 100);
    before = eu;
    make(EU, &eu, 4, 100);
    LOOKING_UNTIL(kept(US) == 7);
    set_back(EU, "DELETE FROM receipts WHERE seq > 3");
    make(EU, &before, 6, 100);
    LOOKING_UNTIL(kw_metric_value(KW_M_RECEIPT_SEGMENTS, "forked") == 1);
    cr_assert_eq(kept(US), 7);
    cr_assert_eq(house_number(real_orchestrator(US),
                              "SELECT count(*) FROM kept_chains WHERE evidence IS NOT NULL"),
                 1);
}

static struct kw_record fenced(struct kw_id store)
{
    struct kw_record row = {0};
    struct kw_bytes key;

    MUST(kw_arena_copy(values_arena(), kw_id_bytes(&store), &key, err));
    row.table = KW_TABLE_STORES;
    row.key = key;
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    return row;
}

Test(replicator_receipts, a_fenced_store_hands_nothing_over)
{
    struct kw_chain eu = chain_of(1);
    struct kw_feed_keeping *keeping = &real_orchestrator(US)->service->keeping;
    struct kw_record row = fenced(real_orchestrator(EU)->feed.options.store);

    make(EU, &eu, 2, 100);
    LOOKING_UNTIL(kept(US) == 2 && keeping->now.origin_count == 1);
    house_put_store(real_orchestrator(US), &row);
    LOOKING_UNTIL(keeping->now.origin_count == 0);
    make(EU, &eu, 2, 100);
    LOOKING_UNTIL(total(EU) == 4);
    cr_assert_eq(kept(US), 2);
}

/* Rows of stores are kept for good, those of fenced ones, too. */
Test(replicator_receipts, however_many_stores_there_were_logs_are_kept)
{
    enum {
        VOUCHER = 30000,
        STORES = KW_REQUEST_ARENA_MAX / VOUCHER + 1,
    };
    static char voucher[VOUCHER + 1];
    struct kw_chain eu = chain_of(1);

    (void)memset(voucher, 'v', VOUCHER);
    for (int i = 0; i < STORES; i++) {
        struct kw_record row = fenced((struct kw_id){{0xfe, (uint8_t)i}});

        MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_VOUCHER,
                           value_lww(1, (struct kw_id){{0xfe}}, voucher), err));
        house_put_store(real_orchestrator(US), &row);
    }
    make(EU, &eu, 2, 100);
    LOOKING_UNTIL(kept(US) == 2);
}

/* --- what fails --- */

static unsigned kept_in_vain;

static struct kw_result keep_in_vain(const void *context, struct kw_tx *tx,
                                     const struct kw_log_offer *offer, struct kw_arena *arena,
                                     struct kw_error *err)
{
    (void)context;
    (void)tx;
    (void)offer;
    (void)arena;
    kept_in_vain++;
    KW_FAIL(err, STORE_FULL, "no room");
}

static bool rests(int cell)
{
    const struct kw_feed_errands *errands = &real_orchestrator(cell)->service->errands;

    return errands->now == NULL && !errands->at_store;
}

/* A log that can't be kept is no reason not to look whether anything else is lacking. */
Test(replicator_receipts, other_errands_are_due_when_they_were_whatever_fails_here)
{
    const uint64_t due_ns = UINT64_MAX;
    struct kw_feed_errands *errands = &real_orchestrator(US)->service->errands;
    struct kw_chain eu = chain_of(1);

    make(EU, &eu, 2, 100);
    LOOKING_UNTIL(kept(US) == 2);
    HOUSE_EVENTUALLY(&real_house, rests(US));
    errands->due_ns = due_ns;
    receipt_log.keep = keep_in_vain;
    make(EU, &eu, 2, 100);
    LOOKING_UNTIL(kept_in_vain >= 3);
    HOUSE_EVENTUALLY(&real_house, rests(US));
    cr_assert_eq(errands->due_ns, due_ns);
    cr_assert_eq(kept(US), 2);
}

#ifdef KW_FAULTS_PLANTED
/* Each place below fails once; what it was about is kept all the same. */
static size_t fail_all(const char *scope, struct kw_chain *chain)
{
    size_t failed = 0;
    bool fired = true;

    while (fired) {
        make(EU, chain, 1, 100);
        faults_arm_at(scope);
        LOOKING_UNTIL(kept(US) == (int64_t)chain->seq);
        fired = faults_disarm();
        failed += fired;
    }
    return failed;
}

Test(replicator_receipts, whatever_fails_receipts_are_copied_in_the_end)
{
    struct kw_chain eu = chain_of(1);
    size_t failed = 0;

    failed += fail_all("common/feed_service/keeping.c", &eu);
    failed += fail_all("common/feed/feed_log_answer.c", &eu);
    failed += fail_all("services/orchestrator/", &eu);
    cr_assert_geq(failed, 40, "%zu", failed);
}
#endif
