/* Which stores there are, and what an officer orders about them: authz's part, with what the orchestrator says added. */
#include "common/base/codec.h"
#include "common/feed/order.h"
#include "common/feed/voucher.h"
#include "common/sync/version_vector.h"
#include "tests/component/authz_fixture.h"

#include <keyward/v1/status_service.pb-c.h>
#include <stdio.h>

static struct authz_fixture fx;
static char path[96];

/* A cell that replicates, and so has a store that was vouched for. */
static void init(void)
{
    authz_fixture_init(&fx);
    authz_fixture_stop(&fx);
    (void)snprintf(path, sizeof(path), "%s/lane.pem", fx.dir);
    fx.config.lane_key_file = path;
    fx.config.feed_listen = (char *)(uintptr_t) "127.0.0.1:0";
    authz_fixture_start(&fx);
}

static void done(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_stores, .init = init, .fini = done, .timeout = 60);

/* --- what there is --- */

static struct answer ask_list_at(const struct actor *caller, const char *region, const char *cell)
{
    Keyward__V1__ListStoresRequest body = KEYWARD__V1__LIST_STORES_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_LIST_STORES, .body = &body.base, .caller = caller};

    body.region = (char *)(uintptr_t)region;
    body.cell = (char *)(uintptr_t)cell;
    return authz_ask(&fx, &question);
}

static struct answer ask_list(const struct actor *caller)
{
    return ask_list_at(caller, "", "");
}

static const Keyward__V1__ListStoresResponse *list(void)
{
    struct answer answer = ask_list(&fx.officer);

    return authz_message(&answer, &keyward__v1__list_stores_response__descriptor);
}

static bool is_known(void)
{
    return list()->n_stores == 1;
}

/* The orchestrator's store, beside. */
static void add_one(struct inside_call *call)
{
    Keyward__V1__ListStoresResponse response = KEYWARD__V1__LIST_STORES_RESPONSE__INIT;
    Keyward__V1__Store store = KEYWARD__V1__STORE__INIT;
    Keyward__V1__Store *stores[] = {&store};

    store.layer = (char *)(uintptr_t) "orchestrator";
    response.stores = stores;
    response.n_stores = 1;
    call->messages[0] = authz_packed(&fx, &response.base);
}

Test(authz_stores, both_owners_stores_are_shown_with_how_far_they_are_held)
{
    const Keyward__V1__ListStoresResponse *shown;

    EVENTUALLY(&fx, is_known());
    fx.inside.spoil = add_one;
    shown = list();
    cr_assert(eq(sz, shown->n_stores, 2));
    cr_assert(eq(str, shown->stores[0]->layer, "authz"));
    cr_assert(eq(str, shown->stores[0]->region, REGION));
    cr_assert(eq(str, shown->stores[0]->cell, CELL));
    cr_assert(
        eq(int, (int)shown->stores[0]->state, (int)KEYWARD__V1__STORE_STATE__STORE_STATE_ACTIVE));
    cr_assert(eq(sz, shown->stores[0]->incarnation.len, KW_ID_LEN));
    cr_assert(eq(sz, shown->stores[0]->n_lanes, 1));
    cr_assert(lt(u64, 0, shown->stores[0]->lanes[0]->sequence));
    cr_assert(eq(ptr, shown->stores[0]->order_time, NULL));
    cr_assert(eq(str, shown->stores[1]->layer, "orchestrator"));
    cr_assert(eq(sz, shown->stores[0]->voucher.len, 0), "there is no room for those of all places");
}

static const Keyward__V1__ListStoresResponse *list_at(const char *region, const char *cell)
{
    struct answer answer = ask_list_at(&fx.officer, region, cell);

    return authz_message(&answer, &keyward__v1__list_stores_response__descriptor);
}

Test(authz_stores, those_of_one_place_are_shown_with_their_vouchers)
{
    const Keyward__V1__Store *shown;
    struct kw_voucher voucher;

    EVENTUALLY(&fx, is_known());
    cr_assert(eq(sz, list_at(REGION, "z")->n_stores, 0));
    cr_assert(eq(sz, list_at("z", CELL)->n_stores, 0));
    cr_assert(eq(sz, list_at(REGION, "")->n_stores, 0));
    cr_assert(eq(sz, list_at(REGION, CELL)->n_stores, 1));
    shown = list_at(REGION, CELL)->stores[0];
    MUST(kw_voucher_decode(kw_bytes_field(shown->voucher), &voucher, err));
    cr_assert(kw_bytes_equal(kw_id_bytes(&voucher.store), kw_bytes_field(shown->store)));
    cr_assert(
        kw_bytes_equal(kw_id_bytes(&voucher.incarnation), kw_bytes_field(shown->incarnation)));
}

Test(authz_stores, they_are_for_operators_and_auditors_alone)
{
    cr_assert(eq(int, ask_list(&fx.auditor).reason, KW_E_NONE));
    cr_assert(eq(int, ask_list(&fx.partner).reason, KW_E_PERMISSION_DENIED));
}

static void garbled(struct inside_call *call)
{
    call->messages[0] = kw_bytes_str("\xff");
}

static void silent(struct inside_call *call)
{
    call->message_count = 0;
}

Test(authz_stores, what_the_orchestrator_says_must_be_an_answer)
{
    fx.inside.spoil = garbled;
    cr_assert(ne(int, ask_list(&fx.officer).reason, KW_E_NONE));
    fx.inside.spoil = silent;
    cr_assert(eq(int, ask_list(&fx.officer).reason, KW_E_INTERNAL));
    fx.inside.refusals = 1;
    fx.inside.refusal = KW_E_STORE_UNAVAILABLE;
    cr_assert(eq(int, ask_list(&fx.officer).reason, KW_E_STORE_UNAVAILABLE));
}

/* --- a new life --- */

static bool is_active(void)
{
    const Keyward__V1__ListStoresResponse *shown = list();

    return shown->n_stores == 1 && shown->stores[0]->n_lanes == 2;
}

Test(authz_stores, a_new_life_begins_another_lane_and_keeps_what_was_said)
{
    struct kw_id before;
    struct kw_id after;

    EVENTUALLY(&fx, is_known());
    MUST(kw_id_from_bytes(kw_bytes_field(list()->stores[0]->incarnation), &before, err));
    if (fx.config.store_url ==
        NULL) { /* a server has other clients, too, and only the runbook stops them */
        cr_assert(eq(int, kw_authz_new_life(&fx.config, NULL).reason, KW_E_STORE_UNAVAILABLE),
                  "not while it runs");
    }
    authz_fixture_stop(&fx);
    MUST(kw_authz_new_life(&fx.config, err));
    authz_fixture_start(&fx);
    EVENTUALLY(&fx, is_active());
    MUST(kw_id_from_bytes(kw_bytes_field(list()->stores[0]->incarnation), &after, err));
    cr_assert(not(kw_id_equal(before, after)));
}

Test(authz_stores, a_new_life_of_no_mesh_or_no_key_is_refused)
{
    struct kw_authz_config config = fx.config;

    config.mesh = (char *)(uintptr_t) "none";
    cr_assert(eq(int, kw_authz_new_life(&config, NULL).reason, KW_E_CONFIG_INVALID));
    config.mesh = fx.config.mesh;
    config.lane_key_file = fx.dir;
    cr_assert(eq(int, kw_authz_new_life(&config, NULL).reason, KW_E_CONFIG_INVALID));
}

/* --- what is ordered --- */

/* What this cell holds of its own lane. */
static struct kw_bytes all_that_is_held(void)
{
    static uint8_t vector[KW_VECTOR_ENTRY_LEN];
    const Keyward__V1__StoreLane *lane = list()->stores[0]->lanes[0];

    kw_copy(vector, lane->lane.data, lane->lane.len);
    kw_be64_store(vector + KW_ID_LEN, lane->sequence);
    return KW_BYTES_OF(vector);
}

/* About a store, which is to be honoured so far; signed with `key`. */
static struct kw_bytes order_of(struct kw_id store, enum kw_order_action action,
                                struct kw_bytes fence, const struct kw_private_key *key)
{
    static uint8_t kept[KW_ORDER_LEN_MAX];
    struct kw_order order = {.mesh = fx.authz->feed.options.mesh,
                             .action = action,
                             .issued_ms = kw_clock_wall_ms(),
                             .stores = {{.store = store, .life = store, .fence = fence}},
                             .store_count = 1};
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_signature signature;

    MUST(kw_order_encode(&order, &content, err));
    MUST(kw_buf_append(&message, kw_bytes_str(KW_ORDER_LABEL), err));
    MUST(kw_buf_append(&message, kw_buf_bytes(&content), err));
    MUST(kw_ecdsa_sign(key, kw_buf_bytes(&message), &signature, err));
    MUST(kw_order_seal(kw_buf_bytes(&content), kw_signature_bytes(&signature), &record, err));
    kw_copy(kept, record.data, record.len);
    return KW_BYTES(kept, record.len);
}

static struct kw_bytes order_about(struct kw_id store, enum kw_order_action action,
                                   const struct kw_private_key *key)
{
    return order_of(store, action, KW_BYTES_NONE, key);
}

static struct kw_id our_store(void)
{
    return fx.authz->feed.options.store;
}

static struct answer hand_in(struct kw_bytes order, bool dry)
{
    Keyward__V1__OrderStoresRequest body = KEYWARD__V1__ORDER_STORES_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_ORDER_STORES, .body = &body.base, .caller = &fx.officer};

    body.request_id = authz_request_id(&fx);
    body.validate_only = dry;
    body.order = kw_field_bytes(order);
    return authz_ask(&fx, &question);
}

static const Keyward__V1__OrderStoresResponse *obeyed(struct kw_bytes order, bool dry)
{
    struct answer answer = hand_in(order, dry);

    return authz_message(&answer, &keyward__v1__order_stores_response__descriptor);
}

Test(authz_stores, a_cell_that_is_drained_says_so_and_goes_on)
{
    struct kw_bytes order;
    char *device;

    EVENTUALLY(&fx, is_known());
    order = order_about(our_store(), KW_ORDER_DRAIN, &fx.officer.key);
    cr_assert(eq(u32, obeyed(order, true)->known, 1));
    cr_assert(eq(ptr, list()->stores[0]->order_time, NULL), "it was only tried");
    cr_assert(eq(u32, obeyed(order, false)->changed, 1));
    cr_assert(eq(u32, obeyed(order, false)->changed, 0), "twice is once");
    cr_assert(ne(ptr, list()->stores[0]->order_time, NULL));
    (void)authz_device(&fx, 1, &device);
    (void)authz_grant(&fx, device);
}

/* What it acknowledged would reach nobody. */
Test(authz_stores, a_cell_that_is_fenced_changes_nothing_any_more)
{
    struct grant_story story;
    struct kw_bytes order;
    char *device;

    EVENTUALLY(&fx, is_known());
    (void)authz_device(&fx, 1, &device);
    authz_grant_story(&fx, &story, device);
    order = order_about(our_store(), KW_ORDER_FENCE, &fx.officer.key);
    cr_assert(eq(int, hand_in(order, false).reason, KW_E_STATE_CONFLICT), "it honours too little");
    cr_assert(eq(int, authz_grant_ask(&fx, &story).reason, KW_E_NONE));
    order = order_of(our_store(), KW_ORDER_FENCE, all_that_is_held(), &fx.officer.key);
    cr_assert(eq(u32, obeyed(order, false)->changed, 1));
    cr_assert(
        eq(int, (int)list()->stores[0]->state, (int)KEYWARD__V1__STORE_STATE__STORE_STATE_FENCED));
    authz_grant_story(&fx, &story, device);
    cr_assert(eq(int, authz_grant_ask(&fx, &story).reason, KW_E_STORE_UNAVAILABLE));
}

Test(authz_stores, each_refusal_has_a_name)
{
    struct kw_id nobody = {{0xee}};

    EVENTUALLY(&fx, is_known());
    cr_assert(eq(int,
                 hand_in(order_about(our_store(), KW_ORDER_DRAIN, &fx.auditor.key), false).reason,
                 KW_E_SIGNATURE_INVALID));
    cr_assert(eq(int, hand_in(order_about(nobody, KW_ORDER_DRAIN, &fx.officer.key), false).reason,
                 KW_E_NOT_FOUND));
    cr_assert(eq(int, hand_in(kw_bytes_str("no order"), false).reason, KW_E_ARGUMENT_INVALID));
    cr_assert(eq(str, hand_in(kw_bytes_str("no order"), true).field, "order"));
    fx.inside.spoil = garbled;
    cr_assert(ne(int,
                 hand_in(order_about(our_store(), KW_ORDER_DRAIN, &fx.officer.key), false).reason,
                 KW_E_NONE));
}
