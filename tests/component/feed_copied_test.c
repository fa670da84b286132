/* A database that was copied: a backup that comes back, or a machine that was cloned. */
#include "tests/support/feed_fixture.h"
#include "tests/support/must.h"

#define NODES 2

static struct feed_node nodes[NODES];
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];

static void setup(void)
{
    feed_nodes_init(nodes, NODES);
}

static void teardown(void)
{
    feed_nodes_done(nodes, NODES);
}

TestSuite(feed_copied, .init = setup, .fini = teardown, .timeout = 60);

static void write_tags(struct feed_node *node, const char *tags)
{
    struct kw_record record = note("n");

    note_set(&record, NOTE_TAGS, value_set(tags));
    feed_write(node, &record, false);
}

static void keep(struct feed_node *node)
{
    feed_node_close(node);
    store_fixture_keep(&node->store);
    feed_node_open(node);
}

static void restore(struct feed_node *node)
{
    feed_node_close(node);
    store_fixture_restore(&node->store);
    feed_node_open(node);
}

/* Into the very file that it was taken from. */
static void set_back(struct feed_node *node)
{
    feed_node_close(node);
    store_fixture_set_back(&node->store);
    feed_node_open(node);
}

/* What is taken after its first change comes back after its second one, and says something before it hears anything. */
static void expect_no_fork(void (*come_back)(struct feed_node *node))
{
    struct kw_id lane = a->lane;

    write_tags(a, "x");
    keep(a);
    cr_assert(kw_id_equal(a->lane, lane), "the original goes on in its life");
    write_tags(a, "y");
    feed_catch_up(b, a, lane);
    come_back(a);
    write_tags(a, "z");
    cr_assert_eq(feed_seq(a, lane), 1);
    cr_assert_eq(feed_seq(a, a->lane), 1);
    feed_catch_up(a, b, lane);
    cr_assert_eq(feed_seq(a, lane), 2, "what it had said comes back");
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_lanes WHERE rival IS NOT NULL"), 0);
}

Test(feed_copied, what_it_says_before_it_hears_anything_is_no_fork)
{
    expect_no_fork(restore);
}

Test(feed_copied, set_back_in_its_place_it_forks_no_more_than_a_copy_does)
{
    expect_no_fork(set_back);
}

Test(feed_copied, it_is_one_life_more_however_often_it_begins)
{
    struct kw_id lane;

    keep(a);
    restore(a);
    lane = a->lane;
    feed_node_close(a);
    feed_node_open(a);
    cr_assert(kw_id_equal(a->lane, lane));
}
