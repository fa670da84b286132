/* Freshness of what an owner holds: node 0 is of region eu, node 1 of us. */
#include "common/feed/feed_freshness.h"

#include "common/feed/feed_admit.h"
#include "tests/support/feed_fixture.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/lane_order.h"
#include "tests/support/lane_voucher.h"
#include "tests/support/must.h"

#define NODES 2
#define ARENA (8U << 20)

static struct feed_node nodes[NODES];
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];
static struct voucher_owner *owners[NODES];

static void setup(void)
{
    owners[0] = voucher_owner_in("eu", "a", feed_key(0));
    owners[1] = voucher_owner_in("us", "a", feed_key(1));
    for (unsigned i = 0; i < NODES; i++) {
        feed_node_init_vouched(&nodes[i], i, &owners[i]->trust, PKI_NOW_MS);
    }
}

static void teardown(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        feed_node_done(&nodes[i]);
    }
}

TestSuite(feed_freshness, .init = setup, .fini = teardown, .timeout = 60);

static struct kw_result run_freshness(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_freshness(&job->node->feed, tx, job->node->wall_ms, job->out, err);
}

static struct kw_freshness freshness(struct feed_node *node)
{
    struct kw_freshness found = {0};

    MUST(feed_look(node, run_freshness, NULL, &found, err));
    return found;
}

static void free_arena(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

static struct kw_result run_admit(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA);

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena");
    return kw_feed_admit(&job->node->feed, tx, *(const struct kw_bytes *)job->in,
                         job->node->wall_ms, arena, job->out, err);
}

static void admit(struct feed_node *node, const struct feed_node *of)
{
    struct kw_bytes voucher = voucher_made(owners[of->number], of->feed.options.mesh, of->feed.seed,
                                           of->incarnation, of->wall_ms);
    enum kw_lane_verdict verdict;

    MUST(feed_do(node, run_admit, &voucher, &verdict, err));
    cr_assert_eq(verdict, KW_LANE_NEWS);
}

Test(feed_freshness, a_promise_makes_fresh_and_silence_does_not)
{
    cr_assert_eq(freshness(a).age_ms, 0, "alone");
    admit(a, a);
    cr_assert_eq(freshness(a).age_ms, 0);
    admit(a, b);
    cr_assert_eq(freshness(a).age_ms, KW_FRESHNESS_NEVER);
    cr_assert_eq(feed_apply(a, feed_sealed(b)), KW_LANE_KNOWN);
    cr_assert_eq(freshness(a).age_ms, 0);
    cr_assert(kw_id_equal(freshness(a).store, b->id));
    a->wall_ms += 1234;
    cr_assert_eq(freshness(a).age_ms, 1234);
    b->wall_ms += 1000;
    cr_assert_eq(feed_apply(a, feed_sealed(b)), KW_LANE_KNOWN);
    cr_assert_eq(freshness(a).age_ms, 234);
}

/* Else whoever's clock was an hour ahead once could be cut off for an hour, and nobody would know. */
Test(feed_freshness, a_promise_of_a_clock_ahead_grows_old_from_when_it_came)
{
    struct kw_bytes sealed;

    admit(a, b);
    b->wall_ms += 3600000;
    sealed = feed_sealed(b);
    cr_assert_eq(feed_apply(a, sealed), KW_LANE_KNOWN);
    cr_assert_eq(freshness(a).age_ms, 0);
    a->wall_ms += 1234;
    cr_assert_eq(freshness(a).age_ms, 1234);
    cr_assert_eq(feed_apply(a, sealed), KW_LANE_KNOWN);
    cr_assert_eq(freshness(a).age_ms, 1234, "the same is no news");
    b->wall_ms += 1;
    cr_assert_eq(feed_apply(a, feed_sealed(b)), KW_LANE_KNOWN);
    cr_assert_eq(freshness(a).age_ms, 0, "a newer one is");
}

/* Node `at` has heard that nothing is open before the life that `of` is in. */
static void settle(struct feed_node *at, struct feed_node *of)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&of->id)};
    struct kw_id life = feed_lane(of, of->lane).lane.incarnation;

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_SETTLED,
                       lane_set_of(kw_id_bytes(&life)), err));
    feed_write(at, &row, false);
}

Test(feed_freshness, a_new_life_is_waited_for_and_the_last_one_is_not)
{
    admit(a, b);
    cr_assert_eq(feed_apply(a, feed_sealed(b)), KW_LANE_KNOWN);
    a->wall_ms += 5000;
    b->wall_ms += 5000;
    feed_new_life(b);
    admit(a, b);
    cr_assert_eq(freshness(a).age_ms, KW_FRESHNESS_NEVER);
    cr_assert_eq(feed_apply(a, feed_sealed(b)), KW_LANE_KNOWN);
    cr_assert_eq(freshness(a).age_ms, KW_FRESHNESS_NEVER, "its past is open");
    settle(a, b);
    cr_assert_eq(freshness(a).age_ms, 0);
}

Test(feed_freshness, a_fenced_store_is_not_waited_for)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&b->id)};

    admit(a, b);
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    feed_write(a, &row, false);
    cr_assert_eq(freshness(a).age_ms, 0);
    cr_assert(kw_id_is_none(freshness(a).store));
}

static void fence(struct feed_node *node, const struct feed_node *of, uint64_t seq)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&of->id)};

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_FENCE, order_honours(of->lane, seq),
                       err));
    feed_write(node, &row, false);
}

/* What it had revoked may be among what is honoured, and is in force only once that is here. */
Test(feed_freshness, a_fenced_store_is_waited_for_until_what_is_honoured_of_it_is_here)
{
    struct kw_record record = note("n");

    admit(a, b);
    cr_assert_eq(feed_apply(a, feed_sealed(b)), KW_LANE_KNOWN);
    note_set(&record, NOTE_REMOVED, value_first(PKI_NOW_MS, b->id, "gone"));
    feed_write(b, &record, true);
    fence(a, b, 1);
    a->wall_ms += 40000;
    cr_assert_eq(freshness(a).age_ms, 40000);
    cr_assert(kw_id_equal(freshness(a).store, b->id));
    feed_catch_up(a, b, b->lane);
    cr_assert_eq(freshness(a).age_ms, 0);
    cr_assert(kw_id_is_none(freshness(a).store));
}

Test(feed_freshness, who_is_fenced_knows_nothing_of_others)
{
    admit(a, a);
    admit(a, b);
    cr_assert_eq(feed_apply(a, feed_sealed(b)), KW_LANE_KNOWN);
    cr_assert_eq(freshness(a).age_ms, 0);
    fence(a, a, 1);
    cr_assert_eq(freshness(a).age_ms, KW_FRESHNESS_NEVER);
    cr_assert(kw_id_equal(freshness(a).store, a->id));
}

/* Who can't say how old it is refuses as if it were too old. */
Test(feed_freshness, a_damaged_row_is_an_error)
{
    struct kw_freshness found;

    admit(a, b);
    (void)feed_number(a, "UPDATE feed_records SET record = key WHERE kind = 1 RETURNING 1");
    cr_assert_eq(feed_look(a, run_freshness, NULL, &found, NULL).reason, KW_E_INTERNAL);
}
