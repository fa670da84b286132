/* Protect before release: what is made is delivered once another cell, and another region, has it. */
#include "common/base/metrics.h"
#include "common/feed/ack_table.h"
#include "common/feed/intent.h"
#include "common/feed_service/feed_service_internal.h"
#include "common/sync/store_record.h"
#include "tests/component/orchestrator_cells.h"
#include "tests/support/faults.h"

#include <keyward/v1/key_service.pb-c.h>

#define PENS     3
#define SHORT_MS 400 /* half of it is waited */

static const struct kw_id near_store = {.bytes = {0xe1}};
static const struct kw_id far_store = {.bytes = {0xfa}};
static struct orch_fixture fx;
static char *request_id; /* of the batch */
static const char *batch;

static void init(void)
{
    orch_fixture_init_fed(&fx);
    EVENTUALLY(&fx, fx.orch.feed_service != NULL);
    request_id = orch_request_id(&fx);
    batch = NULL;
}

static void done(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator_protect, .init = init, .fini = done, .timeout = 60);

/* --- the others --- */

struct member {
    struct kw_id store;
    const char *place;
    enum kw_store_state state;
};

static struct kw_result say_member(const struct kw_feed_tx *feed_tx, const void *context,
                                   struct kw_error *err)
{
    const struct member *member = context;
    struct kw_intent row = kw_intent(&kw_store_record, kw_id_bytes(&member->store), feed_tx->arena);

    kw_intent_bytes(&row, KW_STORE_FIELD_PLACE, kw_bytes_str(member->place));
    kw_intent_u64(&row, KW_STORE_FIELD_STATE, (uint64_t)member->state);
    return kw_intent_say(&row, feed_tx, NULL, err);
}

/* The service has heard of it, too. */
static void have_member(struct kw_id store, const char *place, enum kw_store_state state)
{
    const struct member member = {store, place, state};

    MUST(orch_try_say(&fx, say_member, &member, err));
    EVENTUALLY(&fx, !fx.orch.feed_service->members_read);
    kw_feed_copies_look(fx.orch.feed_service);
    EVENTUALLY(&fx, !fx.orch.feed_service->members_read && !fx.orch.protection.runs);
}

struct extent {
    struct kw_id lane;
    uint64_t seq;
};

static struct extent extent; /* what was acknowledged last */

static struct kw_result say_held(const struct kw_feed_tx *feed_tx, const void *context,
                                 struct kw_error *err)
{
    KW_TRY(kw_feed_said(feed_tx, &extent.lane, &extent.seq, err));
    return kw_ack_raise(feed_tx->tx, extent.lane, *(const struct kw_id *)context, extent.seq, err);
}

/* As its acknowledgement of all we said would be taken. */
static void hold(struct kw_id store)
{
    struct kw_feed_service *service = fx.orch.feed_service;

    MUST(orch_try_say(&fx, say_held, &store, err));
    kw_copies_lane(&service->copies, extent.lane);
    kw_copies_held(&service->copies, store, extent.lane, extent.seq);
    kw_feed_held(service);
    EVENTUALLY(&fx, !fx.orch.protection.runs);
}

/* --- the station --- */

static void make_start(struct asked *asked, uint64_t timeout_ms)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking = orch_batch_ask(&fx, &body, PENS);

    body.request_id = request_id;
    asking.timeout_ms = timeout_ms;
    orch_ask_start(&fx, &asking, asked);
}

static struct asked make(void)
{
    static struct asked asked;

    make_start(&asked, SHORT_MS);
    EVENTUALLY(&fx, asked.over);
    return asked;
}

static const Keyward__V1__Batch *get_batch(void)
{
    Keyward__V1__GetBatchRequest body = KEYWARD__V1__GET_BATCH_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_GET_BATCH,
                                  .body = &body.base,
                                  .role = KW_ROLE_STATION,
                                  .caller = fx.station};
    struct asked asked;

    body.name = (char *)(uintptr_t)batch;
    asked = orch_ask(&fx, &asking);
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    return ((const Keyward__V1__GetBatchResponse *)orch_message(
                &fx, &asked, 0, &keyward__v1__get_batch_response__descriptor))
        ->batch;
}

struct named {
    const char *sql;
    enum kw_resource kind;
    const char *name;
};

static struct kw_result read_name(const struct kw_feed_tx *feed_tx, const void *context,
                                  struct kw_error *err)
{
    struct named *named = *(struct named *const *)context;
    struct kw_stmt *stmt;
    struct kw_id id;
    bool found;

    KW_TRY(kw_sql(feed_tx->tx, named->sql, &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    KW_TRY(kw_col_id(stmt, 0, &id, err));
    named->name = orch_name(&fx, named->kind, id);
    return KW_OK;
}

static const char *name_of(enum kw_resource kind, const char *sql)
{
    struct named named = {.sql = sql, .kind = kind};
    struct named *in = &named;

    MUST(orch_try_say(&fx, read_name, &in, err));
    return named.name;
}

static uint32_t protected_count(void)
{
    if (batch == NULL) {
        batch = name_of(KW_RESOURCE_BATCH, "SELECT id FROM batches");
    }
    return get_batch()->protected_count;
}

static int64_t waiting(void)
{
    return kw_metric_value(KW_M_KEYS_UNPROTECTED, NULL);
}

/* --- what it is told --- */

Test(orchestrator_protect, a_cell_that_is_alone_asks_nobody)
{
    struct asked asked = make();

    cr_assert(eq(int, asked.reason, KW_E_NONE));
    cr_assert(eq(sz, orch_chunk(&fx, &asked)->n_items, PENS));
    cr_assert(eq(uint, protected_count(), PENS));
}

Test(orchestrator_protect, while_another_region_is_away_nothing_is_delivered_and_it_is_said)
{
    struct asked asked;

    have_member(far_store, "r2/c1", KW_STORE_ACTIVE);
    asked = make();
    cr_assert(eq(int, asked.reason, KW_E_KEY_UNPROTECTED));
    cr_assert(eq(sz, asked.message_count, 0));
    cr_assert(asked.outcome != NULL && asked.outcome->receipt_id.len == KW_ID_LEN,
              "a key was used, all the same");
    cr_assert(eq(uint, protected_count(), 0));
    cr_assert(eq(uint, get_batch()->generated_count, PENS));
    kw_protection_look(&fx.orch);
    EVENTUALLY(&fx, !fx.orch.protection.runs);
    cr_assert(eq(i64, waiting(), PENS));
    cr_assert(eq(int, make().reason, KW_E_KEY_UNPROTECTED), "asked again, nothing is made twice");
    cr_assert(eq(i64, orch_number(&fx, "SELECT count(*) FROM devices"), PENS));
}

Test(orchestrator_protect, once_it_is_back_the_same_request_is_answered)
{
    struct asked asked;

    have_member(far_store, "r2/c1", KW_STORE_ACTIVE);
    cr_assert(eq(int, make().reason, KW_E_KEY_UNPROTECTED));
    hold(far_store);
    cr_assert(eq(uint, protected_count(), PENS));
    cr_assert(eq(i64, waiting(), 0));
    asked = make();
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    cr_assert(eq(sz, orch_chunk(&fx, &asked)->n_items, PENS));
    cr_assert(asked.outcome->replayed);
}

Test(orchestrator_protect, who_waits_is_answered_when_the_other_region_has_it)
{
    struct asked asked;

    have_member(far_store, "r2/c1", KW_STORE_ACTIVE);
    make_start(&asked, 0);
    EVENTUALLY(&fx, fx.orch.feed_service->copies.waits != NULL);
    hold(far_store);
    EVENTUALLY(&fx, asked.over);
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    cr_assert(eq(sz, orch_chunk(&fx, &asked)->n_items, PENS));
    cr_assert(not(asked.outcome->replayed), "it was made now");
    cr_assert(eq(int, asked.outcome->receipt_id.len, KW_ID_LEN));
    cr_assert(eq(uint, protected_count(), PENS));
}

Test(orchestrator_protect, a_neighbour_is_enough_where_there_is_no_other_region)
{
    have_member(near_store, REGION "/c2", KW_STORE_ACTIVE);
    cr_assert(eq(int, make().reason, KW_E_KEY_UNPROTECTED));
    hold(near_store);
    cr_assert(eq(uint, protected_count(), PENS));
}

Test(orchestrator_protect, a_neighbour_is_no_other_region)
{
    have_member(near_store, REGION "/c2", KW_STORE_ACTIVE);
    have_member(far_store, "r2/c1", KW_STORE_ACTIVE);
    cr_assert(eq(int, make().reason, KW_E_KEY_UNPROTECTED));
    hold(near_store);
    cr_assert(eq(uint, protected_count(), 0));
    hold(far_store);
    cr_assert(eq(uint, protected_count(), PENS));
}

/* --- who counts --- */

Test(orchestrator_protect, who_still_joins_is_not_asked)
{
    have_member(far_store, "r2/c1", KW_STORE_JOINING);
    cr_assert(eq(int, make().reason, KW_E_NONE));
}

Test(orchestrator_protect, a_copy_in_a_cell_that_drains_is_none)
{
    have_member(near_store, REGION "/c2", KW_STORE_DRAINING);
    have_member(far_store, "r2/c1", KW_STORE_ACTIVE);
    cr_assert(eq(int, make().reason, KW_E_KEY_UNPROTECTED));
    have_member(far_store, "r2/c1", KW_STORE_DRAINING);
    cr_assert(eq(uint, protected_count(), PENS), "nobody is left to have one");
}

Test(orchestrator_protect, who_is_fenced_is_asked_no_more)
{
    have_member(near_store, REGION "/c2", KW_STORE_ACTIVE);
    have_member(far_store, "r2/c1", KW_STORE_ACTIVE);
    cr_assert(eq(int, make().reason, KW_E_KEY_UNPROTECTED));
    hold(near_store);
    cr_assert(eq(uint, protected_count(), 0));
    have_member(far_store, "r2/c1", KW_STORE_FENCED);
    cr_assert(eq(uint, protected_count(), PENS), "of those who are left one has it");
}

/* --- what may be done meanwhile --- */

static const Keyward__V1__ReleaseBatchResponse *release(void)
{
    Keyward__V1__ReleaseBatchRequest body = KEYWARD__V1__RELEASE_BATCH_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_RELEASE_BATCH,
                                  .body = &body.base,
                                  .role = KW_ROLE_STATION,
                                  .caller = fx.station,
                                  .count = PENS};
    struct asked asked;

    body.request_id = orch_request_id(&fx);
    body.name = (char *)(uintptr_t)batch;
    asked = orch_ask(&fx, &asking);
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    return (const Keyward__V1__ReleaseBatchResponse *)orch_message(
        &fx, &asked, 0, &keyward__v1__release_batch_response__descriptor);
}

Test(orchestrator_protect, an_unprotected_key_is_not_released)
{
    const Keyward__V1__ReleaseBatchResponse *released;

    have_member(far_store, "r2/c1", KW_STORE_ACTIVE);
    cr_assert(eq(int, make().reason, KW_E_KEY_UNPROTECTED));
    cr_assert(eq(uint, protected_count(), 0));
    orch_confirm(&fx, name_of(KW_RESOURCE_DEVICE, "SELECT id FROM devices"), "SN 1");
    released = release();
    cr_assert(eq(uint, released->unprotected_count, 1));
    cr_assert(eq(uint, released->activated_count, 0));
    cr_assert(eq(uint, released->batch->protected_count, 0));
    hold(far_store);
    released = release();
    cr_assert(eq(uint, released->activated_count, 1));
    cr_assert(eq(uint, released->batch->protected_count, PENS));
}

Test(orchestrator_protect, what_is_owed_outlives_who_asked)
{
    struct asked asked;

    have_member(far_store, "r2/c1", KW_STORE_ACTIVE);
    make_start(&asked, 0);
    EVENTUALLY(&fx, fx.orch.feed_service->copies.waits != NULL);
    kw_hop_cancel(asked.call);
    EVENTUALLY(&fx, fx.orch.in_flight == 0);
    cr_assert(eq(i64, orch_number(&fx, "SELECT count(*) FROM protections"), PENS));
    hold(far_store);
    cr_assert(eq(uint, protected_count(), PENS));
    cr_assert(eq(i64, orch_number(&fx, "SELECT count(*) FROM protections"), 0));
}

#ifdef KW_FAULTS_PLANTED
/* --- what goes wrong on the way --- */

#define OWN_FILES "services/orchestrator/protection"

static void look_again(void)
{
    fx.orch.protection.looked_ns = 0;
    kw_protection_look(&fx.orch);
    EVENTUALLY(&fx, !fx.orch.protection.runs);
}

Test(orchestrator_protect, every_place_of_it_fails_once_and_is_made_up_for)
{
    unsigned tries = 0;

    faults_off();
    have_member(far_store, "r2/c1", KW_STORE_ACTIVE);
    do {
        faults_arm_at(OWN_FILES);
        request_id = orch_request_id(&fx);
        cr_assert(ne(int, make().reason, KW_E_NONE));
        tries++;
    } while (faults_disarm());
    cr_assert(lt(uint, 10, tries), "%u", tries);
    MUST(orch_try_say(&fx, say_held, &far_store, err));
    do {
        faults_arm_at(OWN_FILES);
        look_again();
    } while (faults_disarm());
    look_again();
    cr_assert(eq(i64, waiting(), 0));
    do {
        faults_arm_at(OWN_FILES);
        (void)make();
    } while (faults_disarm());
    cr_assert(eq(int, make().reason, KW_E_NONE));
    cr_assert(eq(i64, orch_number(&fx, "SELECT count(*) FROM facts"),
                 orch_number(&fx, "SELECT count(*) FROM devices")),
              "each is stated once");
}
#endif

/* --- who joins --- */

Test(orchestrator_protect, who_joins_makes_nothing)
{
    struct asked asked;

    kw_feed_joining_begin(fx.orch.feed_service, far_store, false);
    EVENTUALLY(&fx, kw_feed_service_joins(fx.orch.feed_service));
    asked = make();
    cr_assert(eq(int, asked.reason, KW_E_STORE_JOINING));
    cr_assert(zero(uint, fx.core.calls), "the core is not asked");
}
