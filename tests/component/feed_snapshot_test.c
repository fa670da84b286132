/* Joining by a snapshot and the tail of every lane. Node 0 is the donor, node 1 joins, node 2 is another
 * member that holds the same. */
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/feed/feed_join.h"
#include "common/feed/lane_table.h"
#include "common/feed/quarantine_table.h"
#include "common/sync/store_record.h"
#include "tests/support/feed_join_fixture.h"
#include "tests/support/must.h"

#include <stdio.h>

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
    cr_assert_eq(feed_scrub(b, NULL), 0);
    feed_nodes_done(nodes, NODES);
}

TestSuite(feed_snapshot, .init = setup, .fini = teardown, .timeout = 120);

static void write_tags(struct feed_node *node, const char *key, const char *tags)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set(tags));
    feed_write(node, &record, false);
}

static void write_numbered(struct feed_node *node)
{
    static unsigned number;
    char key[16];

    (void)snprintf(key, sizeof(key), "n%u", number++);
    write_tags(node, key, "x");
}

/* So long that a run has two of them. */
static void write_long(struct feed_node *node, unsigned count)
{
    static uint8_t text[KW_BATCH_LEN_SOFT / 2];

    for (unsigned i = 0; i < count; i++) {
        char key[16];
        struct kw_record record;

        (void)snprintf(key, sizeof(key), "long%u", i);
        record = note(key);
        record.count = 1;
        record.fields[0] =
            (struct kw_record_field){.number = 9, .rule = KW_RULE_ONCE, .value = KW_BYTES_OF(text)};
        feed_write(node, &record, false);
    }
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

/* All lanes of all nodes, as `from` has them. */
static void tail(struct feed_node *to, struct feed_node *from)
{
    uint8_t reaches[2][KW_SHA256_LEN];

    for (unsigned i = 0; i < NODES; i++) {
        feed_catch_up(to, from, nodes[i].lane);
    }
    feed_reach(to, reaches[0]);
    feed_reach(from, reaches[1]);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(reaches[0]), KW_BYTES_OF(reaches[1])));
}

/* --- joining --- */

Test(feed_snapshot, a_store_joins_while_its_donor_goes_on_writing)
{
    unsigned steps = 1;
    uint64_t begun;

    write_long(a, 5);
    write_numbered(c);
    feed_catch_up(a, c, c->lane);
    begun = feed_seq(a, a->lane);
    feed_join(b, a);
    while (feed_join_step(b, a)) {
        write_numbered(a);
        write_tags(a, "n0", "y"); /* a row that is there already */
        steps++;
    }
    cr_assert_eq(steps, 7, "lanes, two of what waits, stores, three of notes: %u", steps);
    cr_assert_eq(feed_lane(b, a->lane).floor.seq, begun);
    cr_assert_eq(feed_seq(b, a->lane), begun);
    cr_assert_eq(feed_seq(b, c->lane), 1);
    tail(b, a);
    cr_assert_eq(feed_seq(b, a->lane), begun + steps, "the second row said something new once");
    expect_alike(a, b);
}

/* It had acknowledged more than it has: it was set back to an older state. */
Test(feed_snapshot, a_store_from_which_too_much_was_trimmed_comes_back)
{
    write_numbered(a);
    feed_catch_up(b, a, a->lane);
    for (unsigned i = 0; i < 4; i++) {
        write_numbered(a);
    }
    feed_catch_up(c, a, a->lane);
    feed_ack(a, c, a->lane, 5);
    feed_ack(a, b, a->lane, 4);
    cr_assert_eq(feed_trim(a, 100), 4);
    cr_assert_eq(feed_read_kind(a, a->lane, 1), KW_FEED_READ_TRIMMED);
    feed_join(b, a);
    (void)feed_join_all(b, a);
    cr_assert_eq(feed_lane(b, a->lane).floor.seq, 5, "what it kept is not joined to the rest");
    cr_assert_eq(feed_read_kind(b, a->lane, 1), KW_FEED_READ_TRIMMED);
    write_numbered(a);
    tail(b, a);
    expect_alike(a, b);
}

Test(feed_snapshot, until_it_is_done_nothing_is_trusted)
{
    struct kw_record record = note("mine");
    struct kw_ask ask = {
        .purpose = KW_ASK_SNAPSHOT, .store = b->id, .from = {.section = KW_SECTION_LANES}};

    write_numbered(a);
    note_set(&record, NOTE_TAGS, value_set("x"));
    feed_join(b, a);
    do {
        cr_assert(feed_is_joining(b));
        cr_assert_eq(feed_seq(b, a->lane), 0);
        cr_assert_eq(feed_try_write(b, &record, false, NULL).reason, KW_E_STORE_UNAVAILABLE);
        cr_assert_eq(feed_try_answer(b, &ask, NULL).reason, KW_E_STORE_UNAVAILABLE);
        feed_node_close(b);
        feed_node_open(b);
    } while (feed_join_step(b, a));
    cr_assert_not(feed_is_joining(b));
    cr_assert_eq(feed_seq(b, a->lane), 1);
    feed_write(b, &record, false);
    MUST(feed_try_answer(b, &ask, err));
}

Test(feed_snapshot, a_joining_store_that_must_not_speak_says_nothing_for_others)
{
    struct kw_record record = note("n");

    note_set(&record, NOTE_REMOVED, value_first(FEED_WALL, c->id, "gone"));
    feed_write(c, &record, true);
    cr_assert_eq(feed_apply_urgent(b, feed_urgent(c, c->lane, 0)), KW_LANE_NEWS);
    feed_join(b, a);
    b->wall_ms += KW_FEED_ORPHAN_MS;
    (void)feed_release(b);
    cr_assert_eq(feed_seq(b, b->lane), 0, "it joins");
    (void)feed_join_all(b, a);
    (void)feed_release(b);
    cr_assert_eq(feed_seq(b, b->lane), 1);
}

Test(feed_snapshot, what_disables_is_said_all_the_same)
{
    struct kw_record record = note("n");

    feed_join(b, a);
    note_set(&record, NOTE_REMOVED, value_first(b->wall_ms, b->id, "gone"));
    feed_write(b, &record, true);
    (void)feed_join_all(b, a);
    tail(a, b);
    expect_alike(a, b);
}

/* --- interruption --- */

static void again(void)
{
    feed_node_done(b);
    feed_node_init(b, 1);
    feed_introduce(nodes, NODES);
}

Test(feed_snapshot, it_may_be_interrupted_after_every_run)
{
    for (unsigned cut = 0; cut < 7; cut++) {
        again();
        write_long(a, 5);
        feed_join(b, a);
        for (unsigned i = 0; i < cut; i++) {
            cr_assert(feed_join_step(b, a) || i == 6);
        }
        feed_node_close(b);
        feed_node_open(b);
        write_numbered(a);
        feed_join(b, a);
        cr_assert_eq(feed_join_all(b, a), 7 - cut, "it goes on where it was");
        tail(b, a);
        expect_alike(a, b);
    }
}

Test(feed_snapshot, another_donor_may_take_over_after_every_run)
{
    for (unsigned cut = 0; cut < 7; cut++) {
        again();
        write_long(a, 5);
        feed_catch_up(c, a, a->lane);
        write_numbered(a);
        feed_join(b, a);
        for (unsigned i = 0; i < cut; i++) {
            (void)feed_join_step(b, a);
        }
        feed_join(b, c);
        cr_assert_eq(feed_join_all(b, c), 7, "all of it is asked for again");
        cr_assert_eq(feed_seq(b, a->lane), feed_seq(c, a->lane), "not what the first one had");
        tail(b, a);
        expect_alike(a, b);
    }
}

/* --- what is not in rows --- */

/* Node 2 has written what the donor's clock and release have no place for. */
Test(feed_snapshot, what_waits_at_the_donor_waits_here)
{
    struct kw_record ahead = note("ahead");
    struct kw_record later = note("later");

    feed_node_close(c);
    c->table_count = feed_tables_new;
    c->wall_ms += 60000;
    feed_node_open(c);
    note_set(&ahead, NOTE_TEXT, note_stamped(c, "ahead"));
    feed_write(c, &ahead, false);
    later.table = later_kind.table;
    note_set(&later, NOTE_TAGS, value_set("x"));
    feed_write(c, &later, false);
    feed_catch_up(a, c, c->lane);
    feed_join(b, a);
    (void)feed_join_all(b, a);
    cr_assert_eq(feed_seq(b, c->lane), 2);
    feed_node_close(b);
    b->table_count = feed_tables_new;
    b->wall_ms = c->wall_ms;
    feed_node_open(b);
    cr_assert_eq(feed_release(b), 2);
    expect_alike(b, c);
}

/* That a record of `table` waits at the donor, as if the lane of who joins had said it. */
static struct kw_result run_pretend(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_waiting waiting = {.lane = b->lane, .point = {.seq = 1}};
    bool is_new;

    KW_TRY(kw_record_encode(job->in, &record, err));
    waiting.record = kw_buf_bytes(&record);
    return kw_quarantine_put(tx, &waiting, "pretended", 0, job->node->wall_ms, &is_new, err);
}

Test(feed_snapshot, what_waits_at_the_donor_is_not_said_in_the_name_of_who_joins)
{
    struct kw_record fence = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&c->id)};

    MUST(kw_record_set(&fence, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    MUST(feed_do(a, run_pretend, &fence, NULL, err));
    feed_join(b, a);
    (void)feed_join_all(b, a);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_quarantine"), 0);
    write_numbered(c);
    cr_assert_eq(feed_apply(b, feed_batch(c, c->lane, 0)), KW_LANE_NEWS, "it is not fenced");
    (void)feed_number(a, "DELETE FROM feed_quarantine RETURNING 1");
}

/* --- lanes --- */

Test(feed_snapshot, who_holds_more_of_a_lane_keeps_it)
{
    write_numbered(a);
    feed_catch_up(c, a, a->lane);
    write_numbered(a);
    feed_catch_up(b, a, a->lane);
    feed_join(b, c);
    (void)feed_join_all(b, c);
    cr_assert_eq(feed_seq(b, a->lane), 2);
    cr_assert_eq(feed_lane(b, a->lane).floor.seq, 0);
}

Test(feed_snapshot, more_of_our_own_lane_than_we_have_ends_it)
{
    struct kw_id before = b->lane;

    write_numbered(b);
    write_numbered(b);
    feed_catch_up(a, b, b->lane);
    (void)feed_number(b, "DELETE FROM feed_changes RETURNING 1");
    (void)feed_number(b, "UPDATE feed_lanes SET seq = 0, chain = floor_chain WHERE role = 2"
                         " RETURNING 1");
    feed_join(b, a);
    (void)feed_join_all(b, a);
    cr_assert_eq(feed_seq(b, before), 2);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_lanes WHERE role = 2"), 0);
    write_numbered(b);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_lanes WHERE role = 2"), 1);
}

static struct kw_bytes signed_by(struct kw_answer answer, unsigned signer)
{
    struct kw_buf record = {0};

    MUST(kw_answer_sign(&answer, feed_key(signer), &record, err));
    return value_keep(&record);
}

/* A donor is believed about rows, and about nobody's lane: that is signed by whose it is. */
static struct kw_result run_fill(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_lane_row row = {.store = c->id, .role = KW_LANE_ROLE_FOREIGN};

    (void)job;
    for (unsigned i = 0; i < KW_FEED_PLACE_LANES_MAX; i++) {
        row.id = (struct kw_id){{1, (uint8_t)i}};
        KW_TRY(kw_lane_row_insert(tx, &row, kw_id_bytes(&row.store), err));
    }
    return KW_OK;
}

Test(feed_snapshot, nor_does_a_donor_bring_more_lanes)
{
    write_numbered(c);
    feed_catch_up(a, c, c->lane);
    MUST(feed_do(b, run_fill, NULL, NULL, err));
    feed_join(b, a);
    (void)feed_join_all(b, a);
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "waits"), 1);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_lanes WHERE seq > 0"), 0);
    (void)feed_number(b, "DELETE FROM feed_lanes WHERE role = 1 RETURNING 1");
}

Test(feed_snapshot, a_donor_can_make_up_no_lane)
{
    struct kw_ask ask;
    struct kw_answer answer;
    struct kw_lane_head head;
    struct kw_buf forged = {0};
    struct kw_bytes item;

    write_numbered(c);
    feed_catch_up(a, c, c->lane);
    feed_join(b, a);
    ask = feed_ask(b);
    answer = feed_answer_read(feed_answer(a, &ask));
    cr_assert_eq(answer.count, 1);
    MUST(kw_lane_head_decode(answer.items[0], &head, err));
    head.point.seq = 1000;
    MUST(kw_lane_head_sign(&head, feed_key(0), &forged, err));
    item = value_keep(&forged);
    answer.items = &item;
    cr_assert_eq(feed_take(b, signed_by(answer, 0)), KW_ANSWER_GOOD);
    (void)feed_join_all(b, a);
    cr_assert_eq(feed_seq(b, c->lane), 0);
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "unsigned") +
                     kw_metric_value(KW_M_FEED_VERDICTS, "stranger"),
                 1);
    tail(b, a);
}

/* A run of what nobody can read; a donor has as many as it likes. */
static void take_unreadable(enum kw_answer_section section)
{
    struct kw_bytes items[KW_FEED_LOGS_PER_S + 2];
    struct kw_ask ask = feed_ask(b);
    struct kw_answer answer;

    while (ask.from.section != section) {
        (void)feed_join_step(b, a);
        ask = feed_ask(b);
    }
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        items[i] = kw_bytes_str("none");
    }
    answer = feed_answer_read(feed_answer(a, &ask));
    answer.items = items;
    answer.count = sizeof(items) / sizeof(items[0]);
    cr_assert_eq(feed_take(b, signed_by(answer, 0)), KW_ANSWER_GOOD);
}

Test(feed_snapshot, a_donor_does_not_fill_the_log)
{
    feed_join(b, a);
    take_unreadable(KW_SECTION_LANES);
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "feed_alarms_logged"), 2);
    b->wall_ms += 1000;
    take_unreadable(KW_SECTION_QUARANTINE);
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "feed_alarms_logged"), 4);
}

/* --- what is refused, by name --- */

/* It changes nothing, and the question stays. */
static void expect_refused(struct kw_bytes record, enum kw_answer_verdict verdict)
{
    uint8_t states[2][KW_SHA256_LEN];
    enum kw_answer_verdict found;

    feed_state(b, states[0]);
    found = feed_take(b, record);
    cr_assert_eq(found, verdict, "%s", kw_answer_verdict_name(found));
    feed_state(b, states[1]);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(states[0]), KW_BYTES_OF(states[1])));
    cr_assert_eq(kw_metric_value(KW_M_FEED_ANSWERS, kw_answer_verdict_name(verdict)) > 0, true);
}

/* To the first question about notes. */
static struct kw_bytes an_answer(void)
{
    struct kw_ask ask;

    write_numbered(a);
    feed_join(b, a);
    for (unsigned i = 0; i < 4; i++) {
        (void)feed_join_step(b, a);
    }
    ask = feed_ask(b);
    return feed_answer(a, &ask);
}

Test(feed_snapshot, forged_and_altered_rows_are_refused)
{
    struct kw_bytes good = an_answer();
    struct kw_answer answer = feed_answer_read(good);
    struct kw_bytes forged[2] = {answer.items[0], answer.items[0]};
    uint8_t *altered;

    cr_assert_gt(answer.count, 0);
    expect_refused(signed_by(answer, 2), KW_ANSWER_UNSIGNED); /* a member, but not the one asked */
    expect_refused(signed_by(answer, 3), KW_ANSWER_UNSIGNED);
    altered = kw_arena_alloc(values_arena(), good.len);
    for (size_t i = 0; i < answer.items[0].len; i++) {
        kw_copy(altered, good.data, good.len);
        altered[(size_t)(answer.items[0].data - good.data) + i] ^= 0x40;
        if (i > 7) { /* else it reads as no row of the table: magic, table, key's length */
            expect_refused(KW_BYTES(altered, good.len), KW_ANSWER_UNSIGNED);
        }
    }
    answer.items = forged;
    answer.count = 2;
    expect_refused(signed_by(answer, 1), KW_ANSWER_UNSIGNED);
    cr_assert_eq(feed_take(b, good), KW_ANSWER_GOOD);
}

Test(feed_snapshot, an_answer_counts_once_and_for_its_question)
{
    struct kw_bytes good = an_answer();
    struct kw_answer answer = feed_answer_read(good);

    answer.to.nonce.bytes[0] ^= 1;
    expect_refused(signed_by(answer, 0), KW_ANSWER_UNASKED);
    answer = feed_answer_read(good);
    answer.to.store = c->id;
    expect_refused(signed_by(answer, 2), KW_ANSWER_UNASKED);
    answer = feed_answer_read(good);
    answer.to.from.key = kw_bytes_str("m");
    answer.next = (struct kw_answer_place){.section = KW_SECTION_END};
    expect_refused(signed_by(answer, 0), KW_ANSWER_UNASKED);
    cr_assert_eq(feed_take(b, good), KW_ANSWER_GOOD);
    expect_refused(good, KW_ANSWER_UNASKED);
    feed_join(b, a);
    expect_refused(good, KW_ANSWER_UNASKED);
}

Test(feed_snapshot, a_run_is_not_served_a_second_time)
{
    struct kw_ask ask;
    struct kw_bytes first;

    write_long(a, 5);
    first = an_answer();
    ask = feed_ask(b);
    cr_assert_eq(ask.from.key.len, 0);
    cr_assert_eq(feed_take(b, first), KW_ANSWER_GOOD);
    cr_assert_gt(feed_ask(b).from.key.len, 0);
    expect_refused(first, KW_ANSWER_UNASKED);
}

Test(feed_snapshot, who_is_no_member_or_fenced_or_of_another_mesh_is_refused)
{
    struct kw_bytes good = an_answer();
    struct kw_answer answer = feed_answer_read(good);
    struct kw_record row = feed_store_row(a);

    answer.mesh.bytes[0] ^= 1;
    expect_refused(signed_by(answer, 0), KW_ANSWER_OTHER_MESH);
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    feed_put_row(b, &kw_store_record, &row);
    expect_refused(good, KW_ANSWER_FENCED);
    (void)feed_number(b, "DELETE FROM feed_records WHERE kind = 1 RETURNING 1");
    (void)feed_number(b, "DELETE FROM feed_digests WHERE kind = 1 RETURNING 1");
    expect_refused(good, KW_ANSWER_STRANGER);
}

Test(feed_snapshot, what_reads_as_none_is_none)
{
    struct kw_bytes good = an_answer();
    struct kw_answer answer = feed_answer_read(good);
    struct kw_buf record = {0};

    cr_assert_eq(feed_try_take(b, KW_BYTES(good.data, good.len - 1), NULL).reason,
                 KW_E_ENCODING_INVALID);
    answer.to.from.table = KW_TABLE_STORES; /* rows of another table */
    cr_assert_eq(kw_answer_sign(&answer, feed_key(0), &record, NULL).reason, KW_E_ARGUMENT_INVALID);
    answer = feed_answer_read(good);
    answer.next = answer.to.from; /* it leads nowhere */
    cr_assert_eq(kw_answer_sign(&answer, feed_key(0), &record, NULL).reason, KW_E_ARGUMENT_INVALID);
}
