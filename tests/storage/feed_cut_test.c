/* The feed under power cuts: local changes, and batches of another store of which something is held or
 * goes into quarantine. What was acknowledged to the peer is somewhere, lanes have no gap, and no
 * number is without its row. */
#include "common/feed/record_table.h"
#include "common/sync/store_record.h"
#include "tests/support/cut_drill.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

#include <stdio.h>

#define OPS 48

enum kind {
    WRITES,
    HOLDS, /* a batch of two: one is applied, one is held */
    QUARANTINES,
    URGENT,
    KINDS
};

static const struct kw_id mesh = {{7}};
static const struct kw_id us = {{8}};

/* The other store's lane: the batch of each operation that is one. */
static struct {
    struct kw_lane lane;
    struct kw_lane_point point;
    struct kw_record row;
    struct kw_bytes batches[OPS + 1];
    uint64_t last[OPS + 1]; /* number */
} other;

static struct kw_feed feed;

static enum kind kind_of(uint32_t op)
{
    return (enum kind)(op % KINDS);
}

static bool refuses(uint32_t op)
{
    return kind_of(op) == WRITES && op % 12 == 0;
}

/* --- what the other store says --- */

static struct kw_record record_of(uint32_t op, enum kind kind)
{
    char key[8];
    struct kw_record record;

    (void)snprintf(key, sizeof(key), "%u", op);
    record = note(key);
    note_set(&record, NOTE_COUNT, value_u64(op));
    if (kind == HOLDS) {
        record.count = 0;
        note_set(&record, NOTE_TEXT, value_lww((FEED_WALL + 60000) << 16, store_a, "ahead"));
    }
    if (kind == URGENT) { /* only what disables may be */
        note_set(&record, NOTE_REMOVED, value_first(op, us, "gone"));
    }
    if (kind == QUARANTINES) {
        record.table = later_kind.table;
    }
    return record;
}

static struct kw_bytes encoded(const struct kw_record *record)
{
    struct kw_buf buf = {0};

    MUST(kw_record_encode(record, &buf, err));
    return value_keep(&buf);
}

static void say(uint32_t op)
{
    const struct kw_record records[2] = {record_of(op, WRITES), record_of(op, kind_of(op))};
    struct kw_change changes[2] = {{.hlc = op, .record = encoded(&records[0])},
                                   {.hlc = op, .record = encoded(&records[1])}};
    struct kw_lane_batch batch = {.from = other.point, .changes = changes, .count = 2};
    struct kw_lane_head head = {.lane = other.lane, .closed = op};
    struct kw_buf buf = {0};

    MUST(kw_lane_advance(&other.point, &changes[0], err));
    MUST(kw_lane_advance(&other.point, &changes[1], err));
    head.point = other.point;
    MUST(kw_lane_head_sign(&head, lane_key(0), &buf, err));
    batch.head_record = value_keep(&buf);
    MUST(kw_lane_batch_encode(&batch, &buf, err));
    other.batches[op] = value_keep(&buf);
    other.last[op] = other.point.seq;
}

static void setup(void)
{
    struct lane_owner owner = lane_owner_new(0);

    other.lane = owner.lane;
    other.lane.mesh = mesh;
    other.row = owner.row;
    MUST(kw_lane_start(&other.lane, &other.point, err));
    for (uint32_t op = 1; op <= OPS; op++) {
        if (kind_of(op) == HOLDS || kind_of(op) == QUARANTINES) {
            say(op);
        }
    }
}

TestSuite(feed_cut, .init = setup);

/* --- doing --- */

static struct kw_result know_other(struct kw_tx *tx, struct kw_arena *arena, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_record_row old;
    bool found;
    bool done;

    KW_TRY(kw_record_row_find(tx, &kw_store_record, other.row.key, arena, &old, &found, err));
    if (found) {
        return KW_OK;
    }
    KW_TRY(kw_record_encode(&other.row, &record, err));
    return kw_record_row_store(tx, 0, &kw_store_record, other.row.key, NULL, kw_buf_bytes(&record),
                               &done, err);
}

static struct kw_result hear(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                             struct kw_error *err)
{
    struct kw_lane_finding finding;
    struct kw_lane_batch batch;

    KW_TRY(know_other(tx, arena, err));
    KW_TRY(kw_lane_batch_decode(other.batches[op], arena, &batch, err));
    KW_TRY(kw_feed_apply(&feed, tx, &batch, FEED_WALL, &finding, err));
    KW_ENSURE(finding.verdict == KW_LANE_NEWS || finding.verdict == KW_LANE_KNOWN, err, INTERNAL,
              "a batch is %s", kw_lane_verdict_name(finding.verdict));
    return KW_OK;
}

static struct kw_result apply(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                              struct kw_error *err)
{
    const struct kw_feed_options options = {
        .mesh = mesh, .store = us, .tables = feed_tables, .table_count = feed_tables_old};
    struct kw_record record;

    KW_TRY(kw_feed_open(&feed, &options, tx, FEED_WALL, err));
    if (kind_of(op) == HOLDS || kind_of(op) == QUARANTINES) {
        return hear(tx, op, arena, err);
    }
    record = record_of(op, kind_of(op));
    KW_TRY(kw_feed_write(&feed, tx, &record, kind_of(op) == URGENT, FEED_WALL, arena, NULL, err));
    KW_ENSURE(!refuses(op), err, ARGUMENT_INVALID, "as the drill wants it");
    return KW_OK;
}

/* --- looking --- */

static struct kw_result add(struct kw_tx *tx, const char *sql, uint64_t parameter, int64_t *sum,
                            struct kw_error *err)
{
    int64_t there;

    KW_TRY(cut_number(tx, sql, (int64_t)parameter, &there, err));
    *sum += there;
    return KW_OK;
}

static struct kw_result look(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                             enum cut_found *ret_found, struct kw_error *err)
{
    bool heard = kind_of(op) == HOLDS || kind_of(op) == QUARANTINES;
    int64_t there = 0;

    (void)arena;
    KW_TRY(add(tx, "SELECT count(*) FROM notes WHERE count = $1", op, &there, err));
    KW_TRY(
        add(tx, "SELECT count(*) FROM feed_records WHERE key = CAST($1 AS BLOB)", op, &there, err));
    if (heard) {
        KW_TRY(add(tx,
                   "SELECT count(*) FROM feed_changes WHERE lane IN (SELECT id FROM feed_lanes"
                   " WHERE role = 1 AND seq >= $1) AND seq IN ($1, $1 - 1)",
                   other.last[op], &there, err));
        KW_TRY(
            add(tx, "SELECT count(*) FROM feed_held WHERE seq = $1", other.last[op], &there, err));
        KW_TRY(add(tx, "SELECT count(*) FROM feed_quarantine WHERE seq = $1", other.last[op],
                   &there, err));
    }
    *ret_found = cut_found_of(there, heard ? 5 : 2);
    return KW_OK;
}

/* Lanes are whole, and each of our numbers is of a row. */
static struct kw_result check(struct kw_tx *tx, struct kw_arena *arena, struct kw_error *err)
{
    int64_t numbers;
    int64_t rows;

    KW_TRY(feed_verify(tx, &feed, arena, err));
    KW_TRY(cut_number(tx, "SELECT coalesce(sum(seq), 0) FROM feed_lanes WHERE role = 2 AND $1 = 0",
                      0, &numbers, err));
    KW_TRY(cut_number(tx, "SELECT count(*) FROM notes WHERE count % 4 IN (0, 3) AND $1 = 0", 0,
                      &rows, err));
    KW_ENSURE(numbers == rows, err, INTERNAL, "%lld numbers, %lld rows", (long long)numbers,
              (long long)rows);
    return KW_OK;
}

static struct cut_workload workload(void)
{
    return (struct cut_workload){
        .name = "feed",
        .migrations = feed_migrations,
        .migration_count = feed_migration_count,
        .ops = OPS,
        .steps = 900,
        .syncs = 40,
        .refuses = refuses,
        .apply = apply,
        .look = look,
        .check = check,
    };
}

Test(feed_cut, loses_nothing_that_it_acknowledged, .timeout = 1100)
{
    const struct cut_workload tables = workload();

    cut_drill_loses_nothing(&tables, 8);
}

Test(feed_cut, a_disk_that_lies_is_found_out, .timeout = 550)
{
    const struct cut_workload tables = workload();

    cut_drill_finds_lies(&tables, 40);
}
