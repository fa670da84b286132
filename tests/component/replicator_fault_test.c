/* Each place of the replicator fails once: while it starts, while it carries, while links and owners come and
 * go. What is left is taken apart, leaks nothing, and what was to be carried arrives all the same. */
#include "tests/support/faults.h"
#include "tests/support/replicator_fixture.h"

#include <stdio.h>

#define SCOPE "services/replicator/"

static struct rep_mesh mesh;
static struct rep_cell *const a = &mesh.cells[0], *const b = &mesh.cells[1];

static void setup(void)
{
    rep_init(&mesh, "eu/a eu/b");
}

static void teardown(void)
{
    rep_done(&mesh);
}

TestSuite(replicator_fault, .init = setup, .fini = teardown, .timeout = 600);

/* False: nothing failed in it. */
static bool start_failing(void)
{
    struct kw_result result;
    struct kw_error error = {0};
    bool fired;

    a->service = NULL;
    faults_arm_at(SCOPE);
    result = rep_begin(a, &error);
    fired = faults_disarm();
    cr_assert(kw_ok(result) || fired, "%s", error.message);
    if (a->service != NULL) {
        rep_stop(a);
    }
    return fired;
}

Test(replicator_fault, every_place_of_the_start_fails_and_is_taken_apart)
{
    unsigned fired = 0;

    while (start_failing()) {
        fired++;
    }
    cr_assert_gt(fired, 20, "%u places", fired);
    rep_start(a);
}

/* --- carrying --- */

static bool arrived(const struct test_owner *from, const struct test_owner *to)
{
    return owner_held(to, owner_lane_id(from)) == from->lanes[0].extent.seq;
}

static bool all_arrived(void)
{
    for (int kind = 0; kind < KW_OWNER_COUNT_; kind++) {
        if (!arrived(&a->owners[kind], &b->owners[kind]) ||
            !arrived(&b->owners[kind], &a->owners[kind])) {
            return false;
        }
    }
    return true;
}

static void write_all(unsigned round)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "urgent %u", round);
    for (int kind = 0; kind < KW_OWNER_COUNT_; kind++) {
        owner_write(&a->owners[kind], 1);
        owner_write(&b->owners[kind], 1);
    }
    if (a->owners[0].standing != NULL) {
        (void)owner_urgent(&a->owners[0], text);
    }
}

/* As owners do all the time. */
static void beat(void)
{
    static uint64_t closed;

    closed++;
    for (int kind = 0; kind < KW_OWNER_COUNT_; kind++) {
        owner_promise(&a->owners[kind], closed);
        owner_promise(&b->owners[kind], closed);
    }
}

static void settle(void)
{
    uint64_t end_ns = kw_clock_mono_ns() + REP_PATIENCE_NS;

    while (!all_arrived()) {
        for (int i = 0; i < 20 && !all_arrived(); i++) {
            rep_turn(&mesh);
        }
        beat();
        REQUIRE(kw_clock_mono_ns() < end_ns, "not everywhere after 20 s: %s had failed",
                kw_fault_plan()->last);
    }
}

/* Something happens to links, or to an owner, so that their beginning fails too. */
static void disturb(unsigned round)
{
    static const char *const vouchers[] = {"one", "two"};

    if (round % 3 == 0 && b->owners[0].standing != NULL) {
        kw_hop_finish(b->owners[0].standing, &(struct kw_hop_status){.reason = KW_E_DRAINING},
                      KW_BYTES_NONE);
        b->owners[0].standing = NULL;
    }
    if (round % 3 == 1) {
        rep_owner_stop(&b->owners[1], &mesh);
        owner_start(&b->owners[1]);
    }
    if (round % 3 == 2) {
        owner_vouch(&a->owners[1], vouchers[round % 2]);
    }
}

Test(replicator_fault, whatever_fails_once_all_changes_arrive)
{
    unsigned fired = 0, quiet = 0;

    a->owners[0].padding = KW_BODY_LEN_MAX; /* in pieces */
    rep_start_all(&mesh);
    for (unsigned round = 0; quiet < 9; round++) {
        faults_arm_at(SCOPE);
        disturb(round);
        write_all(round);
        settle();
        quiet = faults_disarm() ? 0 : quiet + 1;
        fired += quiet == 0;
    }
    cr_assert_gt(fired, 30, "%u places", fired);
    REP_EVENTUALLY(&mesh, rep_linked(a, b));
}
