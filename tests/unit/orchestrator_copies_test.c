/* Copies of receipt logs on a real database: what is handed over of ours, and what becomes of what another cell hands over. */
#include "common/audit/segment.h"
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/feed/feed_log.h"
#include "services/orchestrator/kept_table.h"
#include "services/orchestrator/kept_walk.h"
#include "services/orchestrator/receipt_copy.h"
#include "services/orchestrator/receipt_head_feed.h"
#include "services/orchestrator/receipt_table.h"
#include "services/orchestrator/schema.h"
#include "tests/support/faults.h"
#include "tests/support/orchestrator_feed.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>

enum {
    LENGTH = 8,
};

static struct store_fixture store;
static struct kw_arena *arena;
static struct kw_feed feed;
static struct kw_receipt_copy_options options = {.len_max = 1U << 20};
static struct kw_feed_log receipt_log;
static struct kw_id giver = {{0x51}};

static struct kw_buf records[LENGTH];     /* of one chain */
static struct kw_chain heads[LENGTH + 1]; /* after so many */
static struct kw_buf forged[LENGTH];      /* of the same, with another history from the third on */
static struct kw_chain forged_heads[LENGTH + 1];

static void issue(struct kw_chain *chain, uint64_t time_ms, struct kw_buf *out)
{
    struct kw_receipt receipt = {.id = {{(uint8_t)(chain->seq + 1), chain->core.bytes[0]}},
                                 .time_ms = time_ms,
                                 .region = kw_bytes_str("eu"),
                                 .cell = kw_bytes_str("a"),
                                 .capsule = kw_bytes_str("capsule"),
                                 .signer = kw_bytes_str("certificate")};

    cr_assert(kw_ok(kw_chain_issue(chain, &receipt, out, NULL)));
}

static void make(struct kw_buf *out, struct kw_chain *after, uint64_t third_ms)
{
    struct kw_chain chain = {.core = {{1}}, .stream = {{2}}};

    after[0] = chain;
    for (size_t i = 0; i < LENGTH; i++) {
        issue(&chain, i == 2 ? third_ms : 1000 + i, &out[i]);
        after[i + 1] = chain;
    }
}

static void init(void)
{
    store_fixture_init(&store);
    cr_assert(kw_ok(store_fixture_open(&store, kw_orch_migrations, kw_orch_migration_count, NULL)));
    arena = kw_arena_new(1U << 23);
    receipt_log = kw_receipt_copies(&options);
    make(records, heads, 1002);
    make(forged, forged_heads, 1003);
}

static void done(void)
{
    for (size_t i = 0; i < LENGTH; i++) {
        kw_buf_done(&records[i]);
        kw_buf_done(&forged[i]);
    }
    kw_arena_free(arena);
    store_fixture_close(&store);
    store_fixture_done(&store);
}

TestSuite(orchestrator_copies, .init = init, .fini = done);

static void in_tx(STORE_TEST_RUN((*run)))
{
    struct store_test_job job = store_test_job(&store, run, 0, NULL);
    struct kw_result result = store_test_write(&job);

    cr_assert(kw_ok(result), "%s", job.job.error.message);
}

/* --- what is offered --- */

static struct kw_bytes segment_of(struct kw_buf *from, size_t first, size_t last)
{
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_segment segment = {
        .core = heads[0].core, .stream = heads[0].stream, .after = first - 1};
    struct kw_bytes copy;
    bool added;

    for (size_t i = first - 1; i < last; i++) {
        cr_assert(kw_ok(kw_segment_add(&segment, &list, kw_buf_bytes(&from[i]), &added, NULL)));
    }
    cr_assert(kw_ok(kw_segment_encode(&segment, &record, NULL)));
    cr_assert(kw_ok(kw_arena_copy(arena, kw_buf_bytes(&record), &copy, NULL)));
    return copy;
}

static struct kw_log_ask asked(uint64_t after)
{
    struct kw_log_ask ask = {.number = after};

    kw_copy(ask.name, heads[0].core.bytes, KW_ID_LEN);
    kw_copy(ask.name + KW_ID_LEN, heads[0].stream.bytes, KW_ID_LEN);
    return ask;
}

/* What the store of `cell` of region eu hands over, asked for what follows `after`. */
static struct kw_result offer(struct kw_tx *tx, const char *cell, uint64_t after,
                              struct kw_bytes segment, struct kw_error *err)
{
    const struct kw_log_ask ask = asked(after);
    char place[16];
    struct kw_log_offer made = {.feed = &feed,
                                .region = kw_bytes_str("eu"),
                                .cell = kw_bytes_str(cell),
                                .store = giver,
                                .asked = &ask,
                                .segment = segment,
                                .evidence = kw_bytes_str("answer"),
                                .now_ms = 5};

    (void)snprintf(place, sizeof(place), "eu/%s", cell);
    made.place = kw_bytes_str(place);
    return receipt_log.keep(receipt_log.context, tx, &made, arena, err);
}

/* Kept up to here, and is more of it taken? */
static struct kw_result expect_kept(struct kw_tx *tx, uint64_t end, bool takes, const char *why,
                                    struct kw_error *err)
{
    const struct kw_log_ask ask = asked(0);
    uint64_t kept;
    bool still;

    KW_TRY(receipt_log.kept(tx, kw_bytes_str("eu/a"), ask.name, &kept, &still, err));
    cr_assert_eq(kept, end, "%s: %llu", why, (unsigned long long)kept);
    cr_assert_eq(still, takes, "%s", why);
    return KW_OK;
}

/* Is what is counted of the store what is there? */
static struct kw_result expect_counted(struct kw_tx *tx, uint64_t len, struct kw_error *err)
{
    struct kw_kept_sum sum;
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_kept_sum(tx, giver, &sum, err));
    cr_assert_eq(sum.len, len);
    KW_TRY(kw_sql(tx, "SELECT CAST(sum(len) AS BIGINT), count(*) FROM kept_chains", &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    cr_assert(found && (uint64_t)kw_col_i64(stmt, 0) == len);
    cr_assert_eq((uint64_t)kw_col_i64(stmt, 1), sum.chains);
    return KW_OK;
}

static int64_t verdicts(const char *verdict)
{
    return kw_metric_value(KW_M_RECEIPT_SEGMENTS, verdict);
}

static struct kw_result refused(struct kw_tx *tx, const char *cell, uint64_t after,
                                struct kw_bytes segment, const char *verdict, struct kw_error *err)
{
    int64_t before = verdicts(verdict);

    KW_TRY(offer(tx, cell, after, segment, err));
    cr_assert_eq(verdicts(verdict), before + 1, "%s", verdict);
    return expect_kept(tx, 3, true, verdict, err);
}

/* --- keeping --- */

static struct kw_result keeps_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_bytes segment;
    bool found;

    (void)job;
    KW_TRY(expect_kept(tx, 0, true, "nothing yet", err));
    KW_TRY(offer(tx, "a", 0, segment_of(records, 1, 3), err));
    KW_TRY(expect_kept(tx, 3, true, "three", err));
    KW_TRY(offer(tx, "a", 3, segment_of(records, 4, LENGTH), err));
    KW_TRY(expect_kept(tx, LENGTH, true, "all", err));
    KW_TRY(offer(tx, "a", 3, segment_of(records, 4, LENGTH), err)); /* once more, late */
    KW_TRY(expect_kept(tx, LENGTH, true, "twice", err));
    for (uint64_t seq = 1; seq <= LENGTH; seq++) {
        KW_TRY(kw_kept_segment(tx, kw_bytes_str("eu/a"), heads[0].core, heads[0].stream, seq, arena,
                               &segment, &found, err));
        cr_assert(found && kw_bytes_equal(segment, seq <= 3 ? segment_of(records, 1, 3)
                                                            : segment_of(records, 4, LENGTH)));
    }
    KW_TRY(kw_kept_segment(tx, kw_bytes_str("eu/a"), heads[0].core, heads[0].stream, LENGTH + 1,
                           arena, &segment, &found, err));
    cr_assert_not(found);
    return expect_counted(
        tx, segment_of(records, 1, 3).len + segment_of(records, 4, LENGTH).len + KW_KEPT_CHAIN_COST,
        err);
}

Test(orchestrator_copies, what_continues_is_kept)
{
    in_tx(keeps_run);
    cr_assert_eq(verdicts("good"), 2);
}

static struct kw_bytes altered(struct kw_bytes segment, size_t at)
{
    struct kw_bytes copy;

    cr_assert(kw_ok(kw_arena_copy(arena, segment, &copy, NULL)));
    ((uint8_t *)(uintptr_t)copy.data)[at] ^= 1U;
    return copy;
}

static struct kw_result refuses_run(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct kw_bytes next = segment_of(records, 4, 6);
    struct kw_bytes later = segment_of(records, 5, 6);

    (void)job;
    KW_TRY(offer(tx, "a", 0, segment_of(records, 1, 3), err));
    KW_TRY(refused(tx, "a", 3, later, "unasked", err)); /* a gap; out of order */
    KW_TRY(refused(tx, "a", 3, segment_of(records, 1, 3), "unasked", err));
    KW_TRY(refused(tx, "a", 3, altered(next, 4), "unasked", err)); /* another chain's */
    KW_TRY(refused(tx, "a", 3, KW_BYTES(next.data, next.len - 1), "broken", err));
    KW_TRY(refused(tx, "a", 3, kw_bytes_str("KWX1"), "broken", err));
    KW_TRY(refused(tx, "a", 3, KW_BYTES_NONE, "broken", err));
    KW_TRY(refused(tx, "a", 3, altered(next, 46 + 4 + 4), "broken",
                   err)); /* forged: its first one's id */
    return expect_kept(tx, 3, true, "none of them", err);
}

Test(orchestrator_copies, what_does_not_continue_is_refused)
{
    in_tx(refuses_run);
    cr_assert_eq(verdicts("good"), 1);
}

static struct kw_result stranger_run(struct kw_store_job *job, struct kw_tx *tx,
                                     struct kw_error *err)
{
    int64_t before = verdicts("other_place");

    (void)job;
    KW_TRY(offer(tx, "b", 0, segment_of(records, 1, 3), err)); /* b says it, of a's receipts */
    cr_assert_eq(verdicts("other_place"), before + 1);
    KW_TRY(expect_kept(tx, 0, true, "nothing of a", err));
    return offer(tx, "a", 0, segment_of(records, 1, 3), err);
}

Test(orchestrator_copies, nobody_hands_over_anothers)
{
    in_tx(stranger_run);
}

static struct kw_result fork_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    int64_t before = verdicts("forked");
    struct kw_kept_chain chain;

    (void)job;
    KW_TRY(offer(tx, "a", 0, segment_of(records, 1, 3), err));
    KW_TRY(offer(tx, "a", 3, segment_of(forged, 4, 6), err));
    cr_assert_eq(verdicts("forked"), before + 1);
    KW_TRY(expect_kept(tx, 3, false, "it stops", err));
    KW_TRY(offer(tx, "a", 3, segment_of(records, 4, 6), err)); /* whichever is right */
    KW_TRY(expect_kept(tx, 3, false, "for good", err));
    KW_TRY(kw_kept_find(tx, kw_bytes_str("eu/a"), heads[0].core, heads[0].stream, &chain, err));
    cr_assert(chain.forked);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(chain.at.head.bytes), KW_BYTES_OF(heads[3].head.bytes)));
    return KW_OK;
}

static struct kw_result evidence_run(struct kw_store_job *job, struct kw_tx *tx,
                                     struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    (void)job;
    KW_TRY(kw_sql(tx, "SELECT evidence FROM kept_chains WHERE forked = 1", &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    cr_assert(found && kw_bytes_equal(kw_col_blob(stmt, 0), kw_bytes_str("answer")));
    return expect_counted(tx, segment_of(records, 1, 3).len + KW_KEPT_CHAIN_COST + strlen("answer"),
                          err);
}

Test(orchestrator_copies, another_history_is_evidence_and_stops_the_chain)
{
    in_tx(fork_run);
    in_tx(evidence_run);
}

/* --- signed heads --- */

static struct kw_result say_head(struct kw_tx *tx, const struct kw_chain *at, struct kw_error *err)
{
    const struct kw_checkpoint checkpoint = {.core = at->core,
                                             .stream = at->stream,
                                             .seq = at->seq,
                                             .head = at->head,
                                             .signature = kw_bytes_str("signature")};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_feed_tx feed_tx;

    KW_TRY(orchestrator_feed_tx(&feed, tx, arena, 1000, &feed_tx, err));
    KW_TRY(kw_checkpoint_encode(&checkpoint, &record, err));
    return kw_receipt_head_say(&feed_tx, &checkpoint, kw_buf_bytes(&record), err);
}

static struct kw_result heads_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    (void)job;
    KW_TRY(say_head(tx, &heads[2], err));
    KW_TRY(say_head(tx, &heads[5], err));
    KW_TRY(offer(tx, "a", 0, segment_of(records, 1, 3), err));
    KW_TRY(expect_kept(tx, 3, true, "through the first", err));
    KW_TRY(offer(tx, "a", 3, segment_of(records, 4, LENGTH), err));
    return expect_kept(tx, LENGTH, true, "and behind the last", err);
}

Test(orchestrator_copies, receipts_go_through_the_heads_that_lanes_know)
{
    in_tx(heads_run);
}

/* Any member may say any head, of whatever it can't sign: of that nobody's receipts are lost. */
static struct kw_result contested_run(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *err)
{
    struct kw_chain lie = heads[5];
    int64_t good = verdicts("good");
    int64_t contested = verdicts("contested");

    (void)job;
    lie.head.bytes[0] ^= 1U;
    KW_TRY(say_head(tx, &lie, err));
    KW_TRY(offer(tx, "a", 0, segment_of(records, 1, 3), err));
    KW_TRY(offer(tx, "a", 3, segment_of(records, 4, 6), err));
    KW_TRY(expect_kept(tx, 6, true, "it is told", err));
    KW_TRY(offer(tx, "a", 6, segment_of(records, 7, LENGTH), err));
    cr_assert_eq(verdicts("good"), good + 2);
    cr_assert_eq(verdicts("contested"), contested + 1);
    return expect_kept(tx, LENGTH, true, "and goes on", err);
}

Test(orchestrator_copies, another_head_of_whomever_is_told_and_stops_nothing)
{
    in_tx(contested_run);
}

/* A row of fields that nobody knows, as long as rows may be. */
static struct kw_result fill(struct kw_tx *tx, uint64_t seq, struct kw_error *err)
{
    enum {
        FIRST = 3,
        AT_ONCE = 15,
    };
    static uint8_t filler[32000];
    uint8_t key[2 * KW_ID_LEN + sizeof(seq)];
    struct kw_feed_tx feed_tx;
    struct kw_record merged;

    kw_copy(key, heads[0].core.bytes, KW_ID_LEN);
    kw_copy(key + KW_ID_LEN, heads[0].stream.bytes, KW_ID_LEN);
    kw_be64_store(key + 2 * (size_t)KW_ID_LEN, seq);
    for (uint8_t at = FIRST; at < FIRST + 4 * AT_ONCE; at += AT_ONCE) {
        struct kw_record change = {.table = KW_TABLE_RECEIPT_HEADS, .key = KW_BYTES_OF(key)};
        struct kw_arena *large = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);

        for (uint8_t i = 0; i < AT_ONCE; i++) {
            change.fields[change.count++] = (struct kw_record_field){
                .number = at + i, .rule = KW_RULE_ONCE, .value = KW_BYTES_OF(filler)};
        }
        KW_TRY(orchestrator_feed_tx(&feed, tx, large, 1000, &feed_tx, err));
        KW_TRY(kw_feed_write(feed_tx.feed, tx, &change, false, 1000, large, &merged, err));
        kw_arena_free(large);
    }
    return KW_OK;
}

/* Three of them are as much as is looked at for one segment, and no more than one is in memory. */
static struct kw_result large_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_chain lie = heads[4];
    int64_t good = verdicts("good");

    (void)job;
    lie.head.bytes[0] ^= 1U;
    for (uint64_t seq = 1; seq <= 3; seq++) {
        KW_TRY(say_head(tx, &heads[seq], err));
        KW_TRY(fill(tx, seq, err));
    }
    KW_TRY(say_head(tx, &lie, err));
    KW_TRY(offer(tx, "a", 0, segment_of(records, 1, LENGTH), err));
    KW_TRY(expect_kept(tx, LENGTH, true, "kept", err));
    cr_assert_eq(verdicts("good"), good + 1);
    return KW_OK;
}

Test(orchestrator_copies, large_rows_of_heads_are_in_nobodys_way)
{
    kw_arena_free(arena);
    arena = kw_arena_new(1U << 18);
    in_tx(large_run);
}

/* Nor in a verifier's. */
static struct kw_result walk_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    enum {
        MAX = 2 * KW_SET_ELEMENTS_MAX,
    };
    struct kw_kept_cursor cursor = {.place = kw_bytes_str("eu/a")};
    struct kw_chain_record found[MAX];
    const struct kw_chain_page page = {arena, found, MAX, 1U << 16};
    size_t total = 0;
    size_t count;

    KW_TRY(large_run(job, tx, err));
    do {
        KW_TRY(kw_kept_walk(tx, &cursor, &page, &count, err));
        total += count;
    } while (count > 0);
    cr_assert_eq(total, LENGTH + 4); /* receipts and checkpoints */
    return KW_OK;
}

Test(orchestrator_copies, large_rows_of_heads_are_in_no_verifiers_way)
{
    kw_arena_free(arena);
    arena = kw_arena_new(1U << 18);
    in_tx(walk_run);
}

/* --- how much --- */

static struct kw_result full_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_bytes first = segment_of(records, 1, 3);
    int64_t full = verdicts("full");

    (void)job;
    options.len_max = first.len + 2 * KW_KEPT_CHAIN_COST;
    KW_TRY(offer(tx, "a", 0, first, err));
    KW_TRY(expect_kept(tx, 3, true, "there is room", err));
    KW_TRY(offer(tx, "a", 3, segment_of(records, 4, LENGTH), err));
    KW_TRY(expect_kept(tx, 3, true, "there is none", err));
    cr_assert_eq(verdicts("full"), full + 1);
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "receipts_kept"), full + 1);
    options.len_max = 1U << 20;
    KW_TRY(offer(tx, "a", 3, segment_of(records, 4, LENGTH), err));
    return expect_kept(tx, LENGTH, true, "again", err);
}

Test(orchestrator_copies, what_is_kept_of_a_cell_is_bounded)
{
    in_tx(full_run);
}

/* Evidence has no room of its own; that the chain forked is noted all the same. */
static struct kw_result full_fork_run(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *err)
{
    const struct kw_bytes first = segment_of(records, 1, 3);
    int64_t full = kw_metric_value(KW_M_LIMITS_REACHED, "receipts_kept");
    struct kw_stmt *stmt;
    bool found;

    (void)job;
    options.len_max = first.len + 2 * KW_KEPT_CHAIN_COST;
    KW_TRY(offer(tx, "a", 0, first, err));
    options.len_max += strlen("answer") - 1;
    KW_TRY(offer(tx, "a", 3, segment_of(forged, 4, 6), err));
    options.len_max = 1U << 20;
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "receipts_kept"), full + 1);
    KW_TRY(expect_kept(tx, 3, false, "it stops", err));
    KW_TRY(kw_sql(tx, "SELECT 1 FROM kept_chains WHERE evidence IS NULL", &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    cr_assert(found);
    return expect_counted(tx, first.len + KW_KEPT_CHAIN_COST, err);
}

Test(orchestrator_copies, evidence_asks_for_room)
{
    in_tx(full_fork_run);
}

static struct kw_result say_chains(struct kw_tx *tx, int64_t chains, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx,
                  "INSERT INTO kept_stores (store, len, chains) VALUES ($1, 0, $2)"
                  " ON CONFLICT (store) DO UPDATE SET chains = excluded.chains",
                  &stmt, err));
    kw_bind_id(stmt, 1, &giver);
    kw_bind_i64(stmt, 2, chains);
    return kw_exec(stmt, NULL, err);
}

static struct kw_result many_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    int64_t full = verdicts("full");

    (void)job;
    KW_TRY(say_chains(tx, KW_KEPT_CHAINS_MAX, err));
    KW_TRY(offer(tx, "a", 0, segment_of(records, 1, 3), err));
    KW_TRY(expect_kept(tx, 0, true, "one too many", err));
    cr_assert_eq(verdicts("full"), full + 1);
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "receipt_chains_kept"), full + 1);
    KW_TRY(say_chains(tx, KW_KEPT_CHAINS_MAX - 1, err));
    KW_TRY(offer(tx, "a", 0, segment_of(records, 1, 3), err));
    KW_TRY(expect_kept(tx, 3, true, "the last", err));
    KW_TRY(offer(tx, "a", 3, segment_of(records, 4, LENGTH), err));
    return expect_kept(tx, LENGTH, true, "which goes on", err);
}

Test(orchestrator_copies, chains_of_a_cell_are_bounded)
{
    in_tx(many_run);
}

/* Whoever is at the place of a store that was full has room of its own. */
static struct kw_result next_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    (void)job;
    KW_TRY(say_chains(tx, KW_KEPT_CHAINS_MAX, err));
    KW_TRY(offer(tx, "a", 0, segment_of(records, 1, 3), err));
    KW_TRY(expect_kept(tx, 0, true, "none", err));
    giver.bytes[0]++;
    KW_TRY(offer(tx, "a", 0, segment_of(records, 1, 3), err));
    giver.bytes[0]--;
    return expect_kept(tx, 3, true, "the next", err);
}

Test(orchestrator_copies, who_comes_next_has_room)
{
    in_tx(next_run);
}

/* --- ours --- */

static struct kw_result own_put(struct kw_tx *tx, const struct kw_buf *record,
                                const struct kw_chain *after, struct kw_error *err)
{
    struct kw_receipt receipt;
    struct kw_receipt_row row = {.receipt = &receipt,
                                 .record = kw_buf_bytes(record),
                                 .head = after->head,
                                 .caller = "operators/x"};

    KW_TRY(kw_receipt_decode(row.record, &receipt, err));
    return kw_receipt_insert(tx, &row, err);
}

static struct kw_result own_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_chain other = {.core = {{1}}, .stream = {{3}}};
    KW_SCOPED(kw_buf_done) struct kw_buf first = {0};
    struct kw_log_chain chains[3];
    const uint8_t none[KW_LOG_NAME_LEN] = {0};
    size_t count;

    (void)job;
    KW_TRY(receipt_log.chains(tx, none, chains, 3, &count, err));
    cr_assert_eq(count, 0);
    for (size_t i = 0; i < LENGTH; i++) {
        KW_TRY(own_put(tx, &records[i], &heads[i + 1], err));
    }
    other.core.bytes[1] = 9;
    issue(&other, 7, &first);
    ((uint8_t *)first.data)[4] = 99; /* an id of its own */
    KW_TRY(own_put(tx, &first, &other, err));
    KW_TRY(receipt_log.chains(tx, none, chains, 3, &count, err));
    cr_assert_eq(count, 2);
    cr_assert(chains[0].end == LENGTH && chains[0].name[KW_ID_LEN] == 2);
    cr_assert(chains[1].end == 1 && chains[1].name[KW_ID_LEN] == 3);
    KW_TRY(receipt_log.chains(tx, none, chains, 1, &count, err));
    cr_assert_eq(count, 1);
    KW_TRY(receipt_log.chains(tx, chains[0].name, chains, 3, &count, err));
    cr_assert(count == 1 && chains[0].end == 1);
    return KW_OK;
}

static struct kw_result own_read_run(struct kw_store_job *job, struct kw_tx *tx,
                                     struct kw_error *err)
{
    (void)job;
    for (uint64_t after = 0; after <= LENGTH; after++) {
        KW_SCOPED(kw_buf_done) struct kw_buf segment = {0};
        const struct kw_log_ask ask = asked(after);

        KW_TRY(receipt_log.read(tx, &ask, &segment, err));
        cr_assert(after == LENGTH ? segment.len == 0
                                  : kw_bytes_equal(kw_buf_bytes(&segment),
                                                   segment_of(records, after + 1, LENGTH)));
    }
    return KW_OK;
}

Test(orchestrator_copies, ours_is_handed_over_chain_by_chain)
{
    in_tx(own_run);
    in_tx(own_read_run);
}

/* --- what fails --- */

#ifdef KW_FAULTS_PLANTED
/* Again, until nothing new fails. */
static void in_failing_tx(STORE_TEST_RUN((*run)))
{
    bool failed = true;

    while (failed) {
        struct store_test_job job = store_test_job(&store, run, 0, NULL);
        struct kw_result result;

        faults_arm_at("services/orchestrator/");
        result = store_test_write(&job);
        failed = faults_disarm();
        cr_assert(failed || kw_ok(result), "%s", job.job.error.message);
    }
}

Test(orchestrator_copies, whatever_fails_nothing_is_kept_by_halves)
{
    in_failing_tx(own_run);
    in_failing_tx(own_read_run);
    in_failing_tx(fork_run);
    in_tx(evidence_run);
}

Test(orchestrator_copies, whatever_fails_is_kept_the_next_time)
{
    in_failing_tx(contested_run);
}

Test(orchestrator_copies, whatever_fails_room_is_looked_for)
{
    in_failing_tx(full_run);
}
#endif
