/* Stores that become members by vouchers, and what somebody could try with them. Nodes 0 to 2 are the
 * owners authz of cells a, b and c. */
#include "common/base/metrics.h"
#include "common/feed/feed_admit.h"
#include "common/feed/feed_answer.h"
#include "common/feed/feed_join.h"
#include "common/feed/feed_ordered.h"
#include "common/feed/lane_table.h"
#include "common/feed/urgent_table.h"
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

TestSuite(feed_admit, .init = setup, .fini = teardown, .timeout = 60);

static int64_t quarantined(struct feed_node *node)
{
    return feed_number(node, "SELECT count(*) FROM feed_quarantine");
}

static void write_tag(struct feed_node *node, const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set("x"));
    feed_write(node, &record, false);
}

/* By the officer, who honours nothing of it. */
static struct kw_record fence_of(const struct feed_node *at, struct kw_id store)
{
    struct kw_order order;
    struct kw_record row;

    MUST(kw_order_decode(order_fence(at->feed.options.mesh, store, KW_BYTES_NONE, PKI_NOW_MS),
                         &order, err));
    MUST(kw_feed_order_row(&order, kw_order_of(&order, store), values_arena(), &row, err));
    return row;
}

static void fence(struct feed_node *at, const struct feed_node *of)
{
    struct kw_record row = feed_row_of(at, of);
    struct kw_record fenced = fence_of(at, of->id);
    struct kw_record both;

    MUST(kw_record_merge(&row, &fenced, values_arena(), NULL, &both, err));
    feed_put_row(at, &kw_store_record, &both);
}

/* --- becoming a member --- */

Test(feed_admit, a_store_vouches_for_itself_once)
{
    struct kw_bytes voucher = feed_vouch(a, KW_LANE_NEWS);
    struct kw_record row = feed_row_of(a, a);

    cr_assert_eq(kw_store_record_state(&row), KW_STORE_ACTIVE);
    cr_assert(kw_bytes_equal(kw_voucher_of(&row), voucher));
    cr_assert(kw_id_equal(voucher_read(voucher).incarnation, a->incarnation));
    a->wall_ms += 1000;
    cr_assert(kw_bytes_equal(feed_vouch(a, KW_LANE_KNOWN), voucher),
              "the same certificate, key and life");
    feed_node_close(a);
    feed_node_open(a);
    cr_assert(kw_bytes_equal(feed_vouch(a, KW_LANE_KNOWN), voucher));
    cr_assert_eq(feed_seq(a, a->lane), 1);
}

Test(feed_admit, a_renewed_certificate_a_new_key_and_a_new_life_are_vouched_for_anew)
{
    struct kw_bytes voucher = feed_vouch(a, KW_LANE_NEWS);
    struct voucher_owner *renewed = voucher_owner_new(voucher_ca(), "a", "authz", feed_key(0));
    struct kw_credentials before;

    a->wall_ms++;
    before = feed_owners[0]->credentials;
    feed_owners[0]->credentials = renewed->credentials;
    renewed->credentials = before;
    feed_owners[0]->trust.services = &feed_owners[0]->credentials.trust;
    cr_assert_not(kw_bytes_equal(feed_vouch(a, KW_LANE_NEWS), voucher), "renewed");
    a->wall_ms++;
    feed_owners[0]->trust.key = voucher_spki(feed_key(3));
    voucher = feed_vouch(a, KW_LANE_NEWS);
    cr_assert(kw_bytes_equal(voucher_read(voucher).key, kw_spki_bytes(&feed_owners[0]->trust.key)));
    a->wall_ms++;
    feed_new_life(a);
    voucher = feed_vouch(a, KW_LANE_NEWS);
    cr_assert(kw_id_equal(voucher_read(voucher).incarnation, a->incarnation));
}

Test(feed_admit, a_store_is_heard_once_its_voucher_was_admitted)
{
    struct kw_bytes voucher = feed_vouch(a, KW_LANE_NEWS);

    write_tag(a, "n");
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_STRANGER);
    cr_assert_eq(feed_admit(b, voucher), KW_LANE_NEWS);
    cr_assert_eq(feed_admit(b, voucher), KW_LANE_KNOWN);
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_NEWS);
    cr_assert_eq(quarantined(b), 0, "what a says of itself b knows");
    cr_assert_eq(feed_number(b, "SELECT count(*) FROM notes"), 1);
}

/* a is linked with both others, which are not linked with each other. */
Test(feed_admit, a_voucher_travels_in_the_lanes_of_whoever_admitted_it)
{
    struct kw_bytes vouchers[NODES];

    for (size_t i = 0; i < NODES; i++) {
        vouchers[i] = feed_vouch(&nodes[i], KW_LANE_NEWS);
    }
    cr_assert_eq(feed_admit(a, vouchers[1]), KW_LANE_NEWS);
    cr_assert_eq(feed_admit(a, vouchers[2]), KW_LANE_NEWS);
    cr_assert_eq(feed_admit(b, vouchers[0]), KW_LANE_NEWS);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(quarantined(b), 0);
    write_tag(c, "n");
    cr_assert_eq(feed_apply(b, feed_batch(c, c->lane, 0)), KW_LANE_NEWS);
    for (size_t i = 0; i < NODES; i++) {
        cr_assert(kw_bytes_equal(feed_row_bytes(a, &nodes[i]), feed_row_bytes(b, &nodes[i])), "%zu",
                  i);
    }
}

static struct kw_result run_join(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_join(&job->node->feed, tx, *(const struct kw_id *)job->in, err);
}

Test(feed_admit, a_store_that_joins_admits_whom_it_joins_by)
{
    struct kw_bytes voucher = feed_vouch(a, KW_LANE_NEWS);
    struct kw_record record = note("n");

    MUST(feed_do(b, run_join, &a->id, NULL, err));
    note_set(&record, NOTE_TAGS, value_set("x"));
    cr_assert_eq(feed_try_write(b, &record, false, NULL).reason, KW_E_STORE_UNAVAILABLE);
    cr_assert_eq(feed_admit(b, voucher), KW_LANE_NEWS);
    (void)feed_vouch(b, KW_LANE_NEWS);
}

/* --- what is not believed --- */

Test(feed_admit, each_reason_has_its_verdict_and_nothing_is_written)
{
    struct voucher_owner *alien =
        voucher_owner_new(voucher_callers_ca(), "a", "authz", feed_key(0));
    struct kw_bytes good = feed_made(a, a->incarnation, PKI_NOW_MS);
    struct kw_voucher said = voucher_read(good);
    const struct {
        struct kw_bytes record;
        enum kw_lane_verdict verdict;
    } cases[] = {
        {kw_bytes_str("no voucher"), KW_LANE_BROKEN},
        {KW_BYTES(good.data, good.len - 1), KW_LANE_BROKEN},
        {voucher_made(feed_owners[0], a->id, a->feed.seed, a->incarnation, PKI_NOW_MS),
         KW_LANE_OTHER_MESH},
        {voucher_made(alien, said.mesh, said.seed, said.incarnation, PKI_NOW_MS), KW_LANE_STRANGER},
        {feed_made(a, a->incarnation, PKI_NOW_MS + 10000), KW_LANE_STRANGER},
        {voucher_signed(&said, feed_key(0)), KW_LANE_UNSIGNED},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(feed_admit(b, cases[i].record), cases[i].verdict, "%zu", i);
    }
    cr_assert_eq(feed_stores(b), 0);
    cr_assert_eq(feed_admit(b, good), KW_LANE_NEWS);
}

Test(feed_admit, who_trusts_nobody_believes_no_voucher)
{
    struct kw_bytes voucher = feed_vouch(a, KW_LANE_NEWS);
    struct kw_record change;

    cr_assert_eq(feed_admit(b, voucher), KW_LANE_NEWS);
    cr_assert_eq(feed_admit(b, feed_vouch(c, KW_LANE_NEWS)), KW_LANE_NEWS);
    b->feed.options.vouchers = NULL;
    cr_assert_eq(feed_admit(b, feed_made(c, c->incarnation, PKI_NOW_MS + 1)), KW_LANE_STRANGER);
    change = feed_change_of(feed_made(c, c->incarnation, PKI_NOW_MS + 1));
    feed_write(a, &change, false);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(quarantined(b), 1);
}

/* c's owner has c's certificate, which says nothing of a store of a's, whatever seed it takes. */
Test(feed_admit, nobody_takes_another_places_id)
{
    struct kw_voucher theirs = voucher_read(feed_vouch(a, KW_LANE_NEWS));
    struct kw_bytes claim;

    cr_assert_eq(feed_admit(b, theirs.record), KW_LANE_NEWS);
    claim = voucher_made(feed_owners[2], theirs.mesh, theirs.seed, theirs.incarnation, PKI_NOW_MS);
    cr_assert_eq(feed_admit(b, claim), KW_LANE_NEWS);
    cr_assert_eq(feed_stores(b), 2, "it is a store of c's");
    theirs.chain[0] = voucher_read(claim).chain[0];
    theirs.key = voucher_read(claim).key;
    theirs.signers = voucher_read(claim).signers;
    cr_assert_eq(feed_admit(b, voucher_signed(&theirs, &feed_owners[2]->credentials.key)),
                 KW_LANE_STRANGER);
}

/* --- fences, replays --- */

Test(feed_admit, a_fenced_store_stays_fenced_whoever_brings_its_voucher)
{
    struct kw_bytes voucher = feed_vouch(c, KW_LANE_NEWS);
    struct kw_bytes before;
    struct kw_record change;

    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    cr_assert_eq(feed_admit(b, voucher), KW_LANE_NEWS);
    fence(b, c);
    before = feed_row_bytes(b, c);
    cr_assert_eq(feed_admit(b, voucher), KW_LANE_FENCED);
    cr_assert_eq(feed_admit(b, feed_made(c, c->incarnation, PKI_NOW_MS + 1)), KW_LANE_FENCED);
    cr_assert(kw_bytes_equal(feed_row_bytes(b, c), before));
    change = feed_change_of(feed_made(c, a->id, PKI_NOW_MS + 2));
    feed_write(a, &change, false);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(quarantined(b), 0, "all cells are to have the same rows");
    change = feed_row_of(b, c);
    cr_assert_eq(kw_store_record_state(&change), KW_STORE_FENCED);
    cr_assert_eq(feed_apply(b, feed_batch(c, c->lane, 0)), KW_LANE_FENCED);
}

Test(feed_admit, an_earlier_voucher_replaces_no_later_one_in_whichever_order)
{
    struct kw_bytes early = feed_made(c, c->incarnation, PKI_NOW_MS);
    struct kw_bytes late = feed_made(c, a->id, PKI_NOW_MS + 1);

    cr_assert_eq(feed_admit(a, early), KW_LANE_NEWS);
    cr_assert_eq(feed_admit(a, late), KW_LANE_NEWS);
    cr_assert_eq(feed_admit(a, early), KW_LANE_KNOWN);
    cr_assert_eq(feed_admit(b, late), KW_LANE_NEWS);
    cr_assert_eq(feed_admit(b, early), KW_LANE_NEWS, "of another life");
    cr_assert(kw_bytes_equal(feed_row_bytes(a, c), feed_row_bytes(b, c)));
}

/* --- by lanes --- */

Test(feed_admit, a_lane_says_what_a_voucher_says_and_nothing_beside_it)
{
    struct kw_bytes voucher = feed_made(c, c->incarnation, PKI_NOW_MS);
    struct kw_record changes[4];
    const size_t count = sizeof(changes) / sizeof(changes[0]);

    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    for (size_t i = 0; i < count; i++) {
        changes[i] = feed_change_of(voucher);
    }
    MUST(kw_record_set(&changes[0], &kw_store_record, KW_STORE_FIELD_STATE,
                       value_u64(KW_STORE_FENCED), err));
    MUST(kw_record_set(&changes[1], &kw_store_record, KW_STORE_FIELD_SIGNERS,
                       lane_set_of(lane_signer(feed_key(0))), err));
    MUST(kw_record_set(&changes[2], &kw_store_record, KW_STORE_FIELD_FENCE, value_vector(1, 1),
                       err));
    changes[3].key = kw_id_bytes(&b->id);
    for (size_t i = 0; i < count; i++) {
        feed_write(a, &changes[i], false);
        feed_catch_up(b, a, a->lane);
        cr_assert_eq(quarantined(b), (int64_t)i + 1, "%zu", i);
    }
    cr_assert_eq(feed_stores(b), 1);
}

/* What is judged is what was true when the lane said it, which is the same in every cell. */
Test(feed_admit, a_lane_is_believed_though_the_certificate_has_expired_since)
{
    struct kw_bytes voucher = feed_made(c, c->incarnation, PKI_NOW_MS);
    struct kw_record change = feed_change_of(voucher);

    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    feed_write(a, &change, false);
    b->wall_ms += 3 * PKI_DAY_MS;
    cr_assert_eq(feed_admit(b, voucher), KW_LANE_STRANGER, "by itself it is worth nothing now");
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(quarantined(b), 0);
    cr_assert_eq(feed_stores(b), 2);
    a->wall_ms += 3 * PKI_DAY_MS;
    change = feed_change_of(feed_made(c, b->id, PKI_NOW_MS));
    feed_write(a, &change, false);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(quarantined(b), 1, "who says it only now");
}

/* --- under our id --- */

Test(feed_admit, another_store_under_our_id_is_told_and_not_admitted)
{
    struct kw_bytes before;

    (void)feed_vouch(a, KW_LANE_NEWS);
    before = feed_row_bytes(a, a);
    cr_assert_eq(feed_admit(a, feed_made(a, b->id, PKI_NOW_MS + 1)), KW_LANE_FORK,
                 "a life that is not ours");
    feed_owners[0]->trust.key = voucher_spki(feed_key(3));
    a->feed.options.vouchers = &feed_owners[1]->trust; /* authz's, too: it signs with another key */
    cr_assert_eq(feed_admit(a, feed_made(a, a->incarnation, PKI_NOW_MS + 1)), KW_LANE_FORK,
                 "a key that is not ours");
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "fork"), 2);
    cr_assert(kw_bytes_equal(feed_row_bytes(a, a), before));
}

/* Says it to a, and a hears of it. */
static void b_says(struct kw_bytes voucher)
{
    struct kw_record change = feed_change_of(voucher);

    feed_write(b, &change, false);
    feed_catch_up(a, b, b->lane);
}

Test(feed_admit, another_store_under_our_id_is_told_when_a_lane_says_it)
{
    (void)feed_vouch(a, KW_LANE_NEWS);
    cr_assert_eq(feed_admit(a, feed_vouch(b, KW_LANE_NEWS)), KW_LANE_NEWS);
    b_says(feed_made(a, c->id, PKI_NOW_MS + 1));
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "fork"), 1);
    cr_assert_eq(quarantined(a), 0, "we sign with it: we may be a copy of who said so");
}

/* By a's certificate, for a's store, with a key that a never had. */
static struct kw_bytes with_stolen_certificate(void)
{
    struct kw_spki ours = feed_owners[0]->trust.key;
    struct kw_bytes voucher;

    feed_owners[0]->trust.key = voucher_spki(feed_key(3));
    voucher = feed_made(a, a->incarnation, PKI_NOW_MS + 1);
    feed_owners[0]->trust.key = ours;
    return voucher;
}

Test(feed_admit, no_lane_brings_a_key_into_our_row)
{
    struct kw_bytes before;

    (void)feed_vouch(a, KW_LANE_NEWS);
    cr_assert_eq(feed_admit(a, feed_vouch(b, KW_LANE_NEWS)), KW_LANE_NEWS);
    before = feed_row_bytes(a, a);
    b_says(with_stolen_certificate());
    cr_assert(kw_bytes_equal(feed_row_bytes(a, a), before));
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "fork"), 1);
    cr_assert_eq(quarantined(a), 1);
}

static struct kw_result run_row_of(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_record row = feed_change_of(*(const struct kw_bytes *)job->in);
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    enum kw_row_news news;

    KW_TRY(kw_record_encode(&row, &record, err));
    return kw_feed_take_row(&job->node->feed, tx, b->id, kw_buf_bytes(&record), job->node->wall_ms,
                            &news, err);
}

Test(feed_admit, nor_does_who_hands_rows_over)
{
    struct kw_bytes stolen = with_stolen_certificate();
    struct kw_bytes ours = feed_made(a, a->incarnation, PKI_NOW_MS + 2);
    struct kw_bytes before;

    (void)feed_vouch(a, KW_LANE_NEWS);
    before = feed_row_bytes(a, a);
    MUST(feed_do(a, run_row_of, &stolen, NULL, err));
    cr_assert(kw_bytes_equal(feed_row_bytes(a, a), before));
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "fork"), 1);
    MUST(feed_do(a, run_row_of, &ours, NULL, err));
    cr_assert_not(kw_bytes_equal(feed_row_bytes(a, a), before), "what we signed comes back");
    MUST(feed_do(c, run_row_of, &stolen, NULL, err));
    cr_assert_eq(feed_stores(c), 1, "another store's is taken, where rows are asked for");
}

/* --- when it was said --- */

/* The same batch, the clock of its last change set back. */
static struct kw_bytes set_back(struct kw_bytes record, uint64_t hlc)
{
    struct kw_lane_batch batch;
    struct kw_lane_head head;
    struct kw_buf out = {0};

    MUST(kw_lane_batch_decode(record, values_arena(), &batch, err));
    head = batch.head;
    head.point = batch.from;
    ((struct kw_change *)(uintptr_t)batch.changes)[batch.count - 1].hlc = hlc;
    for (size_t i = 0; i < batch.count; i++) {
        MUST(kw_lane_advance(&head.point, &batch.changes[i], err));
    }
    MUST(kw_lane_head_sign(&head, feed_key(0), &out, err));
    batch.head_record = value_keep(&out);
    out = (struct kw_buf){0};
    MUST(kw_lane_batch_encode(&batch, &out, err));
    return value_keep(&out);
}

/* Certificates are good for a day; a's lane is three days further on, and says a voucher as of three days ago. */
Test(feed_admit, a_lane_does_not_go_back_to_when_a_certificate_was_good)
{
    struct kw_record change = feed_change_of(feed_made(c, c->incarnation, PKI_NOW_MS));
    struct kw_bytes batch;

    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    a->wall_ms += 3 * PKI_DAY_MS;
    b->wall_ms = a->wall_ms;
    write_tag(a, "n");
    feed_catch_up(b, a, a->lane);
    feed_write(a, &change, false);
    batch = feed_batch(a, a->lane, feed_seq(b, a->lane));
    cr_assert_eq(feed_apply(b, set_back(batch, PKI_NOW_MS << 16)), KW_LANE_NEWS);
    cr_assert_eq(quarantined(b), 1);
    cr_assert_eq(feed_stores(b), 1);
    (void)feed_number(b,
                      "DELETE FROM feed_lanes WHERE role = 1 RETURNING 1"); /* it would be found */
}

/* --- how many --- */

/* By the owner of c: another store at its place. */
static struct kw_bytes one_more(uint8_t n)
{
    const struct kw_id seed = {{0x5e, n}};

    return voucher_made(feed_owners[2], c->feed.options.mesh, seed, seed, PKI_NOW_MS);
}

/* The voucher of one of them. */
static struct kw_bytes fill_place(struct feed_node *at)
{
    struct kw_bytes voucher = {0};

    for (uint8_t n = 0; n < KW_FEED_PLACE_STORES_MAX; n++) {
        voucher = one_more(n);
        cr_assert_eq(feed_admit(at, voucher), KW_LANE_NEWS, "%u", n);
    }
    return voucher;
}

Test(feed_admit, one_place_has_only_so_many_stores_until_one_is_fenced)
{
    struct kw_bytes last = fill_place(b);
    struct kw_record fenced = fence_of(b, voucher_read(last).store);

    cr_assert_eq(feed_admit(b, one_more(99)), KW_LANE_WAITS);
    cr_assert_eq(feed_stores(b), KW_FEED_PLACE_STORES_MAX);
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "waits"), 1);
    cr_assert_eq(feed_admit(b, last), KW_LANE_KNOWN);
    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS,
                 "another place has its own");
    feed_put_row(b, &kw_store_record, &fenced);
    cr_assert_eq(feed_admit(b, one_more(99)), KW_LANE_NEWS);
}

Test(feed_admit, nor_more_by_lanes)
{
    struct kw_record change = feed_change_of(one_more(99));

    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    (void)fill_place(b);
    feed_write(a, &change, false);
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(quarantined(b), 1);
    cr_assert_eq(feed_stores(b), KW_FEED_PLACE_STORES_MAX + 1);
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "waits"), 1);
}

struct filling {
    const char *place;
    unsigned lanes;
    unsigned urgents;
    bool others; /* each lane is of a place of its own */
};

static struct kw_result run_fill(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct filling *filling = job->in;
    struct kw_bytes place = kw_bytes_str(filling->place);
    struct kw_lane_row row = {.role = KW_LANE_ROLE_FOREIGN};

    for (unsigned i = 0; i < filling->lanes; i++) {
        row.id = row.store = (struct kw_id){{1, (uint8_t)(i >> 8), (uint8_t)i}};
        KW_TRY(kw_lane_row_insert(tx, &row, filling->others ? kw_id_bytes(&row.id) : place, err));
    }
    for (unsigned i = 0; i < filling->urgents; i++) {
        struct kw_lane_point point = {.seq = i + 1};

        KW_TRY(kw_urgent_row_insert(tx, row.id, place, &point, kw_bytes_str("x"), UINT32_MAX, err));
    }
    return KW_OK;
}

static void fill(const char *place, unsigned lanes, unsigned urgents)
{
    const struct filling filling = {place, lanes, urgents, *place == '\0'};

    MUST(feed_do(b, run_fill, &filling, NULL, err));
}

static void empty(void)
{
    (void)feed_number(b, "DELETE FROM feed_lanes WHERE role = 1 RETURNING 1");
    (void)feed_number(b, "DELETE FROM feed_urgents RETURNING 1");
}

Test(feed_admit, one_place_has_only_so_many_lanes_whatever_stores_it_makes_up)
{
    fill("eu/a", KW_FEED_PLACE_LANES_MAX, 0);
    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    cr_assert_eq(feed_admit(b, feed_vouch(c, KW_LANE_NEWS)), KW_LANE_NEWS);
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_WAITS);
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "feed_lanes_of_place"), 1);
    cr_assert_eq(feed_apply(b, feed_batch(c, c->lane, 0)), KW_LANE_NEWS,
                 "another place's are others");
    empty();
}

/* So all that are held are told of. */
Test(feed_admit, there_are_no_more_lanes_than_are_told_of)
{
    fill("", KW_FEED_LANES_MAX - KW_FEED_OWN_LANES - 1, 0);
    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_WAITS);
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "feed_lanes"), 1);
    feed_new_life(b);
    empty();
}

Test(feed_admit, one_place_has_only_so_many_urgent_changes)
{
    struct kw_record record = note("n");

    note_set(&record, NOTE_REMOVED, value_first(1, a->id, "gone"));
    fill("eu/a", 1, KW_FEED_URGENTS_MAX);
    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    feed_write(a, &record, true);
    cr_assert_eq(feed_apply_urgent(b, feed_urgent(a, a->lane, 0)), KW_LANE_WAITS);
    empty();
    cr_assert_eq(feed_apply_urgent(b, feed_urgent(a, a->lane, 0)), KW_LANE_NEWS);
    empty();
}

/* --- alarms --- */

Test(feed_admit, whoever_brings_bad_vouchers_does_not_fill_the_log)
{
    (void)fill_place(b);
    for (unsigned i = 0; i < KW_FEED_LOGS_PER_S + 2; i++) {
        cr_assert_eq(feed_admit(b, one_more(99)), KW_LANE_WAITS);
    }
    cr_assert_eq(kw_metric_value(KW_M_FEED_VERDICTS, "waits"), KW_FEED_LOGS_PER_S + 2);
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "feed_alarms_logged"), 2);
}

/* --- room in a row --- */

/* One more would crowd out the highest of those that are there, maybe that of a lane that goes on. */
static void expect_full(struct kw_bytes one_more)
{
    struct kw_bytes before = feed_row_bytes(b, a);

    cr_assert_eq(feed_admit(b, one_more), KW_LANE_WAITS);
    cr_assert(kw_bytes_equal(feed_row_bytes(b, a), before));
    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_KNOWN)), KW_LANE_KNOWN,
                 "it is a member as before");
}

Test(feed_admit, a_row_holds_so_many_lives_and_no_65th)
{
    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    for (uint64_t n = 1; n < KW_SET_ELEMENTS_MAX; n++) {
        cr_assert_eq(
            feed_admit(b, feed_made(a, (struct kw_id){{0xff, (uint8_t)n}}, PKI_NOW_MS - 1)),
            KW_LANE_NEWS);
    }
    expect_full(feed_made(a, (struct kw_id){{0, 1}}, PKI_NOW_MS - 1));
}

static struct kw_spki new_key(void)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};

    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    return voucher_spki(&key);
}

/* By the owner of a, with a key that it had for a while. */
static struct kw_bytes with_new_key(void)
{
    struct kw_spki ours = feed_owners[0]->trust.key;
    struct kw_bytes voucher;

    feed_owners[0]->trust.key = new_key();
    voucher = feed_made(a, a->incarnation, PKI_NOW_MS - 1);
    feed_owners[0]->trust.key = ours;
    return voucher;
}

Test(feed_admit, a_row_holds_so_many_keys_and_no_65th)
{
    cr_assert_eq(feed_admit(b, feed_vouch(a, KW_LANE_NEWS)), KW_LANE_NEWS);
    for (uint64_t n = 1; n < KW_SET_ELEMENTS_MAX; n++) {
        cr_assert_eq(feed_admit(b, with_new_key()), KW_LANE_NEWS);
    }
    expect_full(with_new_key());
}
