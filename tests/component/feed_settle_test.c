/* A store that was set back begins a new life, and counts as heard again only when nobody can hold more of the last one. Three
 * members; a is the one that is set back, to its first change of three. */
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/feed/feed_answer.h"
#include "common/feed/feed_freshness.h"
#include "common/feed/feed_holdings.h"
#include "common/sync/grow_set.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

#define NODES 3
#define ARENA (1U << 20)

static struct feed_node nodes[NODES];
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];
static struct feed_node *const c = &nodes[2];
static struct kw_id last; /* lane of a's first life */

static void free_arena(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

static void write_note(struct feed_node *node, const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set("x"));
    feed_write(node, &record, false);
}

/* To what it was after its first change, as a copy of its database would. */
static void set_back(void)
{
    cr_assert_eq(feed_number(a, "UPDATE feed_lanes SET seq = 1, chain = (SELECT chain FROM"
                                " feed_changes c WHERE c.lane = id AND c.seq = 1)"
                                " WHERE role = 2 RETURNING 1"),
                 1);
    (void)feed_number(a, "DELETE FROM feed_changes WHERE seq > 1 RETURNING 1");
    feed_node_close(a); /* statements are cached by the address of their text */
    feed_node_open(a);
    feed_new_life(a);
}

static struct kw_result run_take(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    enum kw_row_news news;

    KW_TRY(kw_record_encode(job->in, &record, err));
    return kw_feed_take_row(&job->node->feed, tx, b->id, kw_buf_bytes(&record), job->node->wall_ms,
                            &news, err);
}

static void take_row(struct feed_node *node, const struct kw_record *row)
{
    MUST(feed_do(node, run_take, row, NULL, err));
}

/* Everybody learns of the life that a is in. */
static void introduce(void)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&a->id)};

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_INCARNATIONS,
                       lane_set_of(kw_id_bytes(&a->incarnation)), err));
    for (size_t i = 0; i < NODES; i++) {
        take_row(&nodes[i], &row);
    }
}

static void setup(void)
{
    feed_nodes_init(nodes, NODES);
    last = a->lane;
    write_note(a, "first");
    feed_catch_up(c, a, last);
    write_note(a, "second");
    write_note(a, "third");
    feed_catch_up(b, a, last);
    set_back();
    introduce();
    write_note(a, "anew");
    feed_catch_up(b, a, a->lane);
    feed_catch_up(c, a, a->lane);
    cr_assert_eq(feed_apply(c, feed_sealed(b)), KW_LANE_KNOWN);
}

static void teardown(void)
{
    feed_nodes_done(nodes, NODES);
}

TestSuite(feed_settle, .init = setup, .fini = teardown, .timeout = 60);

static struct kw_result run_freshness(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_freshness(&job->node->feed, tx, job->node->wall_ms, job->out, err);
}

/* What a promises reaches c, who waits for nobody else. */
static bool counts_at_c(void)
{
    struct kw_freshness freshness;

    (void)feed_sealed(a);
    feed_catch_up(c, a, a->lane);
    cr_assert_eq(feed_apply(c, feed_sealed(a)), KW_LANE_KNOWN);
    MUST(feed_do(c, run_freshness, NULL, &freshness, err));
    return freshness.age_ms != KW_FRESHNESS_NEVER;
}

static struct kw_result run_settled(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA);
    const struct feed_node *node = job->node;
    struct kw_record row;
    bool found;

    KW_TRY(kw_feed_find(tx, &kw_store_record, kw_id_bytes(&node->id), arena, &row, &found, err));
    *(bool *)job->out = found && kw_set_has(kw_record_value(&row, KW_STORE_FIELD_SETTLED),
                                            kw_id_bytes(&node->incarnation));
    return KW_OK;
}

/* Does its row say so? */
static bool is_settled(struct feed_node *node)
{
    bool settled;

    MUST(feed_do(node, run_settled, NULL, &settled, err));
    return settled;
}

/* Over a link: how far that one holds both lanes of a. */
static void tells(const struct feed_node *node, uint64_t of_last)
{
    feed_ack(a, node, last, of_last);
    feed_ack(a, node, a->lane, 1);
}

Test(feed_settle, it_counts_when_all_hold_the_same_of_the_last_life)
{
    cr_assert_not(counts_at_c());
    feed_catch_up(a, b, last);
    feed_catch_up(c, b, last);
    cr_assert_not(counts_at_c(), "nobody has said so");
    tells(b, 3);
    cr_assert_not(counts_at_c(), "c may hold more");
    tells(c, 3);
    cr_assert(counts_at_c());
}

Test(feed_settle, who_holds_less_is_waited_for)
{
    feed_catch_up(a, b, last);
    tells(b, 3);
    tells(c, 1);
    cr_assert_not(counts_at_c(), "c has not heard all of it");
    tells(c, 3);
    cr_assert(counts_at_c());
}

Test(feed_settle, who_holds_more_than_we_is_heard_first)
{
    tells(b, 3);
    tells(c, 1);
    cr_assert_not(counts_at_c(), "b has what we lost");
    feed_catch_up(a, b, last);
    feed_catch_up(c, b, last);
    tells(c, 3);
    cr_assert(counts_at_c());
}

static void place(const struct feed_node *of, const char *at)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&of->id)};

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_PLACE, kw_bytes_str(at), err));
    take_row(a, &row);
}

/* An operator sees it, and fences that one if it stays away. */
Test(feed_settle, whom_it_waits_for_is_told_and_for_how_long)
{
    feed_catch_up(a, b, last);
    tells(b, 3);
    tells(c, 1);
    place(b, "eu/b");
    place(c, "eu/c");
    a->wall_ms += 100;
    (void)feed_sealed(a);
    a->wall_ms += 500;
    (void)feed_sealed(a);
    cr_assert_eq(kw_metric_value(KW_M_FEED_UNSETTLED_AGE, "eu/c"), 500);
    cr_assert_eq(kw_metric_value(KW_M_FEED_UNSETTLED_AGE, "eu/b"), 0);
    feed_ack_from(a, c, "eu/c", last, 3);
    (void)feed_sealed(a);
    cr_assert_eq(kw_metric_value(KW_M_FEED_UNSETTLED_AGE, "eu/c"), 0);
}

/* Of our own store something is heard, half a second after we began to wait for b, and for nobody else. */
static void hear_while_waiting(uint8_t field, struct kw_bytes value)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&a->id)};

    feed_catch_up(a, b, last);
    tells(c, 3);
    place(b, "eu/b");
    (void)feed_sealed(a);
    a->wall_ms += 500;
    (void)feed_sealed(a);
    cr_assert_eq(kw_metric_value(KW_M_FEED_UNSETTLED_AGE, "eu/b"), 500);
    MUST(kw_record_set(&row, &kw_store_record, field, value, err));
    take_row(a, &row);
    (void)feed_sealed(a);
}

/* By another writer of the database, or by a voucher, between two looks of ours. */
Test(feed_settle, nobody_is_waited_for_once_somebody_else_has_said_that_it_is_settled)
{
    hear_while_waiting(KW_STORE_FIELD_SETTLED, lane_set_of(kw_id_bytes(&a->incarnation)));
    cr_assert_eq(kw_metric_value(KW_M_FEED_UNSETTLED_AGE, "eu/b"), 0);
}

Test(feed_settle, nor_by_one_that_is_fenced)
{
    hear_while_waiting(KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED));
    cr_assert_eq(kw_metric_value(KW_M_FEED_UNSETTLED_AGE, "eu/b"), 0);
}

Test(feed_settle, who_has_not_answered_in_this_life_is_waited_for)
{
    feed_catch_up(a, b, last);
    feed_ack(a, b, last, 3);
    feed_ack(a, c, last, 3);
    cr_assert_not(counts_at_c(), "that may have been on its way before");
    tells(b, 3);
    tells(c, 3);
    cr_assert(counts_at_c());
}

Test(feed_settle, what_was_said_in_an_earlier_life_does_not_count_in_the_next)
{
    struct kw_id second = a->lane;

    feed_catch_up(a, b, last);
    tells(b, 3);
    tells(c, 3);
    feed_new_life(a);
    introduce();
    write_note(a, "once more");
    feed_ack(a, b, second, 1);
    feed_ack(a, c, second, 1);
    feed_ack(a, b, a->lane, 1);
    feed_ack(a, c, a->lane, 1);
    cr_assert_not(counts_at_c(), "they may hold more of the first one by now");
    tells(b, 3);
    tells(c, 3);
    cr_assert(counts_at_c());
}

static struct kw_result run_say(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_say_holdings(&job->node->feed, tx, job->node->wall_ms, job->out, err);
}

static void say_holdings(struct feed_node *node)
{
    bool said;

    MUST(feed_do(node, run_say, NULL, &said, err));
    cr_assert(said);
    feed_catch_up(a, node, node->lane);
}

Test(feed_settle, a_cell_that_is_not_linked_says_it_in_its_lane)
{
    feed_catch_up(a, b, last);
    feed_catch_up(c, b, last);
    tells(b, 3);
    say_holdings(c);
    cr_assert(counts_at_c());
}

/* Node b took its life for its only one, and said so to itself. */
Test(feed_settle, an_earlier_life_that_is_heard_of_later_is_open_too)
{
    const struct kw_id earlier = {{0xea}};
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&b->id)};

    write_note(b, "b");
    (void)feed_sealed(b);
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_INCARNATIONS,
                       lane_set_of(kw_id_bytes(&earlier)), err));
    take_row(b, &row);
    (void)feed_sealed(b);
    feed_ack(b, a, b->lane, 1);
    feed_ack(b, c, b->lane, 1);
    (void)feed_sealed(b);
    cr_assert(is_settled(b));
}

static uint64_t asked(void)
{
    uint64_t before = feed_seq(a, a->lane);

    (void)feed_sealed(a);
    return feed_seq(a, a->lane) - before;
}

/* Who had nothing new to say says it again, as something of ours came. */
Test(feed_settle, everybody_is_asked_ever_more_seldom)
{
    unsigned count = 0;

    (void)asked();
    cr_assert_eq(asked(), 0, "not twice at once");
    for (unsigned s = 0; s < 100; s++) {
        a->wall_ms += 1000;
        count += (unsigned)asked();
    }
    cr_assert_lt(count, 20);
    cr_assert_lt(8U, count);
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_quarantine"), 0);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_quarantine"), 0);
}

Test(feed_settle, a_fenced_member_is_not_waited_for)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&b->id)};

    tells(c, 1);
    cr_assert_not(counts_at_c(), "b may hold more");
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    take_row(a, &row);
    take_row(c, &row);
    cr_assert(counts_at_c());
}
