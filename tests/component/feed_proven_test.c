/* What of a row of `stores` is believed that another store hands over. Nodes 0 to 2 are the owners authz of cells a, b and
 * c; b hands rows over, to one that joins or repairs, and may be in wrong hands. */
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/feed/feed_answer.h"
#include "common/feed/feed_holdings.h"
#include "common/feed/feed_ordered.h"
#include "common/sync/grow_set.h"
#include "tests/support/feed_vouchers.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/lane_order.h"
#include "tests/support/must.h"

#define NODES 3

static struct feed_node nodes[NODES];
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];
static struct feed_node *const c = &nodes[2];

static void setup(void)
{
    static const char *const cells[NODES] = {"a", "b", "c"};

    feed_owners_init(nodes, cells, NODES);
}

static void teardown(void)
{
    feed_nodes_done(nodes, NODES);
}

TestSuite(feed_proven, .init = setup, .fini = teardown, .timeout = 60);

static struct kw_bytes encoded(const struct kw_record *row)
{
    struct kw_buf record = {0};

    MUST(kw_record_encode(row, &record, err));
    return value_keep(&record);
}

static struct kw_result run_take_row(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_take_row(&job->node->feed, tx, b->id, *(const struct kw_bytes *)job->in,
                            job->node->wall_ms, job->out, err);
}

static enum kw_row_news hand_over(struct feed_node *to, const struct kw_record *row)
{
    struct kw_bytes record = encoded(row);
    enum kw_row_news news;

    MUST(feed_do(to, run_take_row, &record, &news, err));
    return news;
}

static struct kw_record with(struct kw_record row, uint8_t field, struct kw_bytes value)
{
    MUST(kw_record_set(&row, &kw_store_record, field, value, err));
    return row;
}

/* Keys, a life and a place for c's store, and that nothing is open of it. */
Test(feed_proven, who_hands_rows_over_says_of_a_store_what_its_voucher_says_and_no_more)
{
    struct kw_record good = feed_change_of(feed_vouch(c, KW_LANE_NEWS));
    const struct kw_record rows[] = {
        with(good, KW_STORE_FIELD_SIGNERS, lane_set_of(lane_signer(feed_key(1)))),
        with(good, KW_STORE_FIELD_INCARNATIONS, lane_set_of(kw_id_bytes(&b->id))),
        with(good, KW_STORE_FIELD_SETTLED, lane_set_of(kw_id_bytes(&c->incarnation))),
        with(good, KW_STORE_FIELD_PLACE, kw_bytes_str("aa/a")),
        with(good, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED)),
        with(good, KW_STORE_FIELD_STATE, value_u64(9)),
        with(good, KW_STORE_FIELD_FENCE, order_honours(c->lane, 9)),
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(hand_over(a, &rows[i]), i == 0 ? KW_ROW_NEWS : KW_ROW_KNOWN, "%zu", i);
        cr_assert(kw_bytes_equal(feed_row_bytes(a, c), encoded(&good)), "%zu", i);
    }
    cr_assert_eq(feed_number(a, "SELECT count(*) FROM feed_quarantine"), 0);
}

/* Else freshness would wait for it, and nothing be trimmed. */
Test(feed_proven, who_hands_rows_over_makes_up_no_store)
{
    struct kw_record made_up = feed_change_of(feed_made(c, c->incarnation, PKI_NOW_MS));
    struct kw_record unsaid = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&c->id)};
    struct kw_voucher voucher = voucher_read(feed_made(c, c->incarnation, PKI_NOW_MS));

    made_up.key = kw_id_bytes(&b->lane);
    cr_assert_eq(hand_over(a, &made_up), KW_ROW_KNOWN, "under another id");
    unsaid = with(unsaid, KW_STORE_FIELD_PLACE, kw_bytes_str("eu/c"));
    unsaid = with(unsaid, KW_STORE_FIELD_STATE, value_u64(KW_STORE_ACTIVE));
    cr_assert_eq(hand_over(a, &unsaid), KW_ROW_KNOWN, "without a voucher");
    made_up = feed_change_of(voucher_signed(&voucher, feed_key(1)));
    cr_assert_eq(hand_over(a, &made_up), KW_ROW_KNOWN, "by a key that is not the certificate's");
    cr_assert_eq(feed_stores(a), 0);
}

/* Who joins late is told of who fell silent when that one's certificate was still good: it is a member. */
Test(feed_proven, a_voucher_in_a_row_was_good_when_it_was_issued)
{
    struct kw_record row = feed_change_of(feed_made(c, c->incarnation, PKI_NOW_MS));
    struct kw_record ahead = feed_change_of(feed_made(c, c->incarnation, PKI_NOW_MS + 10000));

    cr_assert_eq(hand_over(a, &ahead), KW_ROW_KNOWN, "of the future");
    a->wall_ms += 400 * PKI_DAY_MS;
    cr_assert_eq(hand_over(a, &row), KW_ROW_NEWS);
    cr_assert_eq(feed_stores(a), 1);
    row = feed_change_of(feed_made(c, c->incarnation, PKI_NOW_MS + 2 * PKI_DAY_MS));
    cr_assert_eq(hand_over(a, &row), KW_ROW_KNOWN, "issued when it was good no more");
}

Test(feed_proven, who_hands_over_what_nothing_proves_does_not_fill_the_log)
{
    struct kw_record unsaid = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&c->id)};

    unsaid = with(unsaid, KW_STORE_FIELD_PLACE, kw_bytes_str("eu/c"));
    for (unsigned i = 0; i < KW_FEED_LOGS_PER_S + 2; i++) {
        cr_assert_eq(hand_over(a, &unsaid), KW_ROW_KNOWN, "%u", i);
    }
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "feed_alarms_logged"), 2);
}

Test(feed_proven, a_place_is_not_overfilled_by_rows_either)
{
    struct kw_record row;

    for (uint8_t n = 0; n <= KW_FEED_PLACE_STORES_MAX; n++) {
        const struct kw_id seed = {{0x5e, n}};

        row = feed_change_of(
            voucher_made(feed_owners[2], c->feed.options.mesh, seed, seed, PKI_NOW_MS));
        cr_assert_eq(hand_over(a, &row), n < KW_FEED_PLACE_STORES_MAX ? KW_ROW_NEWS : KW_ROW_KNOWN,
                     "%u", n);
    }
    cr_assert_eq(feed_stores(a), KW_FEED_PLACE_STORES_MAX);
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "waits"), 1);
}

/* What c was, and is, by its voucher alone: with the earlier key and life its old lane is heard, too. */
Test(feed_proven, the_latest_voucher_proves_all_keys_and_lives)
{
    struct kw_bytes voucher;
    struct kw_record row;

    (void)feed_vouch(c, KW_LANE_NEWS);
    c->wall_ms++;
    feed_new_life(c);
    feed_owners[2]->trust.key = voucher_spki(feed_key(3));
    voucher = feed_vouch(c, KW_LANE_NEWS);
    row = feed_change_of(voucher);
    cr_assert_eq(hand_over(a, &row), KW_ROW_NEWS);
    cr_assert(kw_bytes_equal(feed_row_bytes(a, c), feed_row_bytes(c, c)));
    cr_assert_eq(kw_set_count(kw_record_value(&row, KW_STORE_FIELD_INCARNATIONS)), 2);
    cr_assert_eq(kw_set_count(kw_record_value(&row, KW_STORE_FIELD_SIGNERS)), 2);
}

static struct kw_bytes lives_of(struct kw_id one, struct kw_id other, struct kw_id third)
{
    struct kw_bytes set = lane_set_of(kw_id_bytes(&one));

    MUST(kw_set_join(set, lane_set_of(kw_id_bytes(&other)), KW_SET_ELEMENTS_MAX, values_arena(),
                     &set, err));
    MUST(kw_set_join(set, lane_set_of(kw_id_bytes(&third)), KW_SET_ELEMENTS_MAX, values_arena(),
                     &set, err));
    return set;
}

/* c was set back: its latest voucher does not name a life that the officer honours. */
Test(feed_proven, an_order_proves_the_lives_whose_lanes_it_honours)
{
    struct kw_record row = feed_change_of(feed_made(c, c->incarnation, PKI_NOW_MS));
    struct kw_lane later = {.mesh = c->feed.options.mesh, .store = c->id, .incarnation = b->id};
    struct kw_id lane;
    struct kw_order order;
    struct kw_record fenced;

    MUST(kw_lane_id(&later, &lane, err));
    MUST(kw_order_decode(order_fence(later.mesh, c->id, order_honours(lane, 3), PKI_NOW_MS), &order,
                         err));
    MUST(kw_feed_order_row(&order, kw_order_of(&order, c->id), values_arena(), &fenced, err));
    MUST(kw_record_merge(&row, &fenced, values_arena(), NULL, &row, err));
    row = with(row, KW_STORE_FIELD_INCARNATIONS, lives_of(a->id, b->id, c->incarnation));
    cr_assert_eq(hand_over(a, &row), KW_ROW_NEWS);
    row = feed_row_of(a, c);
    cr_assert(kw_store_record_honours(&row, lane, 3));
    cr_assert(kw_set_has(kw_record_value(&row, KW_STORE_FIELD_INCARNATIONS), kw_id_bytes(&b->id)));
    cr_assert_not(
        kw_set_has(kw_record_value(&row, KW_STORE_FIELD_INCARNATIONS), kw_id_bytes(&a->id)));
}

/* --- in the place of a damaged row --- */

static struct kw_result run_damage(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;

    (void)job;
    KW_TRY(kw_sql(tx, "UPDATE feed_records SET digest = zeroblob(32) WHERE kind = 1 AND key = $1",
                  &stmt, err));
    kw_bind_id(stmt, 1, &c->id);
    return kw_exec(stmt, NULL, err);
}

/* c is fenced, and its row came by a snapshot: no change of it is here. */
Test(feed_proven, no_damaged_row_gives_way_to_one_of_which_nothing_is_proven)
{
    struct kw_record nothing = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&c->id)};
    struct kw_record good = feed_change_of(feed_made(c, c->incarnation, PKI_NOW_MS));
    struct kw_order order;
    struct kw_record fenced;
    struct kw_bytes record;
    enum kw_row_news news;

    MUST(kw_order_decode(
        order_fence(c->feed.options.mesh, c->id, order_honours(c->lane, 3), PKI_NOW_MS), &order,
        err));
    MUST(kw_feed_order_row(&order, kw_order_of(&order, c->id), values_arena(), &fenced, err));
    MUST(kw_record_merge(&good, &fenced, values_arena(), NULL, &good, err));
    cr_assert_eq(hand_over(a, &good), KW_ROW_NEWS);
    MUST(feed_do(a, run_damage, NULL, NULL, err));
    nothing = with(nothing, KW_STORE_FIELD_PLACE, kw_bytes_str("eu/c"));
    record = encoded(&nothing);
    cr_assert_eq(feed_do(a, run_take_row, &record, &news, NULL).reason, KW_E_INTERNAL);
    cr_assert_eq(feed_stores(a), 1);
    cr_assert_eq(hand_over(a, &good), KW_ROW_MENDED, "it is still known as damaged");
    good = feed_row_of(a, c);
    cr_assert_eq(kw_store_record_state(&good), KW_STORE_FENCED);
}

/* --- a life that is settled --- */

static struct kw_result run_holdings(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    bool said;

    return kw_feed_say_holdings(&job->node->feed, tx, job->node->wall_ms, &said, err);
}

/* All that a said in its last life b holds, and says so. */
static void b_tells_a(struct kw_id last)
{
    feed_catch_up(b, a, last);
    feed_catch_up(b, a, a->lane);
    MUST(feed_do(b, run_holdings, NULL, NULL, err));
    feed_catch_up(a, b, b->lane);
    feed_ack_from(a, b, "eu/b", a->lane, feed_seq(b, a->lane));
}

static bool is_settled(struct feed_node *at)
{
    struct kw_record row = feed_row_of(at, a);

    return kw_set_has(kw_record_value(&row, KW_STORE_FIELD_SETTLED), kw_id_bytes(&a->incarnation));
}

/* So that who joins later knows it, and a lane alone can't say it. */
Test(feed_proven, a_life_that_is_settled_is_said_by_a_voucher)
{
    struct kw_id last = a->lane;
    struct kw_record row;

    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    cr_assert_eq(feed_admit(a, feed_vouch(b, KW_LANE_NEWS)), KW_LANE_NEWS);
    feed_new_life(a);
    a->wall_ms++;
    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    (void)feed_sealed(a);
    cr_assert_not(a->feed.unvouched, "b has not said how far it holds the last life");
    b_tells_a(last);
    (void)feed_sealed(a);
    cr_assert(a->feed.unvouched);
    cr_assert_not(is_settled(a), "not before a voucher says so");
    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    cr_assert(is_settled(a));
    cr_assert(is_settled(b));
    (void)feed_sealed(a);
    cr_assert_not(a->feed.unvouched);
    row = feed_row_of(b, a);
    cr_assert_eq(hand_over(c, &row), KW_ROW_NEWS);
    cr_assert(is_settled(c));
}

Test(feed_proven, no_lane_says_it_by_itself)
{
    struct kw_record change = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&a->id)};

    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    change = with(change, KW_STORE_FIELD_SETTLED, lane_set_of(kw_id_bytes(&a->incarnation)));
    feed_write(a, &change, false);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM feed_quarantine"), 1);
    cr_assert_not(is_settled(b));
}

/* It was set back, and hears of a life that it does not know. */
Test(feed_proven, who_hears_of_a_life_of_its_own_vouches_for_it)
{
    const struct kw_id unknown = {{0x1c, 9}};
    struct kw_record row;
    struct kw_voucher voucher;

    (void)feed_vouch(a, KW_LANE_NEWS);
    row = feed_change_of(feed_made(a, unknown, PKI_NOW_MS - 1));
    cr_assert_eq(hand_over(a, &row), KW_ROW_NEWS);
    (void)feed_sealed(a);
    cr_assert(a->feed.unvouched);
    voucher = voucher_read(feed_vouch(a, KW_LANE_NEWS));
    cr_assert(kw_set_has(voucher.lives, kw_id_bytes(&unknown)));
    cr_assert(kw_id_equal(voucher.incarnation, a->incarnation));
    cr_assert_gt(voucher.issued_ms, PKI_NOW_MS, "in the same millisecond, and later");
    (void)feed_sealed(a);
    cr_assert_not(a->feed.unvouched);
}
