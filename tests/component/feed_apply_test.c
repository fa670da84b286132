/* What is heard from another store: applied, relayed, held, put into quarantine, or refused. Node 0
 * writes, node 1 hears, node 2 hears of it from node 1 alone. */
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/feed/lane_table.h"
#include "common/sync/store_record.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

#define NODES 3

static struct feed_node nodes[NODES];
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];
static struct feed_node *const c = &nodes[2];

static void setup(void)
{
    feed_nodes_init(nodes, NODES);
}

static void teardown(void)
{
    feed_nodes_done(nodes, NODES);
}

TestSuite(feed_apply, .init = setup, .fini = teardown, .timeout = 60);

static void write_tags(struct feed_node *node, const char *key, const char *tags)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set(tags));
    feed_write(node, &record, false);
}

static void write_text(struct feed_node *node, const char *key, const char *text)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TEXT, note_stamped(node, text));
    feed_write(node, &record, false);
}

static void remove_note(struct feed_node *node, const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_REMOVED, value_first(node->wall_ms, node->id, "gone"));
    feed_write(node, &record, true);
}

static void expect_alike(struct feed_node *one, struct feed_node *other)
{
    uint8_t records[2][KW_SHA256_LEN];
    uint8_t notes[2][KW_SHA256_LEN];

    feed_digest(one, records[0], notes[0]);
    feed_digest(other, records[1], notes[1]);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(records[0]), KW_BYTES_OF(records[1])));
    cr_assert(kw_bytes_equal(KW_BYTES_OF(notes[0]), KW_BYTES_OF(notes[1])));
}

Test(feed_apply, c_gets_what_a_said_from_b_alone)
{
    struct kw_id lane = a->lane;

    write_text(a, "n", "one");
    write_tags(a, "n", "xy");
    feed_catch_up(b, a, lane);
    write_tags(a, "n", "z");
    feed_catch_up(b, a, lane);
    feed_node_close(a); /* and nobody can sign for it any more */
    feed_catch_up(c, b, lane);
    cr_assert_eq(feed_seq(c, lane), 3);
    expect_alike(b, c);
    feed_node_open(a);
    expect_alike(a, c);
}

Test(feed_apply, a_batch_comes_twice_and_a_gap_is_asked_for)
{
    struct kw_bytes first;
    struct kw_bytes second;

    write_tags(a, "n", "x");
    first = feed_batch(a, a->lane, 0);
    write_tags(a, "n", "y");
    second = feed_batch(a, a->lane, 1);
    cr_assert_eq(feed_apply(b, second), KW_LANE_GAP);
    cr_assert_eq(feed_seq(b, a->lane), 0);
    cr_assert_eq(feed_apply(b, first), KW_LANE_NEWS);
    cr_assert_eq(feed_apply(b, first), KW_LANE_KNOWN);
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_NEWS);
    cr_assert_eq(feed_apply(b, second), KW_LANE_KNOWN);
    cr_assert_eq(feed_seq(b, a->lane), 2);
    expect_alike(a, b);
}

Test(feed_apply, a_heartbeat_moves_the_promise_and_is_passed_on)
{
    uint64_t closed;

    write_tags(a, "n", "x");
    feed_catch_up(b, a, a->lane);
    closed = feed_lane(b, a->lane).closed;
    a->wall_ms += 100;
    cr_assert_eq(feed_apply(b, feed_sealed(a)), KW_LANE_KNOWN);
    cr_assert_gt(feed_lane(b, a->lane).closed, closed);
    cr_assert_eq(feed_lane(b, a->lane).closed, feed_lane(a, a->lane).closed);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_lanes WHERE head IS NOT NULL"), 1);
}

Test(feed_apply, a_stranger_is_not_heard_and_leaves_nothing)
{
    feed_new_life(a); /* b was not told of it */
    write_tags(a, "n", "x");
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_STRANGER);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_lanes"), 1);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes"), 0);
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "stranger"), 1);
}

/* As many lanes of node a as are taken, in node b. */
static struct kw_result run_fill(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_lane_row row = {.store = a->id, .role = KW_LANE_ROLE_FOREIGN};

    (void)job;
    for (unsigned i = 0; i < KW_FEED_PLACE_LANES_MAX; i++) {
        row.id = (struct kw_id){{1, (uint8_t)i}};
        KW_TRY(kw_lane_row_insert(tx, &row, kw_id_bytes(&row.store), err));
    }
    return KW_OK;
}

Test(feed_apply, a_store_has_only_so_many_lanes)
{
    MUST(feed_do(b, run_fill, NULL, NULL, err));
    write_tags(a, "n", "x");
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_WAITS);
    cr_assert_eq(feed_apply(b, feed_sealed(c)), KW_LANE_KNOWN, "another's are others");
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes"), 0);
    cr_assert_eq(feed_number(b, "DELETE FROM feed_lanes WHERE role = 1 RETURNING 1"), 1);
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_NEWS);
}

/* What a has, but from another start. */
static struct kw_bytes from_elsewhere(void)
{
    struct kw_lane_batch batch;
    struct kw_lane_head head;
    struct kw_buf out = {0};

    MUST(kw_lane_batch_decode(feed_batch(a, a->lane, 0), values_arena(), &batch, err));
    head = batch.head;
    head.point = batch.from;
    head.point.chain[0] ^= 1;
    batch.from = head.point;
    for (size_t i = 0; i < batch.count; i++) {
        MUST(kw_lane_advance(&head.point, &batch.changes[i], err));
    }
    MUST(kw_lane_head_sign(&head, feed_key(0), &out, err));
    batch.head_record = value_keep(&out);
    out = (struct kw_buf){0};
    MUST(kw_lane_batch_encode(&batch, &out, err));
    return value_keep(&out);
}

Test(feed_apply, nor_more_by_forks)
{
    MUST(feed_do(b, run_fill, NULL, NULL, err));
    write_tags(a, "n", "x");
    cr_assert_eq(feed_apply(b, from_elsewhere()), KW_LANE_WAITS);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_lanes"), KW_FEED_PLACE_LANES_MAX + 1);
    (void)feed_number(b, "DELETE FROM feed_lanes WHERE role = 1 RETURNING 1");
    cr_assert_eq(feed_apply(b, from_elsewhere()), KW_LANE_FORK);
    cr_assert_eq(feed_number(b, "DELETE FROM feed_lanes WHERE rival IS NOT NULL RETURNING 1"), 1);
}

/* --- forks --- */

/* Node `from` forgets change `seq` and everything after it, as an old copy of its database has. */
static void forget(struct feed_node *from, uint64_t seq)
{
    char sql[2][200];

    (void)snprintf(sql[0], sizeof(sql[0]),
                   "UPDATE feed_lanes SET seq = %llu, chain = coalesce((SELECT chain FROM"
                   " feed_changes c WHERE c.lane = id AND c.seq = %llu), floor_chain)"
                   " WHERE role = 2 RETURNING 1",
                   (unsigned long long)seq - 1, (unsigned long long)seq - 1);
    (void)snprintf(sql[1], sizeof(sql[1]), "DELETE FROM feed_changes WHERE seq >= %llu RETURNING 1",
                   (unsigned long long)seq);
    cr_assert_eq(feed_number(from, sql[0]), 1);
    (void)feed_number(from, sql[1]);
    feed_node_close(from); /* statements are cached by the address of their text */
    feed_node_open(from);
}

Test(feed_apply, a_fork_stops_its_lane_and_keeps_both_heads)
{
    write_tags(a, "n", "x");
    write_tags(a, "n", "y");
    feed_catch_up(b, a, a->lane);
    forget(a, 2);
    write_tags(a, "m", "z");
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_FORK);
    cr_assert(feed_lane(b, a->lane).stopped);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_lanes WHERE head <> rival"), 1);
    write_tags(a, "m", "y");
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_STOPPED);
    cr_assert_eq(feed_seq(b, a->lane), 2);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes"), 1);
}

Test(feed_apply, a_fork_behind_what_is_held_is_found_too)
{
    struct kw_bytes other;

    write_tags(a, "n", "x");
    write_tags(a, "n", "y");
    write_tags(a, "n", "z");
    feed_catch_up(b, a, a->lane);
    forget(a, 2);
    a->wall_ms += 1000; /* so that it says something: a later promise */
    write_tags(a, "m", "z");
    other = feed_batch(a, a->lane, 0);
    cr_assert_eq(feed_apply(b, other), KW_LANE_FORK);
}

Test(feed_apply, a_fork_at_what_was_trimmed_last_is_found_too)
{
    write_tags(a, "n", "x");
    write_tags(a, "n", "y");
    write_tags(a, "n", "z");
    feed_catch_up(b, a, a->lane);
    feed_ack(b, c, a->lane, 2);
    cr_assert_eq(feed_trim(b, 100), 2);
    forget(a, 2);
    a->wall_ms += 1000;
    write_tags(a, "m", "z");
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_FORK);
}

Test(feed_apply, a_fork_does_not_stop_what_disables_and_neither_of_two_is_lost)
{
    struct kw_record later = {.table = later_kind.table, .key = kw_bytes_str("new")};
    struct kw_bytes urgent;

    feed_node_close(a);
    a->table_count = feed_tables_new;
    feed_node_open(a);
    note_set(&later, NOTE_REMOVED, value_first(2, a->id, "x"));
    feed_write(a, &later, true);
    feed_catch_up(b, a, a->lane);
    forget(a, 1);
    note_set(&later, NOTE_REMOVED, value_first(1, a->id, "y"));
    feed_write(a, &later, true);
    urgent = feed_urgent(a, a->lane, 0);
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_FORK);
    cr_assert_eq(feed_apply_urgent(b, urgent), KW_LANE_NEWS);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_quarantine WHERE seq = 1"), 2);
}

Test(feed_apply, a_fork_of_our_own_lane_silences_us)
{
    struct kw_record more = note("more");
    struct kw_bytes mine;

    write_tags(a, "n", "x");
    mine = feed_batch(a, a->lane, 0);
    forget(a, 1);
    write_tags(a, "m", "y");
    cr_assert_eq(feed_apply(a, mine), KW_LANE_FORK);
    note_set(&more, NOTE_TAGS, value_set("x"));
    cr_assert_eq(feed_try_write(a, &more, false, NULL).reason, KW_E_STORE_UNAVAILABLE);
    feed_new_life(a);
    feed_write(a, &more, false);
}

Test(feed_apply, who_lost_its_tail_takes_it_back_and_begins_anew)
{
    struct kw_id lane = a->lane;
    struct kw_record more = note("more");

    write_tags(a, "n", "x");
    write_tags(a, "m", "y");
    feed_catch_up(b, a, lane);
    forget(a, 2);
    feed_catch_up(a, b, lane);
    cr_assert_eq(feed_seq(a, lane), 2);
    note_set(&more, NOTE_TAGS, value_set("x"));
    feed_write(a, &more, false);
    cr_assert_eq(feed_seq(a, lane), 2);
    cr_assert_eq(
        feed_number(a, "SELECT count(DISTINCT incarnation) FROM feed_lanes WHERE role > 1"), 2);
}

/* Does node a begin anew with its next change? */
static void expect_new_life(struct kw_id lane)
{
    uint64_t seq = feed_seq(a, lane);

    write_tags(a, "next", "x");
    cr_assert_eq(feed_seq(a, lane), seq);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_lanes WHERE role = 3"), 1);
}

Test(feed_apply, a_gap_in_our_own_lane_ends_it)
{
    struct kw_bytes last;

    write_tags(a, "n", "x");
    write_tags(a, "n", "y");
    write_tags(a, "n", "z");
    last = feed_batch(a, a->lane, 2);
    forget(a, 2);
    cr_assert_eq(feed_apply(a, last), KW_LANE_GAP);
    expect_new_life(a->lane);
}

Test(feed_apply, an_urgent_change_of_ours_that_we_do_not_know_ends_our_lane)
{
    struct kw_bytes urgent;

    write_tags(a, "n", "x");
    remove_note(a, "n");
    urgent = feed_urgent(a, a->lane, 0);
    forget(a, 2);
    cr_assert_eq(feed_number(a, "DELETE FROM feed_records WHERE kind = 900 RETURNING 1"), 1);
    cr_assert_eq(feed_apply_urgent(a, urgent), KW_LANE_NEWS);
    expect_new_life(a->lane);
}

Test(feed_apply, a_promise_of_ours_that_we_do_not_know_ends_our_lane)
{
    struct kw_bytes heartbeat;

    write_tags(a, "n", "x");
    heartbeat = feed_sealed(a);
    cr_assert_eq(feed_apply(a, heartbeat), KW_LANE_KNOWN);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_lanes WHERE role = 2"), 1);
    (void)feed_number(a, "UPDATE feed_lanes SET closed = closed - 1 WHERE role = 2 RETURNING 1");
    cr_assert_eq(feed_apply(a, heartbeat), KW_LANE_KNOWN);
    expect_new_life(a->lane);
}

/* --- what waits --- */

Test(feed_apply, an_unknown_table_waits_in_quarantine_until_it_is_known)
{
    struct kw_record later = {.table = later_kind.table, .key = kw_bytes_str("new")};

    feed_node_close(a);
    a->table_count = feed_tables_new;
    feed_node_open(a);
    note_set(&later, NOTE_TAGS, value_set("x"));
    feed_write(a, &later, false);
    write_tags(a, "n", "x");
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(feed_seq(b, a->lane), 2);
    cr_assert(feed_number(b, "SELECT count(*) FROM notes") == 1, "the lane goes on");
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_quarantine"), 1);
    cr_assert_eq(kw_metric_value(KW_M_FEED_QUARANTINED, NULL), 1);
    cr_assert_eq(feed_release(b), 0);
    feed_catch_up(c, b, a->lane); /* which relays what it can't read */
    feed_node_close(b);
    b->table_count = feed_tables_new;
    feed_node_open(b);
    cr_assert_eq(feed_release(b), 1);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_quarantine"), 0);
    cr_assert_eq(kw_metric_value(KW_M_FEED_RELEASED, "quarantine"), 1);
    expect_alike(a, b);
    cr_assert_eq(feed_number(c, "SELECT count(*) FROM feed_quarantine"), 1);
}

Test(feed_apply, whoever_says_what_nobody_can_read_does_not_fill_the_log)
{
    const unsigned count = KW_FEED_LOGS_PER_S + 2;
    static const char keys[] = "abcdefghijklmnopqrstuvwxyz";

    feed_node_close(a);
    a->table_count = feed_tables_new;
    feed_node_open(a);
    for (unsigned i = 0; i < count; i++) {
        struct kw_record later = {.table = later_kind.table, .key = KW_BYTES(&keys[i], 1)};

        note_set(&later, NOTE_TAGS, value_set("x"));
        feed_write(a, &later, false);
    }
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(kw_metric_value(KW_M_FEED_QUARANTINED, NULL), count);
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "feed_alarms_logged"), 2);
}

Test(feed_apply, what_stays_unreadable_is_tried_once_a_life)
{
    struct kw_record later = {.table = later_kind.table, .key = kw_bytes_str("new")};

    feed_node_close(a);
    a->table_count = feed_tables_new;
    feed_node_open(a);
    note_set(&later, NOTE_TAGS, value_set("x"));
    feed_write(a, &later, false);
    feed_catch_up(b, a, a->lane);
    feed_node_close(b);
    feed_node_open(b);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_quarantine WHERE life = 1"), 1);
    cr_assert_eq(feed_release(b), 0);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_quarantine WHERE life = 2"), 1);
    cr_assert_not(feed_waits(b), "it is not tried again");
}

Test(feed_apply, a_text_that_the_table_cant_take_waits_too)
{
    struct kw_record bad = note("n");
    struct feed_node *liar = a;
    static struct feed_table_copy {
        struct kw_feed_table tables[2];
    } lax;

    lax.tables[0] = feed_tables[0];
    lax.tables[1] = (struct kw_feed_table){.kind = &note_kind};
    feed_node_close(liar);
    liar->tables = lax.tables;
    feed_node_open(liar);
    note_set(&bad, NOTE_TEXT, note_stamped(liar, "bad"));
    feed_write(liar, &bad, false);
    feed_catch_up(b, liar, liar->lane);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_quarantine"), 1);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes"), 0);
}

Test(feed_apply, a_clock_ahead_is_held_and_not_adopted_and_what_disables_is_not_held)
{
    struct kw_record change = note("n");
    uint64_t before = b->feed.clock.last;

    a->wall_ms += 600000;
    note_set(&change, NOTE_TEXT, note_stamped(a, "from the future"));
    note_set(&change, NOTE_REMOVED, value_first(1, a->id, "gone"));
    feed_write(a, &change, true);
    feed_catch_up(b, a, a->lane);
    cr_assert(kw_bytes_equal(feed_note(b, "n"), KW_BYTES_NONE));
    cr_assert_eq(feed_number(b, "SELECT removed FROM notes"), 1);
    cr_assert_eq(b->feed.clock.last, before);
    cr_assert_eq(feed_release(b), 0);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_held"), 1);
    cr_assert_eq(kw_metric_value(KW_M_FEED_HELD, NULL), 1);
    b->wall_ms += 600000 - KW_STAMP_AHEAD_MS_MAX;
    cr_assert_eq(feed_release(b), 1);
    cr_assert(kw_bytes_equal(feed_note(b, "n"), kw_bytes_str("from the future")));
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_held"), 0);
    cr_assert_eq(kw_metric_value(KW_M_FEED_RELEASED, "held"), 1);
    expect_alike(a, b);
}

Test(feed_apply, an_edit_is_later_than_what_it_replaces_though_our_clock_is_behind)
{
    a->wall_ms += KW_STAMP_AHEAD_MS_MAX;
    write_text(a, "n", "theirs");
    feed_catch_up(b, a, a->lane);
    feed_node_close(b);
    feed_node_open(b); /* what it learned is not only in memory */
    write_text(b, "n", "ours");
    cr_assert(kw_bytes_equal(feed_note(b, "n"), kw_bytes_str("ours")));
}

Test(feed_apply, a_change_is_later_than_all_that_was_heard_before_it)
{
    a->wall_ms += KW_STAMP_AHEAD_MS_MAX;
    write_tags(a, "n", "x");
    feed_catch_up(b, a, a->lane);
    write_tags(b, "m", "x");
    cr_assert_gt(feed_lane(b, b->lane).closed, feed_lane(b, a->lane).closed);
}

Test(feed_apply, an_edit_is_later_than_a_value_that_was_held)
{
    a->wall_ms += 600000;
    write_text(a, "n", "theirs");
    feed_catch_up(b, a, a->lane);
    b->wall_ms += 600000 - KW_STAMP_AHEAD_MS_MAX;
    cr_assert_eq(feed_release(b), 1);
    write_text(b, "n", "ours");
    cr_assert(kw_bytes_equal(feed_note(b, "n"), kw_bytes_str("ours")));
}

/* A member filled in a field that nobody knew, under a rule that the next release gives another. */
Test(feed_apply, a_field_that_was_kept_under_another_rule_stops_no_upgrade)
{
    static struct kw_field_kind later[31];
    static struct kw_record_kind kind;
    static struct kw_feed_table tables[2];
    struct kw_record change = note("n");

    for (size_t i = 1; i < NOTE_FIELD_END_; i++) {
        later[i] = *kw_record_kind_field(&note_kind, (uint8_t)i);
    }
    later[30] = (struct kw_field_kind){.name = "new", .rule = KW_RULE_MAX};
    kind = (struct kw_record_kind){
        .table = note_kind.table, .name = "notes", .fields = later, .field_end = 31};
    tables[0] = feed_tables[0];
    tables[1] = feed_tables[1];
    tables[1].kind = &kind;
    change.fields[change.count++] =
        (struct kw_record_field){.number = 30, .rule = KW_RULE_ONCE, .value = kw_bytes_str("odd")};
    feed_write(a, &change, false);
    feed_catch_up(b, a, a->lane);
    feed_node_close(b);
    b->tables = tables;
    feed_node_open(b);
    write_tags(c, "n", "x");
    feed_catch_up(b, c, c->lane);
    remove_note(b, "n");
    cr_assert_eq(feed_number(b, "SELECT removed FROM notes"), 1);
    change.fields[0] =
        (struct kw_record_field){.number = 30, .rule = KW_RULE_MAX, .value = value_u64(3)};
    feed_write(b, &change, false);
}

static struct kw_record with_unknown(uint8_t number, size_t len)
{
    static uint8_t zeros[KW_RECORD_FIELD_LEN_MAX + 1];
    struct kw_record record = note("n");

    record.fields[record.count++] = (struct kw_record_field){
        .number = number, .rule = KW_RULE_ONCE, .value = KW_BYTES(zeros, len)};
    return record;
}

/* A field by itself is judged, so that all cells judge alike, in whichever order they hear of what
 * the row is merged. */
Test(feed_apply, what_is_too_long_for_its_field_waits_and_a_row_holds_the_rest)
{
    struct kw_record_kind lax = note_kind;
    struct kw_feed_table tables[] = {feed_tables[0], feed_tables[1]};
    struct kw_record record = with_unknown(30, KW_RECORD_FIELD_LEN_MAX + 1);

    lax.large[0] = 30;
    tables[1].kind = &lax;
    a->feed.options.tables = tables; /* of a release in which it is large */
    feed_write(a, &record, false);
    for (uint8_t number = 31; number <= KW_RECORD_FIELDS_MAX; number++) {
        record = with_unknown(number, KW_RECORD_FIELD_LEN_MAX);
        feed_write(a, &record, false);
    }
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_quarantine"), 1);
    cr_assert_gt(feed_number(b, "SELECT max(length(record)) FROM feed_records"),
                 (int64_t)KW_CHANGE_LEN_MAX, "more than a change");
    cr_assert_leq(feed_number(b, "SELECT max(length(record)) FROM feed_records"),
                  (int64_t)KW_ROW_LEN_MAX);
}

/* --- who belongs to the mesh --- */

static struct kw_record about(const struct feed_node *of, enum kw_store_field field,
                              struct kw_bytes value)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = feed_store_row(of).key};

    MUST(kw_record_set(&row, &kw_store_record, (uint8_t)field, value, err));
    return row;
}

static int64_t quarantined(struct feed_node *node)
{
    return feed_number(node, "SELECT count(*) FROM feed_quarantine");
}

Test(feed_apply, a_member_says_not_who_else_is_one_and_by_which_key)
{
    const struct kw_record said[] = {
        about(c, KW_STORE_FIELD_SIGNERS, lane_set_of(lane_signer(feed_key(0)))),
        about(c, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED)),
        about(c, KW_STORE_FIELD_FENCE, value_vector(0, 9)),
        about(c, KW_STORE_FIELD_INCARNATIONS, lane_set_of(kw_id_bytes(&b->id))),
        about(a, KW_STORE_FIELD_SIGNERS, lane_set_of(lane_signer(feed_key(4)))),
        about(a, KW_STORE_FIELD_FENCE, value_vector(0, 9)),
        about(a, KW_STORE_FIELD_PLACE, kw_bytes_str("here")),
    };
    const size_t count = sizeof(said) / sizeof(said[0]);
    uint8_t records[2][KW_SHA256_LEN];
    uint8_t notes[KW_SHA256_LEN];

    feed_digest(b, records[0], notes);
    for (size_t i = 0; i < count; i++) {
        feed_write(a, &said[i], false);
    }
    feed_catch_up(b, a, a->lane);
    feed_digest(b, records[1], notes);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(records[0]), KW_BYTES_OF(records[1])));
    cr_assert_eq(quarantined(b), (int64_t)count);
    feed_write(b, &said[6], false);
    feed_catch_up(a, b, b->lane);
    cr_assert_eq(quarantined(a), 0, "what is known may be said");
    feed_node_close(b);
    feed_node_open(b);
    cr_assert_eq(feed_release(b), 1, "what was said here, and nothing else later");
    write_tags(c, "n", "x");
    cr_assert_eq(feed_apply(b, feed_batch(c, c->lane, 0)), KW_LANE_NEWS);
}

Test(feed_apply, a_store_tells_of_its_next_life_itself)
{
    struct kw_record row = about(a, KW_STORE_FIELD_INCARNATIONS, lane_set_of(kw_id_bytes(&b->id)));
    struct kw_lane lane = {a->feed.options.mesh, a->id, b->id, 0};
    struct kw_lane_head head = {.lane = lane, .closed = 1};
    struct kw_buf out = {0};
    struct kw_lane_batch batch = {0};

    MUST(kw_lane_start(&lane, &head.point, err));
    MUST(kw_lane_head_sign(&head, feed_key(0), &out, err));
    batch = (struct kw_lane_batch){.from = head.point, .head_record = value_keep(&out)};
    out = (struct kw_buf){0};
    MUST(kw_lane_batch_encode(&batch, &out, err));
    cr_assert_eq(feed_apply(b, kw_buf_bytes(&out)), KW_LANE_STRANGER);
    feed_write(a, &row, false);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(quarantined(b), 0);
    cr_assert_eq(feed_apply(b, kw_buf_bytes(&out)), KW_LANE_KNOWN);
    kw_buf_done(&out);
}

Test(feed_apply, what_we_said_of_stores_before_we_lost_it_we_take_back)
{
    struct kw_id lane = a->lane;
    struct kw_record row = about(c, KW_STORE_FIELD_PLACE, kw_bytes_str("there"));

    write_tags(a, "n", "x");
    feed_write(a, &row, false);
    feed_catch_up(b, a, lane);
    cr_assert_eq(quarantined(b), 1);
    forget(a, 2);
    cr_assert_eq(feed_number(a, "DELETE FROM feed_records WHERE kind = 1 AND key <>"
                                " (SELECT store FROM feed_lanes ORDER BY store DESC LIMIT 1)"
                                " RETURNING 1"),
                 1);
    feed_catch_up(a, b, lane);
    cr_assert_eq(quarantined(a), 0);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_records WHERE kind = 1"), 2);
}

Test(feed_apply, a_row_of_stores_has_ids_and_digests)
{
    const struct kw_bytes odd = lane_set_of(kw_bytes_str("odd"));
    struct kw_record rows[] = {about(c, KW_STORE_FIELD_STATE, value_u64(1)),
                               about(c, KW_STORE_FIELD_SIGNERS, odd),
                               about(c, KW_STORE_FIELD_INCARNATIONS, odd)};

    rows[0].key = kw_bytes_str("odd");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(feed_try_write(a, &rows[i], false, NULL).reason, KW_E_ENCODING_INVALID);
    }
}

/* --- ahead of the lane --- */

Test(feed_apply, an_urgent_change_is_in_force_before_its_lane_and_counts_once)
{
    struct kw_bytes urgent;

    write_tags(a, "n", "x");
    remove_note(a, "n");
    urgent = feed_urgent(a, a->lane, 0);
    cr_assert_eq(feed_apply_urgent(b, urgent), KW_LANE_NEWS);
    cr_assert_eq(feed_apply_urgent(b, urgent), KW_LANE_KNOWN, "or it would be passed on for ever");
    cr_assert_eq(feed_number(b, "SELECT removed FROM notes"), 1);
    cr_assert_eq(feed_seq(b, a->lane), 0);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(feed_apply_urgent(b, urgent), KW_LANE_KNOWN);
    cr_assert_eq(feed_urgent(a, a->lane, 2).len, 0);
    expect_alike(a, b);
}

Test(feed_apply, an_urgent_change_that_one_alone_heard_is_passed_on_until_its_lane_is_here)
{
    struct kw_bytes urgent;

    write_tags(a, "n", "x");
    remove_note(a, "n");
    urgent = feed_urgent(a, a->lane, 0);
    cr_assert_eq(feed_apply_urgent(b, urgent), KW_LANE_NEWS);
    cr_assert_eq(feed_apply_urgent(b, urgent), KW_LANE_KNOWN, "or it would be passed on for ever");
    feed_node_close(b);
    feed_node_open(b);
    cr_assert(kw_bytes_equal(feed_urgent(b, a->lane, 0), urgent));
    cr_assert_eq(feed_urgent(b, a->lane, 2).len, 0);
    cr_assert_eq(feed_apply_urgent(c, feed_urgent(b, a->lane, 0)), KW_LANE_NEWS);
    cr_assert_eq(feed_number(c, "SELECT removed FROM notes"), 1);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(feed_urgent(b, a->lane, 0).len, 0);
    cr_assert_eq(feed_apply_urgent(b, urgent), KW_LANE_KNOWN);
    cr_assert_eq(feed_urgent(b, a->lane, 0).len, 0);
}

/* --- conflicts --- */

Test(feed_apply, an_edit_overwritten_unread_is_counted_once)
{
    write_text(a, "n", "theirs");
    write_text(b, "n", "ours");
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(kw_metric_value(KW_M_FEED_CONFLICTS, "lww"), 1);
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_KNOWN);
    cr_assert_eq(kw_metric_value(KW_M_FEED_CONFLICTS, "lww"), 1);
}
