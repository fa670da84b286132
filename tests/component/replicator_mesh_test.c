/* What travels between cells: real replicators over mutual TLS, owners that the test plays. */
#include "common/base/metrics.h"
#include "tests/support/replicator_fixture.h"

static struct rep_mesh mesh;
static struct rep_cell *const a = &mesh.cells[0], *const b = &mesh.cells[1],
                              *const c = &mesh.cells[2];

static struct test_owner *owner_of(struct rep_cell *cell, enum kw_owner kind)
{
    return &cell->owners[kind];
}

static bool has(struct rep_cell *cell, struct rep_cell *origin, enum kw_owner kind)
{
    const struct test_owner *from = owner_of(origin, kind);

    return owner_held(owner_of(cell, kind), owner_lane_id(from)) == from->lanes[0].extent.seq;
}

static unsigned gaps(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < mesh.count; i++) {
        count += mesh.cells[i].owners[0].gaps + mesh.cells[i].owners[1].gaps;
    }
    return count;
}

static void teardown(void)
{
    rep_done(&mesh);
}

TestSuite(replicator_mesh, .fini = teardown, .timeout = 60);

Test(replicator_mesh, a_lone_cell_is_ready)
{
    rep_init(&mesh, "eu/a");
    rep_start_all(&mesh);
    cr_assert(kw_replicator_service_has(a->service, KW_OWNER_AUTHZ));
    cr_assert(kw_replicator_service_has(a->service, KW_OWNER_ORCHESTRATOR));
}

Test(replicator_mesh, changes_of_both_owners_arrive_at_the_other_cell_and_are_acknowledged)
{
    rep_init(&mesh, "eu/a eu/b");
    rep_start_all(&mesh);
    for (int kind = 0; kind < KW_OWNER_COUNT_; kind++) {
        owner_write(&a->owners[kind], 3);
        owner_write(&b->owners[kind], 5);
    }
    for (int i = 0; i < KW_OWNER_COUNT_; i++) {
        enum kw_owner kind = (enum kw_owner)i;

        REP_EVENTUALLY(&mesh, has(a, b, kind) && has(b, a, kind));
        REP_EVENTUALLY(&mesh, owner_acked(owner_of(a, kind), owner_of(b, kind)->store,
                                          owner_lane_id(owner_of(a, kind))) == 3);
    }
}

Test(replicator_mesh, what_is_held_before_the_link_arrives_too)
{
    rep_init(&mesh, "eu/a eu/b");
    owner_write(owner_of(a, KW_OWNER_AUTHZ), 1700);
    rep_start_all(&mesh);
    REP_EVENTUALLY(&mesh, has(b, a, KW_OWNER_AUTHZ));
    cr_assert_geq(owner_of(b, KW_OWNER_AUTHZ)->applies, 4, "in batches");
    cr_assert_eq(gaps(), 0);
}

Test(replicator_mesh, a_cell_that_is_not_linked_gets_it_by_a_relay)
{
    rep_init(&mesh, "eu/a eu/b us/a");
    rep_start_all(&mesh);
    cr_assert_not(rep_linked(b, c));
    owner_write(owner_of(b, KW_OWNER_ORCHESTRATOR), 7);
    owner_write(owner_of(c, KW_OWNER_ORCHESTRATOR), 9);
    REP_EVENTUALLY(&mesh, has(c, b, KW_OWNER_ORCHESTRATOR) && has(b, c, KW_OWNER_ORCHESTRATOR));
}

Test(replicator_mesh, batches_of_any_length_arrive_whole_and_in_order)
{
    static const size_t paddings[] = {0, 100000, KW_BODY_LEN_MAX, KW_BATCH_LEN_MAX - 41};
    struct test_owner *from;

    rep_init(&mesh, "eu/a eu/b");
    rep_start_all(&mesh);
    from = owner_of(a, KW_OWNER_AUTHZ);
    from->batch = 1;
    for (size_t i = 0; i < sizeof(paddings) / sizeof(paddings[0]); i++) {
        from->padding = paddings[i];
        owner_write(from, 6);
        REP_EVENTUALLY(&mesh, has(b, a, KW_OWNER_AUTHZ));
        cr_assert_eq(owner_of(b, KW_OWNER_AUTHZ)->longest, 41 + paddings[i]);
    }
    cr_assert_eq(gaps(), 0);
}

/* A long record is still on its way to the owner while a short one that comes after it is here. */
Test(replicator_mesh, a_short_batch_does_not_overtake_a_long_one)
{
    struct test_owner *from;

    rep_init(&mesh, "eu/a eu/b");
    rep_start_all(&mesh);
    from = owner_of(a, KW_OWNER_AUTHZ);
    from->batch = 1;
    for (int i = 0; i < 20; i++) {
        unsigned reads = from->reads;

        from->padding = i % 2 == 0 ? KW_BATCH_LEN_MAX - 41 : 0;
        owner_write(from, 1);
        REP_EVENTUALLY(&mesh, from->reads > reads);
    }
    REP_EVENTUALLY(&mesh, has(b, a, KW_OWNER_AUTHZ));
    cr_assert_eq(gaps(), 0);
}

Test(replicator_mesh, what_is_urgent_floods_the_mesh_once)
{
    rep_init(&mesh, "eu/a eu/b us/a");
    rep_start_all(&mesh);
    cr_assert(owner_urgent(owner_of(b, KW_OWNER_AUTHZ), "revoked"));
    REP_EVENTUALLY(&mesh, owner_of(a, KW_OWNER_AUTHZ)->urgent_count == 1 &&
                              owner_of(c, KW_OWNER_AUTHZ)->urgent_count == 1);
    cr_assert_str_eq(owner_of(c, KW_OWNER_AUTHZ)->urgents[0], "revoked");
    cr_assert_eq(owner_of(c, KW_OWNER_ORCHESTRATOR)->urgent_count, 0);
    cr_assert_eq(owner_of(a, KW_OWNER_AUTHZ)->urgents_known, 0);
}

Test(replicator_mesh, vouchers_are_told_to_peers_and_again_when_they_change)
{
    struct test_owner *heard;

    rep_init(&mesh, "eu/a eu/b us/a");
    owner_vouch(owner_of(b, KW_OWNER_AUTHZ), "b1");
    rep_start_all(&mesh);
    heard = owner_of(a, KW_OWNER_AUTHZ);
    REP_EVENTUALLY(&mesh, heard->voucher_count == 1);
    cr_assert_str_eq(heard->vouchers[0], "b1");
    owner_vouch(owner_of(b, KW_OWNER_AUTHZ), "b2");
    REP_EVENTUALLY(&mesh, heard->voucher_count == 2);
    cr_assert_str_eq(heard->vouchers[1], "b2");
    cr_assert_eq(owner_of(c, KW_OWNER_AUTHZ)->voucher_count, 0, "it is not linked with b");
    cr_assert_eq(owner_of(a, KW_OWNER_ORCHESTRATOR)->voucher_count, 0);
}

Test(replicator_mesh, a_cell_that_was_away_catches_up)
{
    rep_init(&mesh, "eu/a eu/b");
    rep_start_all(&mesh);
    owner_write(owner_of(a, KW_OWNER_AUTHZ), 3);
    REP_EVENTUALLY(&mesh, has(b, a, KW_OWNER_AUTHZ));
    rep_drain(b);
    REP_EVENTUALLY(&mesh, !kw_replicator_service_linked(a->service, &b->place));
    owner_write(owner_of(a, KW_OWNER_AUTHZ), 4);
    rep_start(b);
    REP_EVENTUALLY(&mesh, has(b, a, KW_OWNER_AUTHZ));
    cr_assert_eq(gaps(), 0);
    rep_drain(a);
    owner_write(owner_of(b, KW_OWNER_AUTHZ), 2);
    rep_start(a);
    REP_EVENTUALLY(&mesh, has(a, b, KW_OWNER_AUTHZ));
}

Test(replicator_mesh, what_a_cell_lacks_is_shown)
{
    rep_init(&mesh, "eu/a eu/b");
    rep_start_all(&mesh);
    owner_of(b, KW_OWNER_AUTHZ)->parks = true;
    owner_write(owner_of(a, KW_OWNER_AUTHZ), 7);
    REP_EVENTUALLY(&mesh, kw_metric_value(KW_M_REPLICATION_LAG, "eu/b authz") == 7);
    cr_assert_eq(kw_metric_value(KW_M_REPLICATION_LAG, "eu/b orchestrator"), 0);
    owner_unpark(owner_of(b, KW_OWNER_AUTHZ));
    REP_EVENTUALLY(&mesh, kw_metric_value(KW_M_REPLICATION_LAG, "eu/b authz") == 0);
    cr_assert_eq(kw_metric_value(KW_M_LINK_UP, "eu/b"), 1);
}
