/* What officers order of stores, and what somebody could try with that. Node 0 is ordered about by its rows; nodes 1
 * and 2 hear of it. */
#include "common/base/codec.h"
#include "common/base/metrics.h"
#include "common/feed/feed_answer.h"
#include "common/feed/feed_members.h"
#include "common/feed/feed_order.h"
#include "common/feed/feed_ordered.h"
#include "tests/support/feed_vouchers.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/lane_order.h"
#include "tests/support/must.h"

#include <stdio.h>

#define NODES 3
#define ARENA (8U << 20)

static struct feed_node nodes[NODES];
static struct feed_node *const a = &nodes[0];
static struct feed_node *const b = &nodes[1];
static struct feed_node *const c = &nodes[2];

static void setup(void)
{
    feed_nodes_init(nodes, NODES);
    for (unsigned i = 0; i < NODES; i++) {
        nodes[i].feed.options.orders = order_trust();
    }
}

static void teardown(void)
{
    feed_nodes_done(nodes, NODES);
}

TestSuite(feed_order, .init = setup, .fini = teardown, .timeout = 60);

/* --- jobs --- */

static void free_arena(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

static struct kw_result run_obey(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA);
    const struct kw_feed_tx feed_tx = {&job->node->feed, tx, arena, job->node->wall_ms};

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena");
    return kw_feed_obey(&feed_tx, *(const struct kw_bytes *)job->in, false, job->out, err);
}

static struct kw_result run_try(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA);
    const struct kw_feed_tx feed_tx = {&job->node->feed, tx, arena, job->node->wall_ms};

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena");
    return kw_feed_obey(&feed_tx, *(const struct kw_bytes *)job->in, true, job->out, err);
}

static enum kw_reason try_obey(struct feed_node *node, struct kw_bytes order)
{
    struct kw_feed_obeyed obeyed;

    return feed_do(node, run_obey, &order, &obeyed, NULL).reason;
}

static struct kw_feed_obeyed obey(struct feed_node *node, struct kw_bytes order)
{
    struct kw_feed_obeyed obeyed = {0};

    MUST(feed_do(node, run_obey, &order, &obeyed, err));
    return obeyed;
}

static struct kw_bytes fence_of(const struct feed_node *of, uint64_t seq, uint64_t issued_ms)
{
    return order_fence(a->feed.options.mesh, of->id, order_honours(of->lane, seq), issued_ms);
}

static struct kw_bytes cut_of(const struct feed_node *of, uint64_t issued_ms)
{
    return order_cut(a->feed.options.mesh, of->id, issued_ms);
}

static struct kw_bytes drain_of(const struct feed_node *of, uint64_t issued_ms)
{
    return order_drain(a->feed.options.mesh, of->id, of->incarnation, issued_ms);
}

static bool is_fenced(struct feed_node *node, const struct feed_node *of)
{
    struct kw_record row = feed_row_of(node, of);

    return kw_store_record_state(&row) == KW_STORE_FENCED;
}

struct members {
    struct kw_feed_member *list;
    size_t count;
};

static struct kw_result run_members(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct members *members = job->out;

    return kw_feed_members(tx, values_arena(), &members->list, &members->count, err);
}

static struct kw_result run_awaited(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct members *members = job->out;

    KW_TRY(run_members(job, tx, err));
    return kw_feed_awaited(tx, values_arena(), members->list, &members->count, err);
}

/* Is one that is fenced waited for? */
static bool is_awaited(struct feed_node *node)
{
    struct members members = {0};
    struct members awaited = {0};

    MUST(feed_look(node, run_members, NULL, &members, err));
    MUST(feed_look(node, run_awaited, NULL, &awaited, err));
    return awaited.count > members.count;
}

/* 0: it is none. */
static uint64_t state_of(struct feed_node *node, const struct feed_node *of)
{
    struct members members = {0};

    MUST(feed_look(node, run_members, NULL, &members, err));
    for (size_t i = 0; i < members.count; i++) {
        if (kw_id_equal(members.list[i].store, of->id)) {
            return members.list[i].state;
        }
    }
    return 0;
}

struct listed {
    struct kw_bytes place;
    struct members stores;
};

static struct kw_result run_stores_at(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct listed *listed = job->out;

    return kw_feed_stores_at(tx, values_arena(), listed->place, &listed->stores.list,
                             &listed->stores.count, err);
}

static struct members stores_at(struct feed_node *node, const char *place)
{
    struct listed listed = {.place = kw_bytes_str(place)};

    MUST(feed_look(node, run_stores_at, NULL, &listed, err));
    return listed.stores;
}

/* So many that are fenced, before all others by id. */
static void put_fenced(struct feed_node *node, const char *place, unsigned count)
{
    struct kw_record row = feed_store_row(a);
    uint8_t key[KW_ID_LEN] = {0};

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_PLACE, kw_bytes_str(place), err));
    row.key = KW_BYTES_OF(key);
    for (unsigned i = 0; i < count; i++) {
        kw_be64_store(key, i);
        feed_put_row(node, &kw_store_record, &row);
    }
}

static int64_t quarantined(struct feed_node *node)
{
    return feed_number(node, "SELECT count(*) FROM feed_quarantine");
}

static void tag(struct feed_node *node, const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set("x"));
    feed_write(node, &record, false);
}

/* --- which there are --- */

Test(feed_order, where_more_are_fenced_than_there_is_room_for_all_others_are_listed)
{
    struct members all;

    put_fenced(b, "r9/z", KW_VECTOR_STORES_MAX);
    all = stores_at(b, "");
    cr_assert_eq(all.count, KW_VECTOR_STORES_MAX);
    for (unsigned i = 0; i < NODES; i++) {
        size_t at = 0;

        while (at < all.count && !kw_id_equal(all.list[at].store, nodes[i].id)) {
            at++;
        }
        cr_assert(at < all.count, "node %u", i);
    }
    cr_assert_eq(stores_at(b, "r9/z").count, KW_VECTOR_STORES_MAX - NODES);
    cr_assert_eq(stores_at(b, "r9/y").count, 0);
}

static struct kw_result run_members_in_little(struct feed_job *job, struct kw_tx *tx,
                                              struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_feed_member *list;
    struct kw_result result = kw_feed_members(tx, arena, &list, job->out, err);

    kw_arena_free(arena);
    return result;
}

/* Nobody ever takes their rows away. */
Test(feed_order, however_many_stores_were_fenced_a_request_has_room_for_members)
{
    enum {
        VOUCHER = 30000,
    };
    static char voucher[VOUCHER + 1];
    struct kw_record row = feed_store_row(a);
    uint8_t key[KW_ID_LEN] = {0};
    size_t count = 0;

    (void)memset(voucher, 'v', VOUCHER);
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_VOUCHER, value_lww(1, a->id, voucher),
                       err));
    row.key = KW_BYTES_OF(key);
    for (unsigned i = 0; i < KW_REQUEST_ARENA_MAX / VOUCHER + 1; i++) {
        kw_be64_store(key, i);
        feed_put_row(b, &kw_store_record, &row);
    }
    MUST(feed_look(b, run_members_in_little, NULL, &count, err));
    cr_assert_eq(count, NODES);
}

/* --- what it does --- */

Test(feed_order, a_fence_travels_ahead_of_its_lane_and_is_in_force_where_it_is_heard)
{
    struct kw_bytes order;

    tag(a, "one");
    tag(b, "before");
    feed_catch_up(b, a, a->lane);
    order = fence_of(a, 1, FEED_WALL);
    cr_assert_eq(obey(b, order).changed, 1);
    cr_assert(is_fenced(b, a));
    cr_assert_eq(feed_apply_urgent(c, feed_urgent(b, b->lane, 1)), KW_LANE_NEWS);
    cr_assert(is_fenced(c, a), "ahead of what b said before");
    cr_assert_eq(quarantined(c), 0);
    feed_catch_up(c, b, b->lane);
    feed_catch_up(c, b, a->lane);
    cr_assert_eq(feed_seq(c, a->lane), 1, "what is honoured of it still comes");
    tag(a, "two");
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 1)), KW_LANE_FENCED);
    cr_assert_eq(feed_apply(c, feed_batch(a, a->lane, 1)), KW_LANE_FENCED);
}

Test(feed_order, it_is_obeyed_once_and_wherever_it_is_handed_in)
{
    struct kw_bytes order = fence_of(a, 0 + 1, FEED_WALL);
    struct kw_bytes before;
    KW_SCOPED(kw_buf_done) struct kw_buf row = {0};
    struct kw_record held;

    cr_assert_eq(obey(b, order).changed, 1);
    cr_assert_eq(obey(b, order).changed, 0);
    cr_assert_eq(obey(b, order).known, 1);
    cr_assert_eq(feed_seq(b, b->lane), 1, "what says nothing new is not said");
    cr_assert_eq(obey(c, order).changed, 1);
    held = feed_row_of(b, a);
    MUST(kw_record_encode(&held, &row, err));
    before = value_keep(&row);
    feed_catch_up(b, c, c->lane);
    held = feed_row_of(b, a);
    MUST(kw_record_encode(&held, &row, err));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&row), before), "two cells write the same");
}

Test(feed_order, a_store_that_is_fenced_says_nothing_any_more)
{
    struct kw_record record = note("late");

    obey(b, fence_of(a, 1, FEED_WALL));
    feed_catch_up(a, b, b->lane);
    note_set(&record, NOTE_REMOVED, value_first(FEED_WALL, a->id, "gone"));
    cr_assert_eq(feed_try_write(a, &record, true, NULL).reason, KW_E_STORE_UNAVAILABLE);
    feed_node_close(a);
    feed_node_open(a);
    cr_assert_eq(feed_try_write(a, &record, true, NULL).reason, KW_E_STORE_UNAVAILABLE,
                 "nor after a restart");
    MUST(feed_try_write(b, &record, true, err));
}

Test(feed_order, who_is_fenced_here_is_told_when_it_seals)
{
    struct kw_record row = feed_store_row(a);
    struct kw_record record = note("n");

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    note_set(&record, NOTE_TAGS, value_set("x"));
    feed_put_row(a, &kw_store_record, &row); /* another instance heard it */
    (void)feed_sealed(a);
    cr_assert_eq(feed_try_write(a, &record, false, NULL).reason, KW_E_STORE_UNAVAILABLE);
}

Test(feed_order, a_drained_life_is_no_copy_and_still_a_member_and_the_next_one_is_active)
{
    struct kw_record row;
    struct kw_id next = {{7, 7}};

    cr_assert_eq(state_of(b, a), KW_STORE_ACTIVE);
    cr_assert_eq(obey(b, drain_of(a, FEED_WALL)).changed, 1);
    cr_assert_eq(state_of(b, a), KW_STORE_DRAINING);
    tag(a, "still");
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 0)), KW_LANE_NEWS);
    row = feed_row_of(b, a);
    cr_assert(kw_order_drains(&row, a->incarnation));
    cr_assert_not(kw_order_drains(&row, next));
    cr_assert(kw_order_drains(&row, KW_ID_NONE), "a life that is not known");
    cr_assert_not(is_fenced(b, a));
    feed_catch_up(c, b, b->lane);
    cr_assert_eq(state_of(c, a), KW_STORE_DRAINING);
    cr_assert_eq(obey(b, fence_of(a, 1, FEED_WALL)).changed, 1, "and then it is fenced");
    cr_assert_eq(state_of(b, a), 0);
}

Test(feed_order, it_can_be_tried_without_being_done)
{
    struct kw_bytes order = fence_of(a, 1, FEED_WALL);
    struct kw_feed_obeyed obeyed = {0};

    MUST(feed_look(b, run_try, &order, &obeyed, err));
    cr_assert_eq(obeyed.known, 1);
    cr_assert_eq(obeyed.changed, 0);
    cr_assert_not(is_fenced(b, a));
    order = drain_of(a, FEED_WALL + KW_STAMP_AHEAD_MS_MAX + 1);
    cr_assert_eq(feed_look(b, run_try, &order, &obeyed, NULL).reason, KW_E_ARGUMENT_INVALID);
}

/* --- what is refused --- */

Test(feed_order, each_refusal_has_a_name_and_writes_nothing)
{
    struct kw_id elsewhere = {{0xe1}};
    struct kw_order order = {.mesh = a->feed.options.mesh,
                             .action = KW_ORDER_FENCE,
                             .issued_ms = FEED_WALL,
                             .stores = {{.store = a->id}},
                             .store_count = 1};

    cr_assert_eq(try_obey(b, kw_bytes_str("no order")), KW_E_ARGUMENT_INVALID);
    cr_assert_eq(try_obey(b, order_signed(&order, feed_key(0))), KW_E_SIGNATURE_INVALID);
    cr_assert_eq(try_obey(b, order_fence(elsewhere, a->id, KW_BYTES_NONE, FEED_WALL)),
                 KW_E_BINDING_INVALID);
    cr_assert_eq(try_obey(b, fence_of(a, 1, FEED_WALL + KW_STAMP_AHEAD_MS_MAX + 1)),
                 KW_E_ARGUMENT_INVALID, "of the future");
    cr_assert_eq(obey(b, order_fence(order.mesh, elsewhere, KW_BYTES_NONE, FEED_WALL)).known, 0,
                 "a store that nobody knows");
    b->feed.options.orders = NULL;
    cr_assert_eq(try_obey(b, fence_of(a, 1, FEED_WALL)), KW_E_SIGNATURE_INVALID,
                 "who knows no officer");
    cr_assert_eq(feed_seq(b, b->lane), 0);
    cr_assert_not(is_fenced(b, a));
}

Test(feed_order, an_older_order_is_refused_and_so_is_draining_what_is_fenced)
{
    cr_assert_eq(obey(b, drain_of(a, FEED_WALL)).changed, 1);
    cr_assert_eq(try_obey(b, drain_of(a, FEED_WALL - 1)), KW_E_STATE_CONFLICT);
    cr_assert_eq(obey(b, fence_of(a, 5, FEED_WALL)).changed, 1);
    cr_assert_eq(try_obey(b, fence_of(a, 6, FEED_WALL - 1)), KW_E_STATE_CONFLICT, "older");
    cr_assert_eq(try_obey(b, drain_of(a, FEED_WALL + 1)), KW_E_STATE_CONFLICT);
    cr_assert_eq(try_obey(b, cut_of(a, FEED_WALL + 1)), KW_E_STATE_CONFLICT);
    cr_assert_eq(obey(b, fence_of(a, 6, FEED_WALL + 1)).changed, 1, "a later one may add");
}

/* Who held it is lost: nobody will ever have it, and what is honoured once stays it. */
Test(feed_order, a_later_order_lowers_what_is_waited_for_and_nothing_else)
{
    struct kw_record row;

    tag(a, "one");
    feed_catch_up(b, a, a->lane);
    obey(b, fence_of(a, 3, FEED_WALL));
    cr_assert(is_awaited(b), "two more, from whoever has them");
    cr_assert_eq(obey(b, fence_of(a, 1, FEED_WALL + 1)).changed, 1);
    cr_assert_not(is_awaited(b));
    row = feed_row_of(b, a);
    cr_assert(kw_store_record_honours(&row, a->lane, 3));
    tag(a, "two");
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(feed_seq(b, a->lane), 2, "it comes after all");
    cr_assert_eq(obey(b, fence_of(a, 1, FEED_WALL + 2)).changed, 1, "though more is held");
    feed_catch_up(c, b, b->lane);
    cr_assert(is_awaited(c));
    feed_catch_up(c, b, a->lane);
    cr_assert_not(is_awaited(c));
}

/* --- cut off --- */

Test(feed_order, one_that_is_cut_off_is_taken_no_further_until_it_is_fenced)
{
    struct kw_record record = note("late");

    tag(a, "one");
    feed_catch_up(b, a, a->lane);
    tag(a, "two");
    feed_catch_up(c, a, a->lane);
    cr_assert_eq(obey(b, cut_of(a, FEED_WALL)).changed, 1);
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 1)), KW_LANE_FENCED);
    note_set(&record, NOTE_REMOVED, value_first(FEED_WALL, a->id, "gone"));
    feed_write(a, &record, true);
    cr_assert_eq(feed_apply_urgent(b, feed_urgent(a, a->lane, 0)), KW_LANE_FENCED);
    cr_assert_eq(feed_read_kind(b, a->lane, 0), KW_FEED_READ_NOTHING, "nor handed on");
    cr_assert_eq(state_of(b, a), KW_STORE_ACTIVE, "it is waited for all the same");
    cr_assert_eq(obey(b, fence_of(a, 2, FEED_WALL)).changed, 1);
    cr_assert_eq(feed_apply(b, feed_batch(c, a->lane, 1)), KW_LANE_NEWS, "what others have");
    cr_assert_eq(feed_seq(b, a->lane), 2);
    cr_assert_eq(feed_read_kind(b, a->lane, 0), KW_FEED_READ_BATCH);
    cr_assert_eq(feed_apply(b, feed_batch(a, a->lane, 2)), KW_LANE_FENCED);
}

Test(feed_order, a_cut_goes_ahead_of_its_lane_and_silences_whose_it_is)
{
    struct kw_record record = note("late");

    tag(b, "before");
    obey(b, cut_of(a, FEED_WALL));
    cr_assert_eq(feed_apply_urgent(c, feed_urgent(b, b->lane, 0)), KW_LANE_NEWS);
    tag(a, "one");
    cr_assert_eq(feed_apply(c, feed_batch(a, a->lane, 0)), KW_LANE_FENCED, "of a lane that is new");
    feed_catch_up(a, b, b->lane);
    note_set(&record, NOTE_REMOVED, value_first(FEED_WALL, a->id, "gone"));
    cr_assert_eq(feed_try_write(a, &record, true, NULL).reason, KW_E_STORE_UNAVAILABLE);
}

/* a writes whenever somebody looks away, and is heard by both at once. */
static void go_on(void)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t from[] = {feed_seq(b, a->lane), feed_seq(c, a->lane)};

        char key[16];

        (void)snprintf(key, sizeof(key), "n%llu", (unsigned long long)feed_seq(a, a->lane));
        tag(a, key);
        (void)feed_apply(i == 0 ? b : c, feed_batch(a, a->lane, from[i]));
    }
}

static uint64_t most_held(void)
{
    uint64_t by_b = feed_seq(b, a->lane);
    uint64_t by_c = feed_seq(c, a->lane);

    return by_b > by_c ? by_b : by_c;
}

/* One drawn up by what is held is behind when it arrives; after a cut nobody holds more. */
Test(feed_order, a_fence_catches_a_store_that_goes_on_writing)
{
    struct kw_bytes order;

    go_on();
    order = fence_of(a, most_held(), FEED_WALL);
    go_on();
    cr_assert_eq(try_obey(c, order), KW_E_STATE_CONFLICT, "it is outrun");
    obey(b, cut_of(a, FEED_WALL));
    go_on();
    obey(c, cut_of(a, FEED_WALL));
    go_on();
    order = fence_of(a, most_held(), FEED_WALL);
    go_on();
    obey(b, order);
    go_on();
    obey(c, order);
    go_on();
    feed_catch_up(b, c, a->lane);
    feed_catch_up(c, b, a->lane);
    cr_assert_eq(feed_seq(b, a->lane), most_held());
    cr_assert_eq(feed_seq(c, a->lane), most_held());
    cr_assert_gt(feed_seq(a, a->lane), most_held());
}

Test(feed_order, no_fence_takes_away_what_is_held)
{
    tag(a, "one");
    tag(a, "two");
    feed_catch_up(b, a, a->lane);
    cr_assert_eq(try_obey(b, fence_of(a, 1, FEED_WALL)), KW_E_STATE_CONFLICT);
    cr_assert_eq(try_obey(b, order_fence(a->feed.options.mesh, a->id, KW_BYTES_NONE, FEED_WALL)),
                 KW_E_STATE_CONFLICT);
    cr_assert_eq(obey(b, fence_of(a, 2, FEED_WALL)).changed, 1);
}

/* --- by lanes --- */

/* What the order says of node a, and one more thing. */
static struct kw_record with_more(struct kw_bytes written, uint8_t field, struct kw_bytes value)
{
    struct kw_order order;
    struct kw_record row;

    MUST(kw_order_decode(written, &order, err));
    MUST(kw_feed_order_row(&order, kw_order_of(&order, a->id), values_arena(), &row, err));
    if (field != 0) {
        MUST(kw_record_set(&row, &kw_store_record, field, value, err));
    }
    return row;
}

Test(feed_order, a_lane_says_what_an_order_says_and_nothing_beside_it)
{
    struct kw_bytes drain = drain_of(a, FEED_WALL);
    struct kw_bytes fence = fence_of(a, 1, FEED_WALL);
    struct kw_record changes[] = {
        with_more(drain, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED)),
        with_more(drain, KW_STORE_FIELD_SIGNERS, lane_set_of(lane_signer(feed_key(1)))),
        with_more(fence, KW_STORE_FIELD_FENCE, order_honours(a->lane, 2)),
        with_more(fence, KW_STORE_FIELD_FENCE_ORDER, value_lww(UINT64_MAX >> 1, a->id, "no order")),
        with_more(fence, 0, KW_BYTES_NONE),
    };
    const size_t count = sizeof(changes) / sizeof(changes[0]);

    changes[count - 1].key = kw_id_bytes(&c->id); /* another store's */
    for (size_t i = 0; i < count; i++) {
        feed_write(b, &changes[i], false);
        feed_catch_up(c, b, b->lane);
        cr_assert_eq(quarantined(c), (int64_t)i + 1, "%zu", i);
    }
    cr_assert_not(is_fenced(c, a));
    cr_assert_not(is_fenced(c, c));
    cr_assert_eq(state_of(c, a), KW_STORE_ACTIVE);
}

Test(feed_order, a_members_own_signature_orders_nothing)
{
    const struct kw_order order = {.mesh = a->feed.options.mesh,
                                   .action = KW_ORDER_FENCE,
                                   .issued_ms = FEED_WALL,
                                   .stores = {{.store = a->id}},
                                   .store_count = 1};
    struct kw_record change = with_more(order_signed(&order, feed_key(1)), 0, KW_BYTES_NONE);

    feed_write(b, &change, true);
    cr_assert_eq(feed_apply_urgent(c, feed_urgent(b, b->lane, 0)), KW_LANE_NEWS,
                 "it is kept, as evidence");
    cr_assert_eq(quarantined(c), 1);
    cr_assert_not(is_fenced(c, a));
}

/* What an upgrade, or the right file of the officer, makes of it. */
Test(feed_order, an_order_that_nobody_could_check_is_obeyed_once_the_officer_is_known)
{
    c->feed.options.orders = NULL;
    obey(b, fence_of(a, 1, FEED_WALL));
    feed_catch_up(c, b, b->lane);
    cr_assert_eq(quarantined(c), 1);
    cr_assert_not(is_fenced(c, a));
    feed_node_close(c);
    feed_node_open(c);
    c->feed.options.orders = order_trust();
    cr_assert_eq(feed_release(c), 1);
    cr_assert(is_fenced(c, a));
}

/* Its time is the officer's word, and its effect waits for no clock. */
Test(feed_order, an_officers_clock_that_is_ahead_holds_nothing_back)
{
    struct kw_record change = with_more(fence_of(a, 1, FEED_WALL + 3600000), 0, KW_BYTES_NONE);
    struct kw_record row;

    feed_write(b, &change, false);
    feed_catch_up(c, b, b->lane);
    row = feed_row_of(c, a);
    cr_assert(is_fenced(c, a));
    cr_assert_gt(kw_order_in(&row, KW_ORDER_FENCE).len, 0, "with its order");
    cr_assert_eq(feed_number(c, "SELECT count(*) FROM feed_held"), 0);
}

/* --- by a donor --- */

static struct kw_result run_row_from(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};
    enum kw_row_news news;

    KW_TRY(kw_record_encode(job->in, &encoded, err));
    return kw_feed_take_row(&job->node->feed, tx, b->id, kw_buf_bytes(&encoded), job->node->wall_ms,
                            &news, err);
}

static void hand_over(struct feed_node *to, const struct kw_record *row)
{
    MUST(feed_do(to, run_row_from, row, NULL, err));
}

Test(feed_order, a_donor_fences_nobody_without_an_order)
{
    struct kw_record row = feed_store_row(a);

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_FENCE, order_honours(a->lane, 9),
                       err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_INCARNATIONS,
                       lane_set_of(kw_id_bytes(&b->id)), err));
    hand_over(c, &row);
    row = feed_row_of(c, a);
    cr_assert_not(is_fenced(c, a));
    cr_assert_eq(kw_record_value(&row, KW_STORE_FIELD_FENCE).len, 0);
    cr_assert_eq(quarantined(c), 0, "the rest of the row is taken");
    cr_assert_eq(kw_record_value(&row, KW_STORE_FIELD_INCARNATIONS).len, 2 * (1 + KW_ID_LEN));
}

/* Where no vouchers are believed, too. */
Test(feed_order, a_donor_cuts_nobody_off_without_an_order)
{
    struct kw_record row = feed_store_row(a);

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_CUT_ORDER,
                       value_lww(FEED_WALL, a->id, "no order"), err));
    hand_over(c, &row);
    row = feed_row_of(c, a);
    cr_assert_not(kw_record_has(&row, KW_STORE_FIELD_CUT_ORDER));
    cr_assert_not(kw_store_record_is_out(&row));
}

Test(feed_order, a_donors_fence_is_that_of_its_order_and_no_wider)
{
    struct kw_record row;

    obey(b, fence_of(a, 3, FEED_WALL));
    row = feed_row_of(b, a);
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_FENCE, order_honours(a->lane, 9),
                       err));
    hand_over(c, &row);
    cr_assert(is_fenced(c, a));
    row = feed_row_of(c, a);
    cr_assert(kw_store_record_honours(&row, a->lane, 3));
    cr_assert_not(kw_store_record_honours(&row, a->lane, 4));
}
