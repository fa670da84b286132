/* What a peer without a key can bring costs nothing that is written: a flood of it is read and dropped. A
 * lane's row is locked by writing it, and a trigger counts that. Node 0 is the one that is brought things; node
 * 1 a member. */
#include "common/sync/store_record.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

#define NODES 2

static struct feed_node nodes[NODES];
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];

static void setup(void)
{
    feed_nodes_init(nodes, NODES);
    (void)feed_number(a, "CREATE TABLE writes (n INTEGER)");
    (void)feed_number(a, "CREATE TRIGGER written AFTER UPDATE ON feed_lanes"
                         " BEGIN INSERT INTO writes VALUES (1); END");
}

static void teardown(void)
{
    feed_nodes_done(nodes, NODES);
}

TestSuite(feed_refuse, .init = setup, .fini = teardown, .timeout = 60);

static int64_t writes(void)
{
    return feed_number(a, "SELECT count(*) FROM writes");
}

static void expect_free(struct kw_bytes batch, enum kw_lane_verdict verdict)
{
    int64_t before = writes();

    cr_assert_eq(feed_apply(a, batch), verdict);
    cr_assert_eq(writes(), before, "%s is written down", kw_lane_verdict_name(verdict));
}

static void write_note(struct feed_node *node, const char *key, bool removed)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set("x"));
    if (removed) {
        note_set(&record, NOTE_REMOVED, value_first(FEED_WALL, node->id, "gone"));
    }
    feed_write(node, &record, removed);
}

Test(feed_refuse, strangers_and_replays_write_nothing)
{
    struct kw_bytes batch;

    write_note(b, "n", false);
    batch = feed_batch(b, b->lane, 0);
    cr_assert_eq(feed_apply(a, batch), KW_LANE_NEWS);
    cr_assert_gt(writes(), 0);
    expect_free(batch, KW_LANE_KNOWN);
    b->number = 3; /* a key that is nobody's */
    write_note(b, "m", true);
    expect_free(feed_batch(b, b->lane, 1), KW_LANE_STRANGER);
    b->number = 1;
    feed_new_life(b);
    write_note(b, "m", true);
    expect_free(feed_sealed(b), KW_LANE_STRANGER);
}

Test(feed_refuse, a_fenced_store_writes_nothing_here)
{
    struct kw_record row = feed_store_row(b);

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    feed_put_row(a, &kw_store_record, &row);
    write_note(b, "n", false);
    expect_free(feed_batch(b, b->lane, 0), KW_LANE_FENCED);
}

Test(feed_refuse, nor_do_urgent_changes_of_strangers_and_copies)
{
    struct kw_bytes urgent;
    int64_t before;

    write_note(b, "n", false);
    feed_catch_up(a, b, b->lane);
    write_note(b, "m", true);
    urgent = feed_urgent(b, b->lane, 0);
    cr_assert_eq(feed_apply_urgent(a, urgent), KW_LANE_NEWS);
    before = writes();
    cr_assert_eq(feed_apply_urgent(a, urgent), KW_LANE_KNOWN);
    write_note(b, "o", true);
    b->number = 3; /* a key that is nobody's */
    cr_assert_eq(feed_apply_urgent(a, feed_urgent(b, b->lane, 2)), KW_LANE_STRANGER);
    cr_assert_eq(writes(), before);
}
