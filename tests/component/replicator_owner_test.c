/* A replicator and its owners: those that are away, begin anew, are slow, or say what they should not. */
#include "common/base/metrics.h"
#include "tests/support/replicator_fixture.h"

static struct rep_mesh mesh;
static struct rep_cell *const a = &mesh.cells[0], *const b = &mesh.cells[1];
static struct test_owner *const ours = &mesh.cells[0].owners[KW_OWNER_AUTHZ];
static struct test_owner *const theirs = &mesh.cells[1].owners[KW_OWNER_AUTHZ];

static void setup(void)
{
    rep_init(&mesh, "eu/a eu/b");
}

static void teardown(void)
{
    rep_done(&mesh);
}

TestSuite(replicator_owner, .init = setup, .fini = teardown, .timeout = 60);

static bool arrived(void)
{
    return owner_held(theirs, owner_lane_id(ours)) == ours->lanes[0].extent.seq;
}

static bool has(enum kw_owner kind)
{
    return kw_replicator_service_has(a->service, kind);
}

/* --- away, and back --- */

Test(replicator_owner, one_that_dies_is_missed_and_told_of_again_when_it_is_back)
{
    unsigned ready;

    rep_start_all(&mesh);
    owner_write(ours, 3);
    REP_EVENTUALLY(&mesh, arrived());
    ready = a->ready;
    rep_owner_stop(ours, &mesh);
    REP_EVENTUALLY(&mesh, !has(KW_OWNER_AUTHZ));
    cr_assert(has(KW_OWNER_ORCHESTRATOR));
    ours->lanes[0].extent.seq += 4;
    owner_start(ours);
    REP_EVENTUALLY(&mesh, a->ready > ready && arrived());
    REP_EVENTUALLY(&mesh, owner_acked(ours, theirs->store, owner_lane_id(ours)) == 7);
    cr_assert_eq(theirs->gaps, 0);
}

Test(replicator_owner, the_other_one_goes_on)
{
    struct test_owner *other = &a->owners[KW_OWNER_ORCHESTRATOR];

    rep_start_all(&mesh);
    rep_owner_stop(ours, &mesh);
    REP_EVENTUALLY(&mesh, !has(KW_OWNER_AUTHZ));
    owner_write(other, 5);
    REP_EVENTUALLY(&mesh, owner_held(&b->owners[KW_OWNER_ORCHESTRATOR], owner_lane_id(other)) == 5);
    owner_write(theirs, 2); /* nobody can judge it now; it comes again */
    owner_start(ours);
    REP_EVENTUALLY(&mesh, owner_held(ours, owner_lane_id(theirs)) == 2);
}

Test(replicator_owner, a_store_that_was_restored_is_greeted_as_what_it_is)
{
    rep_start_all(&mesh);
    owner_write(theirs, 6);
    REP_EVENTUALLY(&mesh, owner_held(ours, owner_lane_id(theirs)) == 6);
    rep_owner_stop(ours, &mesh);
    ours->lane_count = 0; /* it has nothing any more, and another id */
    ours->store.bytes[5] = 9;
    owner_start(ours);
    REP_EVENTUALLY(&mesh, owner_held(ours, owner_lane_id(theirs)) == 6);
    REP_EVENTUALLY(&mesh, owner_acked(theirs, ours->store, owner_lane_id(theirs)) == 6);
    cr_assert_geq(rep_cuts("our_owner_begins_anew"), 1);
}

static void hang_up(void)
{
    kw_hop_finish(ours->standing, &(struct kw_hop_status){.reason = KW_E_DRAINING}, KW_BYTES_NONE);
    ours->standing = NULL;
    REP_EVENTUALLY(&mesh, !has(KW_OWNER_AUTHZ));
    REP_EVENTUALLY(&mesh, has(KW_OWNER_AUTHZ));
}

Test(replicator_owner, a_standing_call_that_ends_is_made_again_and_nothing_is_begun_anew)
{
    int64_t cuts;

    rep_start_all(&mesh);
    cuts = rep_cuts("our_owner_begins_anew");
    hang_up();
    owner_write(ours, 3);
    REP_EVENTUALLY(&mesh, arrived());
    cr_assert_eq(rep_cuts("our_owner_begins_anew"), cuts);
}

Test(replicator_owner, one_of_another_mesh_ends_the_replicator)
{
    ours->mesh.bytes[0] ^= 1;
    MUST(rep_begin(a, err));
    REP_EVENTUALLY(&mesh, a->failed);
    cr_assert_eq(a->failure.reason, KW_E_CONFIG_INVALID);
    cr_assert_eq(a->ready, 0);
}

/* --- slow --- */

Test(replicator_owner, acknowledgements_that_wait_become_one)
{
    rep_start_all(&mesh);
    owner_write(ours, 1);
    REP_EVENTUALLY(&mesh, arrived() && ours->acks_told == 1);
    ours->parks = true;
    for (int i = 0; i < 10; i++) {
        owner_write(ours, 1);
        REP_EVENTUALLY(&mesh, arrived());
    }
    REP_EVENTUALLY(&mesh, ours->acks_told == 2);
    owner_unpark(ours);
    REP_EVENTUALLY(&mesh, owner_acked(ours, theirs->store, owner_lane_id(ours)) == 11);
    cr_assert_leq(ours->acks_told, 5, "one that was on its way, one for the rest; not one each");
}

Test(replicator_owner, an_acknowledgement_that_is_refused_is_not_told_again)
{
    rep_start_all(&mesh);
    ours->acks_end = KW_E_NOT_FOUND;
    owner_write(ours, 1);
    REP_EVENTUALLY(&mesh, ours->acks_told == 1);
    ours->acks_end = KW_E_NONE;
    owner_write(ours, 1);
    REP_EVENTUALLY(&mesh, owner_acked(ours, theirs->store, owner_lane_id(ours)) == 2);
    cr_assert_eq(ours->acks_told, 2);
}

Test(replicator_owner, an_acknowledgement_that_was_lost_is_told_again_when_the_owner_is_back)
{
    rep_start_all(&mesh);
    ours->acks_end = KW_E_DRAINING;
    owner_write(ours, 3);
    REP_EVENTUALLY(&mesh, ours->acks_told == 1);
    ours->acks_end = KW_E_NONE;
    hang_up();
    REP_EVENTUALLY(&mesh, ours->acks_told == 2);
    cr_assert_eq(owner_acked(ours, theirs->store, owner_lane_id(ours)), 3);
}

Test(replicator_owner, what_it_has_no_room_for_comes_again)
{
    rep_start_all(&mesh);
    theirs->wrong = OWNER_BUSY;
    owner_write(ours, 3);
    REP_EVENTUALLY(&mesh, theirs->applies > 0);
    theirs->wrong = OWNER_GOOD;
    REP_EVENTUALLY(&mesh, arrived());
    cr_assert_eq(rep_cuts("broken"), 0);
}

/* Frames keep their order, so what came before this is here. */
static void mark(uint64_t changes)
{
    struct test_owner *other = &a->owners[KW_OWNER_ORCHESTRATOR];

    owner_write(other, changes);
    REP_EVENTUALLY(&mesh, owner_held(&b->owners[KW_OWNER_ORCHESTRATOR], owner_lane_id(other)) ==
                              other->lanes[0].extent.seq);
}

/* Only so much is on its way to an owner; what is urgent goes ahead of what waits for that. */
Test(replicator_owner, what_is_urgent_does_not_wait_behind_batches)
{
    rep_start_all(&mesh);
    ours->batch = 1;
    ours->padding = KW_BATCH_LEN_MAX - 41;
    theirs->parks = true;
    owner_write(ours, 4);
    REP_EVENTUALLY(&mesh, theirs->applies * KW_BATCH_LEN_MAX >= KW_OWNER_APPLIES_LEN);
    mark(1);
    cr_assert_eq(theirs->applies, 3, "the last waits");
    cr_assert(owner_urgent(ours, "revoked"));
    mark(1);
    mark(1);
    owner_unpark(theirs);
    REP_EVENTUALLY(&mesh, theirs->urgent_count == 1 && arrived());
    cr_assert_eq(theirs->urgent_at, 4);
}

/* --- wrong --- */

/* What it says before it is understood is not carried; it is asked again, and may have thought better. */
Test(replicator_owner, one_that_is_not_understood_is_asked_again)
{
    static const enum owner_wrong wrongs[] = {OWNER_NO_NAME, OWNER_TWO_NAMES, OWNER_BAD_STORE,
                                              OWNER_GARBAGE, OWNER_BAD_PLACE};

    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        unsigned subscribed = ours->subscribed;

        ours->wrong = wrongs[i];
        MUST(rep_begin(a, err));
        REP_EVENTUALLY(&mesh, ours->subscribed >= subscribed + 2);
        ours->wrong = OWNER_GOOD;
        REP_EVENTUALLY(&mesh, has(KW_OWNER_AUTHZ));
        rep_stop(a);
    }
}

Test(replicator_owner, a_batch_that_is_not_what_was_asked_for_is_not_sent)
{
    static const enum owner_wrong wrongs[] = {OWNER_OTHER_LANE, OWNER_LONG_BATCH, OWNER_NO_FINDING,
                                              OWNER_TRIMMED};

    rep_start_all(&mesh);
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        unsigned reads = ours->reads, applies = theirs->applies;

        ours->wrong = wrongs[i];
        owner_write(ours, 1);
        REP_EVENTUALLY(&mesh, ours->reads >= reads + 2);
        cr_assert_eq(theirs->applies, applies, "row %zu", i);
        ours->wrong = OWNER_GOOD;
        REP_EVENTUALLY(&mesh, arrived());
    }
    cr_assert_geq(kw_metric_value(KW_M_REPLICATION_TRIMMED, "authz"), 2);
}

Test(replicator_owner, a_verdict_that_is_none_is_no_verdict)
{
    static const enum owner_wrong wrongs[] = {OWNER_NO_VERDICT, OWNER_NO_EXTENT};

    rep_start_all(&mesh);
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        unsigned applies = theirs->applies;

        theirs->wrong = wrongs[i];
        owner_write(ours, 1);
        REP_EVENTUALLY(&mesh, theirs->applies > applies);
        theirs->wrong = OWNER_GOOD;
        REP_EVENTUALLY(&mesh, owner_acked(ours, theirs->store, owner_lane_id(ours)) == i + 1);
    }
    cr_assert_eq(rep_cuts("a_frame_was_not_sent"), 0, "nothing is answered by guesses");
}
