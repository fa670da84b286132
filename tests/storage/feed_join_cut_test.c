/* Joining under power cuts, between runs and in them: each run is there whole, with its place, or not at
 * all; a lane goes on only when everything is there; and sums are those of the rows.
 *
 * Operation 1 begins, each other one takes the next answer of a donor that answers by rote: one lane,
 * something in quarantine, something held, a note each, the end. */
#include "common/feed/digest_sum.h"
#include "common/feed/feed_digests.h"
#include "common/feed/feed_join.h"
#include "common/feed/record_table.h"
#include "common/sync/store_record.h"
#include "tests/support/cut_drill.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

#include <stdio.h>

enum {
    BEGUN = 1,
    HAS_LANES,
    HAS_QUARANTINE,
    HAS_HELD,
    HAS_FIRST_NOTE,
    OPS = 40, /* the last is the end */
};

static const struct kw_id mesh = {{7}};
static const struct kw_id us = {{8}};

static struct kw_feed feed;
static struct lane_owner donor;
static struct kw_bytes items[OPS + 1];

/* --- by rote --- */

static struct kw_bytes encoded(const struct kw_record *record)
{
    struct kw_buf buf = {0};

    MUST(kw_record_encode(record, &buf, err));
    return value_keep(&buf);
}

static struct kw_bytes waiting(uint64_t seq, const struct kw_record *record)
{
    const struct kw_waiting waits = {.lane = store_a, .point.seq = seq, .record = encoded(record)};
    struct kw_buf buf = {0};

    MUST(kw_waiting_encode(&waits, &buf, err));
    return value_keep(&buf);
}

static struct kw_record note_of(uint32_t op)
{
    char key[16];
    struct kw_record record;

    (void)snprintf(key, sizeof(key), "%03u", op);
    record = note(key);
    note_set(&record, NOTE_COUNT, value_u64(op));
    return record;
}

static void setup(void)
{
    struct kw_record ahead = note("ahead");
    struct kw_record later = note("later");

    donor = lane_owner_new(0);
    donor.lane.mesh = mesh;
    MUST(kw_lane_start(&donor.lane, &donor.points[0], err));
    lane_grow(&donor, 3, "");
    note_set(&ahead, NOTE_TEXT, value_lww((FEED_WALL + 60000) << 16, store_a, "ahead"));
    later.table = later_kind.table;
    note_set(&later, NOTE_COUNT, value_u64(1));
    items[HAS_LANES] = lane_head(&donor, 3, lane_closed(3));
    items[HAS_QUARANTINE] = waiting(1, &later);
    items[HAS_HELD] = waiting(2, &ahead);
    for (uint32_t op = HAS_FIRST_NOTE; op < OPS; op++) {
        const struct kw_record record = note_of(op);

        items[op] = encoded(&record);
    }
}

TestSuite(feed_join_cut, .init = setup);

/* After operation `op`. */
static struct kw_answer_place place_after(uint32_t op)
{
    static char keys[OPS + 1][8];

    if (op < HAS_HELD) {
        return (struct kw_answer_place){.section = (enum kw_answer_section)op};
    }
    if (op == OPS) {
        return (struct kw_answer_place){.section = KW_SECTION_END};
    }
    (void)snprintf(keys[op], sizeof(keys[op]), "%03u", op % 1000);
    return (struct kw_answer_place){
        .section = KW_SECTION_ROWS,
        .table = note_kind.table,
        .key = op == HAS_HELD ? KW_BYTES_NONE : kw_bytes_str(keys[op]),
    };
}

static struct kw_result answer_to(const struct kw_ask *ask, uint32_t op, struct kw_buf *out,
                                  struct kw_error *err)
{
    const struct kw_answer answer = {.mesh = mesh,
                                     .to = *ask,
                                     .next = place_after(op),
                                     .items = &items[op],
                                     .count = op < OPS ? 1 : 0};

    return kw_answer_sign(&answer, donor.key, out, err);
}

/* --- how far it is --- */

static struct kw_result has_joined(struct kw_tx *tx, bool *ret_joined, struct kw_error *err)
{
    int64_t lanes;

    KW_TRY(cut_number(tx, "SELECT count(*) FROM feed_lanes WHERE role = 1 AND seq = $1", 3, &lanes,
                      err));
    *ret_joined = lanes == 1;
    return KW_OK;
}

/* The last operation that was done, and what is asked after it. */
static struct kw_result find_place(struct kw_tx *tx, struct kw_arena *arena, struct kw_ask *ret_ask,
                                   uint32_t *ret_op, struct kw_error *err)
{
    bool joining;
    bool joined;

    KW_TRY(kw_feed_join_ask(tx, arena, ret_ask, &joining, err));
    KW_TRY(has_joined(tx, &joined, err));
    *ret_op = joined ? OPS : 0;
    for (uint32_t op = BEGUN; joining && op < OPS; op++) {
        struct kw_answer_place place = place_after(op);

        *ret_op = kw_answer_place_equal(&place, &ret_ask->from) ? op : *ret_op;
    }
    KW_ENSURE(!joining || (*ret_op > 0 && !joined), err, INTERNAL, "it is nowhere");
    return KW_OK;
}

/* --- doing --- */

static struct kw_result know_donor(struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    bool done;

    KW_TRY(kw_record_encode(&donor.row, &record, err));
    return kw_record_row_store(tx, 0, &kw_store_record, donor.row.key, NULL, kw_buf_bytes(&record),
                               &done, err);
}

static struct kw_result step(struct kw_tx *tx, const struct kw_ask *ask, uint32_t op,
                             struct kw_arena *arena, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    enum kw_answer_verdict verdict;
    struct kw_answer answer;
    bool done;

    if (op == BEGUN) {
        KW_TRY(know_donor(tx, err));
        return kw_feed_join(&feed, tx, donor.lane.store, err);
    }
    KW_TRY(answer_to(ask, op, &record, err));
    KW_TRY(kw_answer_decode(kw_buf_bytes(&record), arena, &answer, err));
    KW_TRY(kw_feed_join_take(&feed, tx, &answer, FEED_WALL, &verdict, &done, err));
    KW_ENSURE(verdict == KW_ANSWER_GOOD && done == (op == OPS), err, INTERNAL, "an answer is %s",
              kw_answer_verdict_name(verdict));
    return KW_OK;
}

/* And whatever was to come before it. */
static struct kw_result apply(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                              struct kw_error *err)
{
    const struct kw_feed_options options = {
        .mesh = mesh, .store = us, .tables = feed_tables, .table_count = feed_tables_old};
    struct kw_ask ask;
    uint32_t done;

    KW_TRY(kw_feed_open(&feed, &options, tx, FEED_WALL, err));
    KW_TRY(find_place(tx, arena, &ask, &done, err));
    while (done < op) {
        KW_TRY(step(tx, &ask, done + 1, arena, err));
        KW_TRY(find_place(tx, arena, &ask, &done, err));
    }
    return KW_OK;
}

static bool refuses(uint32_t op)
{
    (void)op;
    return false;
}

/* --- looking --- */

static struct kw_result add(struct kw_tx *tx, const char *sql, uint32_t op, int64_t *sum,
                            struct kw_error *err)
{
    int64_t there;

    KW_TRY(cut_number(tx, sql, op, &there, err));
    *sum += there;
    return KW_OK;
}

static struct kw_result look(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                             enum cut_found *ret_found, struct kw_error *err)
{
    struct kw_ask ask;
    uint32_t done;
    int64_t there;
    int64_t due = 1;

    KW_TRY(find_place(tx, arena, &ask, &done, err));
    there = done >= op ? 1 : 0;
    if (op == HAS_QUARANTINE) {
        due = 2;
        KW_TRY(add(tx, "SELECT count(*) FROM feed_quarantine WHERE $1 > 0", op, &there, err));
    } else if (op == HAS_HELD) {
        due = 2;
        KW_TRY(add(tx, "SELECT count(*) FROM feed_held WHERE $1 > 0", op, &there, err));
    } else if (op >= HAS_FIRST_NOTE && op < OPS) {
        due = 3;
        KW_TRY(add(tx, "SELECT count(*) FROM notes WHERE count = $1", op, &there, err));
        KW_TRY(add(tx,
                   "SELECT count(*) FROM feed_records WHERE kind = 900"
                   " AND key = CAST(substr('00' || $1, -3) AS BLOB)",
                   op, &there, err));
    }
    *ret_found = cut_found_of(there, due);
    return KW_OK;
}

static struct kw_result sum_rows(struct kw_tx *tx, struct kw_arena *arena,
                                 uint8_t sum[KW_SHA256_LEN], struct kw_error *err)
{
    struct kw_record_row row;
    struct kw_stmt *walk;
    bool any = true;

    KW_TRY(kw_record_row_walk(tx, &note_kind, KW_BYTES_NONE, OPS * 2, &walk, err));
    while (true) {
        KW_TRY(kw_record_row_next(walk, arena, &row, &any, err));
        if (!any) {
            return KW_OK;
        }
        KW_ENSURE(!row.damaged, err, INTERNAL, "a row is damaged");
        kw_sum_add(sum, row.digest);
    }
}

static struct kw_result check(struct kw_tx *tx, struct kw_arena *arena, struct kw_error *err)
{
    const struct kw_digest_node root = {.table = note_kind.table};
    uint8_t sum[KW_SHA256_LEN] = {0};
    uint8_t kept[KW_SHA256_LEN];

    KW_TRY(feed_verify(tx, &feed, arena, err));
    KW_TRY(sum_rows(tx, arena, sum, err));
    KW_TRY(kw_feed_digest(tx, root, kept, err));
    KW_ENSURE(kw_bytes_equal(KW_BYTES_OF(sum), KW_BYTES_OF(kept)), err, INTERNAL,
              "the sum is not that of the rows");
    return KW_OK;
}

static struct cut_workload workload(void)
{
    return (struct cut_workload){
        .name = "feed_join",
        .migrations = feed_migrations,
        .migration_count = feed_migration_count,
        .ops = OPS,
        .steps = 600,
        .syncs = 30,
        .refuses = refuses,
        .apply = apply,
        .look = look,
        .check = check,
    };
}

Test(feed_join_cut, loses_nothing_that_it_took, .timeout = 1100)
{
    const struct cut_workload tables = workload();

    cut_drill_loses_nothing(&tables, 8);
}

Test(feed_join_cut, a_disk_that_lies_is_found_out, .timeout = 550)
{
    const struct cut_workload tables = workload();

    cut_drill_finds_lies(&tables, 40);
}
