/* The orchestrator's own store: shown with what it holds, and what an officer orders about it. */
#include "common/feed/voucher.h"
#include "tests/component/orchestrator_fixture.h"
#include "tests/support/lane_order.h"

#include <keyward/v1/status_service.pb-c.h>

static struct orch_fixture fx;

static void init(void)
{
    orch_fixture_init_fed(&fx);
}

static void done(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator_stores, .init = init, .fini = done, .timeout = 60);

static struct asked by_officer(enum kw_method_id method, const ProtobufCMessage *body)
{
    const struct asking asking = {
        .method = method, .body = body, .role = KW_ROLE_OPERATOR, .caller = fx.operator_id};

    return orch_ask(&fx, &asking);
}

/* --- what there is --- */

static const Keyward__V1__ListStoresResponse *list_at(const char *region, const char *cell)
{
    Keyward__V1__ListStoresRequest body = KEYWARD__V1__LIST_STORES_REQUEST__INIT;
    struct asked asked;

    body.region = (char *)(uintptr_t)region;
    body.cell = (char *)(uintptr_t)cell;
    asked = by_officer(KW_METHOD_LIST_STORES, &body.base);
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    return (const Keyward__V1__ListStoresResponse *)orch_message(
        &fx, &asked, 0, &keyward__v1__list_stores_response__descriptor);
}

static const Keyward__V1__ListStoresResponse *list(void)
{
    return list_at("", "");
}

static bool is_known(void)
{
    return list()->n_stores == 1;
}

Test(orchestrator_stores, its_own_is_shown_with_its_lane)
{
    const Keyward__V1__Store *store;

    EVENTUALLY(&fx, is_known());
    store = list()->stores[0];
    cr_assert(eq(str, store->layer, "orchestrator"));
    cr_assert(eq(str, store->region, REGION));
    cr_assert(eq(str, store->cell, CELL));
    cr_assert(eq(int, (int)store->state, (int)KEYWARD__V1__STORE_STATE__STORE_STATE_ACTIVE));
    cr_assert(eq(sz, store->n_lanes, 1));
    cr_assert(lt(u64, 0, store->lanes[0]->sequence));
    cr_assert(eq(ptr, store->order_time, NULL));
}

Test(orchestrator_stores, those_of_one_place_are_shown_with_their_vouchers)
{
    const Keyward__V1__Store *shown;
    struct kw_voucher voucher;

    EVENTUALLY(&fx, is_known());
    cr_assert(eq(sz, list()->stores[0]->voucher.len, 0));
    cr_assert(eq(sz, list_at(REGION, "z")->n_stores, 0));
    cr_assert(eq(sz, list_at(REGION, CELL)->n_stores, 1));
    shown = list_at(REGION, CELL)->stores[0];
    MUST(kw_voucher_decode(kw_bytes_field(shown->voucher), &voucher, err));
    cr_assert(kw_bytes_equal(kw_id_bytes(&voucher.store), kw_bytes_field(shown->store)));
}

/* --- what is ordered --- */

/* That its life is to end; signed with `key`. */
static struct kw_bytes drain(struct kw_id store, const struct kw_private_key *key)
{
    const struct kw_order order = {.mesh = fx.orch.feed.options.mesh,
                                   .action = KW_ORDER_DRAIN,
                                   .issued_ms = kw_clock_wall_ms(),
                                   .stores = {{.store = store, .life = store}},
                                   .store_count = 1};

    return order_signed(&order, key);
}

static struct kw_id our_store(void)
{
    return fx.orch.feed.options.store;
}

static struct asked hand_in(struct kw_bytes order, bool dry)
{
    Keyward__V1__OrderStoresRequest body = KEYWARD__V1__ORDER_STORES_REQUEST__INIT;

    body.request_id = orch_request_id(&fx);
    body.validate_only = dry;
    body.order = kw_field_bytes(order);
    return by_officer(KW_METHOD_ORDER_STORES, &body.base);
}

static const Keyward__V1__OrderStoresResponse *obeyed(struct kw_bytes order, bool dry)
{
    const struct asked asked = hand_in(order, dry);

    cr_assert(eq(int, asked.reason, KW_E_NONE));
    return (const Keyward__V1__OrderStoresResponse *)orch_message(
        &fx, &asked, 0, &keyward__v1__order_stores_response__descriptor);
}

Test(orchestrator_stores, an_order_is_tried_then_obeyed_once)
{
    struct kw_bytes order;

    EVENTUALLY(&fx, is_known());
    order = drain(our_store(), &fx.officer);
    cr_assert(eq(u32, obeyed(order, true)->known, 1));
    cr_assert(eq(ptr, list()->stores[0]->order_time, NULL), "it was only tried");
    cr_assert(eq(u32, obeyed(order, false)->changed, 1));
    cr_assert(ne(ptr, list()->stores[0]->order_time, NULL));
    cr_assert(eq(u32, obeyed(order, false)->changed, 0), "twice is once");
}

Test(orchestrator_stores, what_the_first_officer_did_not_sign_is_no_order)
{
    struct kw_id nobody = {{0xee}};

    EVENTUALLY(&fx, is_known());
    cr_assert(
        eq(int, hand_in(drain(our_store(), &fx.root_key), false).reason, KW_E_SIGNATURE_INVALID));
    cr_assert(eq(int, hand_in(kw_bytes_str("no order"), false).reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(str, hand_in(kw_bytes_str("no order"), true).field, "order"));
    cr_assert(eq(u32, obeyed(drain(nobody, &fx.officer), false)->known, 0));
    cr_assert(eq(ptr, list()->stores[0]->order_time, NULL));
}
