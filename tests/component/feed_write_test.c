/* What is written here: rows, numbers, and what a transaction that is undone leaves behind. */
#include "common/feed/join_table.h"
#include "common/feed/lane_table.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/must.h"

static struct feed_node node;

static void setup(void)
{
    feed_node_init(&node, 0);
}

static void teardown(void)
{
    feed_verify_lanes(&node);
    feed_node_done(&node);
}

TestSuite(feed_write, .init = setup, .fini = teardown, .timeout = 60);

static struct kw_record tagged(const char *key, const char *tags)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set(tags));
    return record;
}

static void write_tags(const char *key, const char *tags)
{
    const struct kw_record record = tagged(key, tags);

    feed_write(&node, &record, false);
}

static struct kw_result run_find(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    bool found;

    KW_TRY(
        kw_feed_find(tx, &note_kind, kw_bytes_str(job->in), values_arena(), job->out, &found, err));
    KW_ENSURE(found, err, NOT_FOUND, "no such note");
    return KW_OK;
}

static struct kw_record found(const char *key)
{
    struct kw_record record = {0};

    MUST(feed_look(&node, run_find, key, &record, err));
    return record;
}

Test(feed_write, an_intent_is_merged_projected_numbered_and_logged)
{
    struct kw_record text = note("n");
    struct kw_record merged;

    write_tags("n", "xz");
    note_set(&text, NOTE_TEXT, note_stamped(&node, "hello"));
    feed_write(&node, &text, false);
    write_tags("n", "y");
    merged = found("n");
    cr_assert(kw_bytes_equal(kw_record_value(&merged, NOTE_TAGS), value_set("xyz")));
    cr_assert(kw_bytes_equal(feed_note(&node, "n"), kw_bytes_str("hello")));
    cr_assert_eq(feed_number(&node, "SELECT length(tags) FROM notes"), 6);
    cr_assert_eq(feed_seq(&node, node.lane), 3);
    cr_assert_eq(feed_number(&node, "SELECT count(*) FROM feed_changes"), 3);
}

Test(feed_write, what_says_nothing_new_takes_no_number)
{
    write_tags("n", "xy");
    write_tags("n", "y");
    cr_assert_eq(feed_seq(&node, node.lane), 1);
    cr_assert_eq(feed_number(&node, "SELECT count(*) FROM feed_changes"), 1);
}

static struct kw_result run_two_and_fail(struct feed_job *job, struct kw_tx *tx,
                                         struct kw_error *err)
{
    const struct kw_record *records = job->in;

    for (int i = 0; i < 2; i++) {
        KW_TRY(kw_feed_write(&job->node->feed, tx, &records[i], false, job->node->wall_ms,
                             values_arena(), NULL, err));
    }
    KW_FAIL(err, STATE_CONFLICT, "as the test wants it");
}

struct said {
    struct kw_id lane;
    uint64_t before;
    uint64_t after;
};

static struct kw_result run_said(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = {&node.feed, tx, values_arena(), FEED_WALL};
    struct said *said = job->out;

    KW_TRY(kw_feed_said(&feed_tx, &said->lane, &said->before, err));
    KW_TRY(kw_feed_change(&feed_tx, job->in, NULL, err));
    return kw_feed_said(&feed_tx, &said->lane, &said->after, err);
}

Test(feed_write, a_job_knows_how_far_its_own_changes_go)
{
    const struct kw_record record = tagged("n", "x");
    struct said said = {0};

    write_tags("m", "x");
    MUST(feed_do(&node, run_said, &record, &said, err));
    cr_assert_eq(said.after, said.before + 1);
    cr_assert_eq((uint64_t)feed_number(&node, "SELECT max(seq) FROM feed_changes"), said.after);
    MUST(feed_do(&node, run_said, &record, &said, err));
    cr_assert_eq(said.after, said.before, "nothing new was said");
}

/* What owners call: they need not know what is urgent. */
Test(feed_write, a_change_goes_ahead_if_it_disables_and_else_not)
{
    struct kw_record record = tagged("n", "x");
    struct said said = {0};

    MUST(feed_do(&node, run_said, &record, &said, err));
    cr_assert_eq(feed_urgent(&node, node.lane, 0).len, 0);
    note_set(&record, NOTE_REMOVED, value_first(FEED_WALL, node.id, "gone"));
    MUST(feed_do(&node, run_said, &record, &said, err));
    cr_assert_gt(feed_urgent(&node, node.lane, 0).len, 0);
    cr_assert_eq(feed_number(&node, "SELECT sum(seq) FROM feed_changes WHERE urgent = 1"), 2);
}

/* Who revokes what is revoked is told so, and may rely on no other store for it. */
Test(feed_write, what_disables_is_said_also_if_it_is_known)
{
    struct kw_record record = note("n");
    struct said said = {0};

    note_set(&record, NOTE_REMOVED, value_first(FEED_WALL, node.id, "gone"));
    for (unsigned i = 0; i < 2; i++) {
        MUST(feed_do(&node, run_said, &record, &said, err));
    }
    cr_assert_eq(feed_seq(&node, node.lane), 2);
    cr_assert_eq(feed_number(&node, "SELECT sum(seq) FROM feed_changes WHERE urgent = 1"), 3);
}

Test(feed_write, a_transaction_that_is_undone_leaves_no_hole)
{
    const struct kw_record records[2] = {tagged("a", "x"), tagged("b", "x")};

    write_tags("n", "x");
    cr_assert_eq(feed_do(&node, run_two_and_fail, records, NULL, NULL).reason, KW_E_STATE_CONFLICT);
    cr_assert_eq(feed_seq(&node, node.lane), 1);
    cr_assert_eq(feed_number(&node, "SELECT count(*) FROM notes"), 1);
    write_tags("a", "x");
    cr_assert_eq(feed_seq(&node, node.lane), 2);
}

/* Says something, looks at the lane, and says more. */
static struct kw_result run_look_between(struct feed_job *job, struct kw_tx *tx,
                                         struct kw_error *err)
{
    const struct kw_record *records = job->in;
    uint64_t *seqs = job->out;

    for (size_t i = 0; i < 2; i++) {
        struct kw_lane_row lane;
        bool held;

        KW_TRY(kw_feed_write(&job->node->feed, tx, &records[i], false, job->node->wall_ms,
                             values_arena(), NULL, err));
        KW_TRY(kw_lane_row_find(tx, job->node->lane, &lane, &held, err));
        seqs[i] = lane.point.seq;
    }
    return KW_OK;
}

Test(feed_write, who_looks_at_our_lane_within_a_job_sees_how_far_it_is)
{
    const struct kw_record records[2] = {tagged("a", "x"), tagged("b", "x")};
    uint64_t seqs[2] = {0};

    write_tags("n", "x");
    MUST(feed_do(&node, run_look_between, records, seqs, err));
    cr_assert_eq(seqs[0], 2);
    cr_assert_eq(seqs[1], 3);
}

static struct kw_result run_new_life_between(struct feed_job *job, struct kw_tx *tx,
                                             struct kw_error *err)
{
    const struct kw_record *records = job->in;

    KW_TRY(kw_feed_write(&job->node->feed, tx, &records[0], false, job->node->wall_ms,
                         values_arena(), NULL, err));
    KW_TRY(kw_feed_new_life(&job->node->feed, tx, err));
    return kw_feed_write(&job->node->feed, tx, &records[1], false, job->node->wall_ms,
                         values_arena(), NULL, err);
}

Test(feed_write, what_a_job_says_after_it_began_a_new_life_is_on_the_new_lane)
{
    const struct kw_record records[2] = {tagged("a", "x"), tagged("b", "x")};

    MUST(feed_do(&node, run_new_life_between, records, NULL, err));
    cr_assert_eq(feed_number(&node, "SELECT count(*) FROM feed_lanes WHERE seq = 1"), 2);
    cr_assert_eq(feed_number(&node, "SELECT count(DISTINCT lane) FROM feed_changes"), 2);
}

static struct kw_result run_join_before_the_last(struct feed_job *job, struct kw_tx *tx,
                                                 struct kw_error *err)
{
    const struct kw_ask ask = {.store = job->node->id, .nonce = job->node->id};
    const struct kw_record *records = job->in;

    for (int i = 0; i < 3; i++) {
        if (i == 2) {
            KW_TRY(kw_join_row_begin(tx, &ask, false, err));
        }
        KW_TRY(kw_feed_write(&job->node->feed, tx, &records[i], false, job->node->wall_ms,
                             values_arena(), NULL, err));
    }
    return KW_OK;
}

Test(feed_write, a_job_that_began_to_join_says_no_more)
{
    const struct kw_record records[3] = {tagged("a", "x"), tagged("b", "x"), tagged("c", "x")};

    cr_assert_eq(feed_do(&node, run_join_before_the_last, records, NULL, NULL).reason,
                 KW_E_STORE_UNAVAILABLE);
    cr_assert_eq(feed_seq(&node, node.lane), 0);
}

Test(feed_write, a_restart_continues_the_lane_and_a_new_life_begins_another)
{
    struct kw_id lane = node.lane;

    write_tags("n", "x");
    feed_node_close(&node);
    feed_node_open(&node);
    cr_assert(kw_id_equal(node.lane, lane));
    write_tags("n", "y");
    cr_assert_eq(feed_seq(&node, lane), 2);
    feed_new_life(&node);
    cr_assert_not(kw_id_equal(node.lane, lane));
    write_tags("n", "z");
    cr_assert_eq(feed_seq(&node, lane), 2);
    cr_assert_eq(feed_seq(&node, node.lane), 1);
}

static struct kw_result run_new_life_and_fail(struct feed_job *job, struct kw_tx *tx,
                                              struct kw_error *err)
{
    KW_TRY(kw_feed_new_life(&job->node->feed, tx, err));
    KW_FAIL(err, STATE_CONFLICT, "as the test wants it");
}

Test(feed_write, a_new_life_that_is_undone_never_was)
{
    write_tags("n", "x");
    cr_assert_eq(feed_do(&node, run_new_life_and_fail, NULL, NULL, NULL).reason,
                 KW_E_STATE_CONFLICT);
    write_tags("n", "y");
    cr_assert_eq(feed_seq(&node, node.lane), 2);
}

static struct kw_result run_open_second(struct feed_job *job, struct kw_tx *tx,
                                        struct kw_error *err)
{
    struct kw_feed *second = job->out;
    struct kw_feed_options options = job->node->feed.options;
    struct kw_record record = tagged("second", "x");

    options.writer = 1;
    if (second->options.table_count == 0) {
        KW_TRY(kw_feed_open(second, &options, tx, job->node->wall_ms, err));
    }
    return kw_feed_write(second, tx, &record, false, job->node->wall_ms, values_arena(), NULL, err);
}

Test(feed_write, writers_of_one_database_have_lanes_of_one_life)
{
    struct kw_feed second = {0};

    write_tags("n", "x");
    MUST(feed_do(&node, run_open_second, NULL, &second, err));
    cr_assert_eq(feed_number(&node, "SELECT count(*) FROM feed_lanes WHERE seq = 1"), 2);
    cr_assert_eq(feed_number(&node, "SELECT count(DISTINCT incarnation) FROM feed_lanes"), 1);
    feed_new_life(&node);
    cr_assert_eq(feed_number(&node, "SELECT count(*) FROM feed_lanes WHERE role = 2"), 1);
    (void)feed_number(&node, "DELETE FROM feed_records WHERE kind = 900 RETURNING 1");
    MUST(feed_do(&node, run_open_second, NULL, &second, err));
    cr_assert_eq(feed_number(&node, "SELECT count(*) FROM feed_lanes WHERE role = 2"), 2);
    cr_assert_eq(feed_number(&node, "SELECT count(DISTINCT incarnation) FROM feed_lanes"), 2);
}

static uint64_t promise_of_second(void)
{
    return (uint64_t)feed_number(&node, "SELECT closed FROM feed_lanes WHERE writer = 1");
}

/* Else an instance that was taken away would be waited for, for ever. */
Test(feed_write, who_is_left_promises_for_who_is_gone_and_it_holds_if_that_one_comes_back)
{
    struct kw_feed second = {0};
    uint64_t before;

    MUST(feed_do(&node, run_open_second, NULL, &second, err));
    before = promise_of_second();
    node.wall_ms += KW_SEAL_IDLE_MS;
    (void)feed_sealed(&node);
    cr_assert_eq(promise_of_second(), before, "it may be about to promise something itself");
    node.wall_ms += 2;
    (void)feed_sealed(&node);
    cr_assert_eq(promise_of_second(), feed_lane(&node, node.lane).closed);
    node.wall_ms -= KW_SEAL_IDLE_MS; /* its own clock, which is behind */
    (void)feed_number(&node, "DELETE FROM feed_records WHERE kind = 900 RETURNING 1");
    before = promise_of_second();
    MUST(feed_do(&node, run_open_second, NULL, &second, err));
    cr_assert_gt((uint64_t)feed_number(&node, "SELECT max(hlc) FROM feed_changes WHERE seq = 2"),
                 before);
}

Test(feed_write, what_others_would_refuse_is_not_said)
{
    struct kw_record later = {.table = later_kind.table, .key = kw_bytes_str("n")};
    struct kw_record bad = note("n");
    struct kw_record keyless = {.table = note_kind.table};
    struct kw_record large = note("n");
    static uint8_t zeros[KW_CHANGE_LEN_MAX];

    note_set(&bad, NOTE_TEXT, note_stamped(&node, "bad"));
    note_set(&large, NOTE_TAGS, value_set("x"));
    large.fields[large.count++] = (struct kw_record_field){
        .number = 8, .rule = KW_RULE_ONCE, .value = KW_BYTES(zeros, KW_RECORD_FIELD_LEN_MAX + 1)};
    cr_expect_eq(feed_try_write(&node, &later, false, NULL).reason, KW_E_ARGUMENT_INVALID);
    cr_expect_eq(feed_try_write(&node, &bad, false, NULL).reason, KW_E_ENCODING_INVALID);
    cr_expect_eq(feed_try_write(&node, &keyless, false, NULL).reason, KW_E_ENCODING_INVALID);
    cr_expect_eq(feed_try_write(&node, &large, false, NULL).reason, KW_E_BODY_TOO_LARGE, "a field");
    large.fields[1].number = NOTE_LARGE;
    large.fields[1].value.len = KW_RECORD_VALUE_LEN_MAX;
    for (uint8_t number = NOTE_LARGE + 1; number < NOTE_LARGE + 6; number++) {
        large.fields[large.count++] =
            (struct kw_record_field){.number = number,
                                     .rule = KW_RULE_ONCE,
                                     .value = KW_BYTES(zeros, KW_RECORD_FIELD_LEN_MAX)};
    }
    cr_expect_eq(feed_try_write(&node, &large, false, NULL).reason, KW_E_BODY_TOO_LARGE,
                 "or all of them");
    cr_expect_eq(feed_seq(&node, node.lane), 0);
}

Test(feed_write, a_promise_is_kept_across_a_restart_and_a_clock_that_is_set_back)
{
    struct kw_lane_batch heartbeat;

    MUST(kw_lane_batch_decode(feed_sealed(&node), values_arena(), &heartbeat, err));
    feed_node_close(&node);
    node.wall_ms -= 3600000;
    feed_node_open(&node);
    write_tags("n", "x");
    cr_assert_gt((uint64_t)feed_number(&node, "SELECT hlc FROM feed_changes"),
                 heartbeat.head.closed);
}

/* What another writer of the database would do between our reading and our storing. */
static struct kw_result run_stumble(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    static const char *const statements[] = {
        "CREATE TABLE stumbles (n INTEGER)",
        "INSERT INTO stumbles VALUES (0)",
    };
    static const char for_sqlite[] = "CREATE TRIGGER stumble BEFORE UPDATE ON feed_records"
                                     " WHEN (SELECT n FROM stumbles) > 0 BEGIN"
                                     " UPDATE stumbles SET n = n - 1; SELECT RAISE(IGNORE); END";
    static const char for_postgres[] = "CREATE RULE stumble AS ON UPDATE TO feed_records"
                                       " WHERE (SELECT n FROM stumbles) > 0"
                                       " DO INSTEAD UPDATE stumbles SET n = n - 1";
    struct kw_stmt *stmt;

    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        KW_TRY(kw_sql(tx, statements[i], &stmt, err));
        KW_TRY(kw_exec(stmt, NULL, err));
    }
    KW_TRY(kw_sql(tx, job->node->store.url[0] != '\0' ? for_postgres : for_sqlite, &stmt, err));
    return kw_exec(stmt, NULL, err);
}

Test(feed_write, a_row_that_changed_meanwhile_is_merged_again)
{
    const struct kw_record more = tagged("n", "z");

    write_tags("n", "x");
    MUST(feed_do(&node, run_stumble, NULL, NULL, err));
    (void)feed_number(&node, "UPDATE stumbles SET n = 3 RETURNING n");
    write_tags("n", "y");
    cr_assert_eq(feed_number(&node, "SELECT n FROM stumbles"), 0);
    cr_assert_eq(feed_number(&node, "SELECT length(tags) FROM notes"), 4);
    (void)feed_number(&node, "UPDATE stumbles SET n = 100 RETURNING n");
    cr_assert_eq(feed_try_write(&node, &more, false, NULL).reason, KW_E_STORE_UNAVAILABLE);
    cr_assert_eq(feed_seq(&node, node.lane), 2);
}

Test(feed_write, a_damaged_row_is_not_merged_into)
{
    const struct kw_record more = tagged("n", "z");

    write_tags("n", "x");
    (void)feed_number(&node, "UPDATE feed_records SET record = key WHERE kind = 900 RETURNING 1");
    cr_assert_eq(feed_try_write(&node, &more, false, NULL).reason, KW_E_INTERNAL);
    cr_assert_eq(feed_seq(&node, node.lane), 1);
}
