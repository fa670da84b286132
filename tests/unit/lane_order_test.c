/* Orders: what the officer signed is believed, and what anybody else could make is not. */
#include "common/sync/version_vector.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/lane_order.h"
#include "tests/support/must.h"

#define NOW_MS 1700000000000U

static const struct kw_id mesh = {{0x3e, 1}};
static const struct kw_id one = {{0x10, 1}};
static const struct kw_id other = {{0x20, 1}};
static const struct kw_id lane = {{0x1a, 3}};

TestSuite(lane_order, .timeout = 60);

static struct kw_order fence_of_two(void)
{
    return (struct kw_order){
        .mesh = mesh,
        .action = KW_ORDER_FENCE,
        .issued_ms = NOW_MS,
        .stores = {{.store = one, .fence = order_honours(lane, 7)}, {.store = other}},
        .store_count = 2};
}

static enum kw_lane_verdict judged(struct kw_bytes record)
{
    struct kw_order order;
    enum kw_lane_verdict verdict;

    MUST(kw_order_read(record, mesh, order_trust(), &order, &verdict, err));
    return verdict;
}

Test(lane_order, what_the_officer_signs_is_read_and_believed)
{
    const struct kw_order made = fence_of_two();
    struct kw_bytes record = order_signed(&made, order_officer());
    struct kw_order order;

    cr_assert_eq(judged(record), KW_LANE_NEWS);
    MUST(kw_order_decode(record, &order, err));
    cr_assert(kw_id_equal(order.mesh, mesh));
    cr_assert_eq(order.action, KW_ORDER_FENCE);
    cr_assert_eq(order.issued_ms, NOW_MS);
    cr_assert_eq(order.store_count, 2);
    cr_assert_eq(kw_vector_get(kw_order_of(&order, one)->fence, lane), 7);
    cr_assert_eq(kw_order_of(&order, other)->fence.len, 0);
    cr_assert_null(kw_order_of(&order, lane), "it says nothing of other stores");
    record = order_drain(mesh, one, other, NOW_MS);
    MUST(kw_order_decode(record, &order, err));
    cr_assert_eq(order.action, KW_ORDER_DRAIN);
    cr_assert(kw_id_equal(kw_order_of(&order, one)->life, other));
    record = order_cut(mesh, one, NOW_MS);
    cr_assert_eq(judged(record), KW_LANE_NEWS);
    MUST(kw_order_decode(record, &order, err));
    cr_assert_eq(order.action, KW_ORDER_CUT);
    cr_assert_eq(kw_order_of(&order, one)->fence.len, 0);
}

Test(lane_order, another_key_or_another_mesh_orders_nothing)
{
    struct kw_order order = fence_of_two();

    cr_assert_eq(judged(order_signed(&order, lane_key(0))), KW_LANE_UNSIGNED);
    order.mesh = other;
    cr_assert_eq(judged(order_signed(&order, order_officer())), KW_LANE_OTHER_MESH);
}

Test(lane_order, no_byte_of_it_can_be_another)
{
    const struct kw_order order = fence_of_two();
    struct kw_bytes record = order_signed(&order, order_officer());
    KW_SCOPED(kw_buf_done) struct kw_buf altered = {0};

    MUST(kw_buf_append(&altered, record, err));
    for (size_t i = 0; i < altered.len; i++) {
        altered.data[i] ^= 1;
        cr_assert_neq(judged(kw_buf_bytes(&altered)), KW_LANE_NEWS, "byte %zu", i);
        altered.data[i] ^= 1;
    }
    cr_assert_eq(judged(kw_buf_bytes(&altered)), KW_LANE_NEWS);
    for (size_t len = 0; len < record.len; len++) {
        cr_assert_eq(judged(KW_BYTES(record.data, len)), KW_LANE_BROKEN, "%zu bytes", len);
    }
}

/* A signature of another record's kind, by the same key. */
Test(lane_order, what_the_officer_signed_for_something_else_is_no_order)
{
    const struct kw_order order = fence_of_two();
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_signature signature;

    MUST(kw_order_encode(&order, &content, err));
    MUST(kw_buf_append(&message, kw_bytes_str("KEYWARD-LIST-v1"), err));
    MUST(kw_buf_append(&message, kw_buf_bytes(&content), err));
    MUST(kw_ecdsa_sign(order_officer(), kw_buf_bytes(&message), &signature, err));
    MUST(kw_order_seal(kw_buf_bytes(&content), kw_signature_bytes(&signature), &record, err));
    cr_assert_eq(judged(kw_buf_bytes(&record)), KW_LANE_UNSIGNED);
}

/* --- what is not written --- */

static enum kw_reason refused(const struct kw_order *order)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    return kw_order_encode(order, &content, NULL).reason;
}

Test(lane_order, what_a_reader_refuses_is_not_made)
{
    struct kw_order order = fence_of_two();

    cr_assert_eq(refused(&order), KW_E_NONE);
    order.stores[1].store = one;
    cr_assert_eq(refused(&order), KW_E_ARGUMENT_INVALID, "a store twice");
    order = fence_of_two();
    order.stores[0].store = lane;
    order.stores[1].store = one;
    cr_assert_eq(refused(&order), KW_E_ARGUMENT_INVALID, "out of order");
    order = fence_of_two();
    order.stores[0].fence = kw_bytes_str("no vector");
    cr_assert_eq(refused(&order), KW_E_ARGUMENT_INVALID);
    order = fence_of_two();
    order.store_count = 0;
    cr_assert_eq(refused(&order), KW_E_ARGUMENT_INVALID, "about nobody");
    order.store_count = KW_ORDER_STORES_MAX + 1;
    cr_assert_eq(refused(&order), KW_E_ARGUMENT_INVALID, "about too many");
}

Test(lane_order, an_action_or_a_time_that_is_none_is_refused)
{
    struct kw_order order = fence_of_two();

    order.action = 0;
    cr_assert_eq(refused(&order), KW_E_ARGUMENT_INVALID);
    order.action = KW_ORDER_ACTION_END_;
    cr_assert_eq(refused(&order), KW_E_ARGUMENT_INVALID);
    order = fence_of_two();
    order.issued_ms = 0;
    cr_assert_eq(refused(&order), KW_E_ARGUMENT_INVALID);
    order.issued_ms = UINT64_MAX;
    cr_assert_eq(refused(&order), KW_E_ARGUMENT_INVALID, "no reading of the hybrid clock");
}

Test(lane_order, its_length_is_bounded)
{
    struct kw_order order = fence_of_two();
    struct kw_buf vector = {0};
    struct kw_writer w = KW_WRITER(&vector);

    for (unsigned i = 0; i < KW_VECTOR_STORES_MAX; i++) {
        kw_put_vector_entry(&w, (struct kw_id){{(uint8_t)i, 1}}, 1);
    }
    MUST(kw_writer_end(&w, err));
    order.stores[0].fence = order.stores[1].fence = value_keep(&vector);
    cr_assert_eq(refused(&order), KW_E_ARGUMENT_INVALID, "more than goes ahead of a lane");
    order.stores[1].fence = KW_BYTES_NONE;
    cr_assert_eq(refused(&order), KW_E_NONE, "all lanes of one store");
}
