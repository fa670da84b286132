/* Links that break: in the middle of a batch, or by falling silent. A proxy stands between two cells. */
#include "tests/support/proxy/fixture.h"
#include "tests/support/replicator_fixture.h"

static struct rep_mesh mesh;
static struct rep_cell *const a = &mesh.cells[0], *const b = &mesh.cells[1];
static struct test_owner *const ours = &mesh.cells[0].owners[KW_OWNER_AUTHZ];
static struct test_owner *const theirs = &mesh.cells[1].owners[KW_OWNER_AUTHZ];
static struct proxy proxy;
static struct proxy_link way;

static void setup(void)
{
    rep_init(&mesh, "eu/a eu/b");
    rep_start(b);
    proxy_start(&proxy);
    proxy_link(&proxy, b->port, &way);
    b->seen_port = way.port;
    rep_start(a);
    REP_EVENTUALLY(&mesh, rep_linked(a, b));
}

static void teardown(void)
{
    rep_done(&mesh);
    proxy_stop(&proxy);
}

TestSuite(replicator_cut, .init = setup, .fini = teardown, .timeout = 60);

static bool arrived(void)
{
    return owner_held(theirs, owner_lane_id(ours)) == ours->lanes[0].extent.seq;
}

/* No batch gets through whole, and so none at all; then all do. */
Test(replicator_cut, a_batch_that_is_cut_in_its_middle_comes_again)
{
    ours->batch = 1;
    ours->padding = KW_BATCH_LEN_MAX - 41;
    proxy_set(&way, "way=up reset_after=400000");
    owner_write(ours, 3);
    REP_EVENTUALLY(&mesh, proxy_count(&way, "accepted") >= 3);
    cr_assert_eq(theirs->applies, 0);
    proxy_heal(&way);
    REP_EVENTUALLY(&mesh, arrived());
    cr_assert_eq(theirs->longest, KW_BATCH_LEN_MAX);
    cr_assert_eq(theirs->gaps, 0);
}

Test(replicator_cut, a_link_that_falls_silent_is_cut_and_made_again)
{
    proxy_set(&way, "stall=1");
    REP_EVENTUALLY(&mesh, rep_cuts("silent") >= 2); /* both ends */
    owner_write(ours, 3);
    REP_EVENTUALLY(&mesh, proxy_count(&way, "accepted") >= 2); /* the old connection may be dead */
    proxy_heal(&way);
    REP_EVENTUALLY(&mesh, arrived());
    cr_assert_eq(theirs->gaps, 0);
}

/* What goes one way only is no link either: both say how far they are. */
Test(replicator_cut, a_link_that_is_deaf_one_way_is_cut_too)
{
    proxy_set(&way, "way=down stall=1");
    REP_EVENTUALLY(&mesh, rep_cuts("silent") >= 1);
    owner_write(ours, 3);
    owner_write(theirs, 4);
    proxy_heal(&way);
    REP_EVENTUALLY(&mesh, arrived() && owner_held(ours, owner_lane_id(theirs)) == 4);
}

Test(replicator_cut, changes_go_on_while_connections_are_reset)
{
    for (int i = 0; i < 10; i++) {
        owner_write(ours, 7);
        proxy_reset(&way);
        for (int turn = 0; turn < 20; turn++) {
            rep_turn(&mesh);
        }
    }
    REP_EVENTUALLY(&mesh, arrived());
    cr_assert_eq(owner_acked(theirs, ours->store, owner_lane_id(theirs)), 0, "it said nothing");
    REP_EVENTUALLY(&mesh, owner_acked(ours, theirs->store, owner_lane_id(ours)) == 70);
}
