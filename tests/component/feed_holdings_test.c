/* Who holds what, said in lanes: three members, of which a and c are linked with b alone. */
#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/feed/feed_answer.h"
#include "common/feed/feed_holdings.h"
#include "common/feed/feed_join.h"
#include "common/feed/feed_rows.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/must.h"

#include <stdio.h>

#define NODES 3
#define ALL   1000 /* that may be deleted */

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

TestSuite(feed_holdings, .init = setup, .fini = teardown, .timeout = 60);

static void write_notes(struct feed_node *node, size_t count)
{
    static unsigned number;

    for (size_t i = 0; i < count; i++) {
        char key[16];
        struct kw_record record;

        (void)snprintf(key, sizeof(key), "n%u", number++);
        record = note(key);
        note_set(&record, NOTE_TAGS, value_set("x"));
        feed_write(node, &record, false);
    }
}

static struct kw_result run_say(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_say_holdings(&job->node->feed, tx, job->node->wall_ms, job->out, err);
}

static bool say(struct feed_node *node)
{
    bool said;

    MUST(feed_do(node, run_say, NULL, &said, err));
    return said;
}

/* A link: both get what the other has, and hear how far it has theirs. */
static void meet(struct feed_node *one, struct feed_node *other)
{
    for (size_t i = 0; i < NODES; i++) {
        struct kw_id lane = nodes[i].lane;

        feed_catch_up(one, other, lane);
        feed_catch_up(other, one, lane);
        if (feed_seq(one, lane) > 0) {
            feed_ack(one, other, lane, feed_seq(other, lane));
            feed_ack(other, one, lane, feed_seq(one, lane));
        }
    }
}

static void travel(void)
{
    meet(a, b);
    meet(b, c);
    meet(a, b);
}

static size_t trim_all(void)
{
    return feed_trim(a, ALL) + feed_trim(b, ALL) + feed_trim(c, ALL);
}

static int64_t acked(struct feed_node *at, const struct feed_node *by, struct kw_id lane)
{
    char sql[256];
    char hex[2][2 * KW_ID_LEN + 1];

    kw_hex(kw_id_bytes(&by->id), hex[0]);
    kw_hex(kw_id_bytes(&lane), hex[1]);
    (void)snprintf(
        sql, sizeof(sql),
        "SELECT coalesce(max(seq), 0) FROM feed_acks WHERE peer = x'%s' AND lane = x'%s'", hex[0],
        hex[1]);
    return feed_number(at, sql);
}

/* --- what it is for --- */

Test(feed_holdings, what_all_have_is_deleted_though_not_all_are_linked)
{
    write_notes(a, 5);
    travel();
    cr_assert_eq(feed_trim(b, ALL), 5, "both others tell b");
    cr_assert_eq(feed_trim(a, ALL), 0, "nobody tells a of c");
    cr_assert(say(c));
    travel();
    (void)feed_trim(a, ALL);
    cr_assert_eq(feed_lane(a, a->lane).floor.seq, 5);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_quarantine"), 0);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_records WHERE kind = 2"), 0,
                 "it is no row");
}

/* Each round everybody says what there is to say, hears the others, and deletes what it may. */
static unsigned rounds_until_silence(bool trims)
{
    unsigned spoke = 0;

    for (unsigned silent = 0; silent < 4; silent++) {
        bool said = say(a);

        said = say(b) || said;
        said = say(c) || said;
        travel();
        (void)(trims ? trim_all() : 0);
        spoke++;
        cr_assert_lt(spoke, 12, "it never ends");
        silent = said ? 0 : silent;
    }
    return spoke;
}

Test(feed_holdings, it_comes_to_an_end)
{
    int64_t changes;

    write_notes(a, 5);
    write_notes(c, 2);
    travel();
    (void)rounds_until_silence(true);
    changes = feed_number(b, "SELECT sum(seq) FROM feed_lanes");
    (void)rounds_until_silence(true);
    cr_assert_eq(feed_number(b, "SELECT sum(seq) FROM feed_lanes"), changes);
    cr_assert_lt(feed_number(a, "SELECT count(*) FROM feed_changes"), 7,
                 "what is left is what was said of who holds what");
    write_notes(b, 1);
    travel();
    cr_assert(say(a), "another change");
    cr_assert_not(say(a), "once");
}

Test(feed_holdings, it_comes_to_an_end_where_nothing_is_deleted)
{
    write_notes(a, 5);
    travel();
    (void)rounds_until_silence(false);
    cr_assert_not(say(b));
}

Test(feed_holdings, nothing_new_is_said_after_a_restart)
{
    write_notes(a, 1);
    travel();
    cr_assert(say(c));
    feed_node_close(c);
    feed_node_open(c);
    cr_assert_not(say(c));
}

/* --- of whom it counts --- */

static struct kw_record holds(const struct feed_node *store, struct kw_id lane, uint64_t seq)
{
    struct kw_record record = {.table = KW_TABLE_HOLDINGS, .key = kw_id_bytes(&store->id)};
    struct kw_buf lanes = {0};
    struct kw_writer w = KW_WRITER(&lanes);

    kw_put_raw(&w, kw_id_bytes(&lane));
    kw_put_u64(&w, seq);
    MUST(kw_writer_end(&w, err));
    MUST(kw_record_set(&record, &kw_holding_record, KW_HOLDING_FIELD_LANES, value_keep(&lanes),
                       err));
    return record;
}

static struct kw_result run_forge(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    KW_TRY(kw_record_encode(job->in, &record, err));
    return kw_feed_say(&job->node->feed, tx, kw_buf_bytes(&record), job->out != NULL,
                       job->node->wall_ms, err);
}

static void forge(struct feed_node *by, struct kw_record record)
{
    MUST(feed_do(by, run_forge, &record, NULL, err));
}

Test(feed_holdings, nobody_says_what_another_store_holds)
{
    write_notes(a, 3);
    feed_catch_up(b, a, a->lane);
    forge(b, holds(c, a->lane, 3));
    feed_catch_up(a, b, b->lane);
    cr_assert_eq(acked(a, c, a->lane), 0);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_quarantine"), 1);
    feed_ack(a, b, a->lane, 3);
    cr_assert_eq(feed_trim(a, ALL), 0);
}

Test(feed_holdings, who_says_more_than_there_is_says_it_of_itself)
{
    write_notes(a, 3);
    feed_catch_up(b, a, a->lane);
    forge(b, holds(b, a->lane, UINT64_MAX));
    forge(b, holds(b, a->lane, 2));
    feed_catch_up(a, b, b->lane);
    cr_assert_eq(acked(a, b, a->lane), 3, "what is to come has no copy");
    cr_assert_eq(feed_trim(a, ALL), 0, "c lacks it");
    feed_ack(a, c, a->lane, 2);
    cr_assert_eq(feed_trim(a, ALL), 2);
}

static struct kw_result run_row(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    enum kw_row_news news;

    KW_TRY(kw_record_encode(job->in, &record, err));
    return kw_feed_take_row(&job->node->feed, tx, b->id, kw_buf_bytes(&record), job->node->wall_ms,
                            &news, err);
}

Test(feed_holdings, no_donor_says_what_a_store_holds)
{
    struct kw_record record = holds(b, a->lane, 1);

    write_notes(a, 1);
    MUST(feed_do(a, run_row, &record, NULL, err));
    cr_assert_eq(acked(a, b, a->lane), 0);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_quarantine"), 1);
}

Test(feed_holdings, it_does_not_go_ahead_of_its_lane)
{
    struct kw_record record = holds(b, a->lane, 1);

    write_notes(a, 1);
    MUST(feed_do(b, run_forge, &record, b, err));
    cr_assert_eq(feed_apply_urgent(a, feed_urgent(b, b->lane, 0)), KW_LANE_WAITS);
    cr_assert_eq(acked(a, b, a->lane), 0);
}

/* --- what it says --- */

/* b hears that c has a's lane before it knows that there is one. */
Test(feed_holdings, what_came_too_early_is_said_again_with_the_next_word)
{
    write_notes(a, 1);
    feed_catch_up(c, a, a->lane);
    cr_assert(say(c));
    feed_catch_up(b, c, c->lane);
    cr_assert_eq(acked(b, c, a->lane), 0);
    feed_catch_up(b, a, a->lane);
    write_notes(b, 1);
    feed_catch_up(c, b, b->lane);
    cr_assert(say(c));
    feed_catch_up(b, c, c->lane);
    cr_assert_eq(acked(b, c, a->lane), 1);
}

/* Of a store of many lives, in node b. */
static struct kw_result run_lanes(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_lane_row row = {
        .store = a->id, .role = KW_LANE_ROLE_FOREIGN, .point = {.seq = 1}, .floor = {.seq = 1}};

    (void)job;
    for (unsigned i = 0; i < KW_FEED_HOLDINGS_MAX + 1; i++) {
        row.id = (struct kw_id){{1, (uint8_t)i}};
        KW_TRY(kw_lane_row_insert(tx, &row, kw_id_bytes(&row.store), err));
    }
    return KW_OK;
}

Test(feed_holdings, more_lanes_than_fit_are_said_in_turn)
{
    write_notes(a, 1);
    feed_catch_up(b, a, a->lane);
    MUST(feed_do(b, run_lanes, NULL, NULL, err));
    cr_assert(say(b));
    cr_assert_eq(feed_number(b, "SELECT seq FROM feed_lanes WHERE role = 2"), 2);
    feed_catch_up(a, b, b->lane);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_quarantine"), 0);
    cr_assert_eq(acked(a, b, a->lane), 1);
    cr_assert_not(say(b));
    (void)feed_number(b, "DELETE FROM feed_lanes WHERE floor_seq > 0 RETURNING 1");
}

static struct kw_record holds_too_many(void)
{
    struct kw_record record = holds(b, a->lane, 1);
    struct kw_buf lanes = {0};
    struct kw_writer w = KW_WRITER(&lanes);

    for (unsigned i = 0; i <= KW_FEED_HOLDINGS_MAX; i++) {
        struct kw_id lane = {{1, (uint8_t)i}};

        kw_put_raw(&w, kw_id_bytes(&lane));
        kw_put_u64(&w, 1);
    }
    MUST(kw_writer_end(&w, err));
    MUST(kw_record_set(&record, &kw_holding_record, KW_HOLDING_FIELD_LANES, value_keep(&lanes),
                       err));
    return record;
}

Test(feed_holdings, more_lanes_in_one_change_are_not_taken)
{
    forge(b, holds_too_many());
    feed_catch_up(a, b, b->lane);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_quarantine"), 1);
}

/* --- who does not speak --- */

static struct kw_result run_join(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_join(&job->node->feed, tx, b->id, err);
}

Test(feed_holdings, who_joins_holds_nothing_yet)
{
    write_notes(a, 1);
    feed_catch_up(c, a, a->lane);
    MUST(feed_do(c, run_join, NULL, NULL, err));
    cr_assert_not(say(c));
    cr_assert_eq(feed_number(c, "DELETE FROM feed_joins RETURNING 1"), 1);
    cr_assert(say(c));
}

Test(feed_holdings, whose_lane_has_forked_says_nothing)
{
    write_notes(a, 1);
    feed_catch_up(c, a, a->lane);
    cr_assert_eq(feed_number(c, "UPDATE feed_lanes SET rival = x'00' WHERE role = 2 RETURNING 1"),
                 1);
    cr_assert_not(say(c));
    (void)feed_number(c, "UPDATE feed_lanes SET rival = NULL RETURNING 1");
}
