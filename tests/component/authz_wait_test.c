/* A revocation that is answered when other cells have it, or in time, with how far it got. */
#include "common/base/clock.h"
#include "common/feed/intent.h"
#include "common/feed_service/feed_service_internal.h"
#include "common/sync/store_record.h"
#include "tests/component/authz_fixture.h"
#include "tests/support/feed_cell.h"

#include <stdio.h>

#define COPIES(level) KEYWARD__INTERNAL__V1__COPIES__COPIES_##level
#define SHORT_MS      400U

static const struct kw_id far_store = {.bytes = {0xfa}};
static struct authz_fixture fx;
static struct feed_cell cell;
static struct actor partner;
static char path[96];

static void turn(void *context)
{
    authz_turn(context);
}

/* A member of another region, as its voucher would make it. */
static struct kw_result say_member(const struct kw_feed_tx *feed_tx, const void *what,
                                   struct kw_error *err)
{
    struct kw_intent row =
        kw_intent(&kw_store_record, kw_id_bytes((const struct kw_id *)what), feed_tx->arena);

    kw_intent_bytes(&row, KW_STORE_FIELD_PLACE, kw_bytes_str("r2/c1"));
    kw_intent_u64(&row, KW_STORE_FIELD_STATE, KW_STORE_ACTIVE);
    return kw_intent_say(&row, feed_tx, NULL, err);
}

static struct kw_copies *copies(void)
{
    return &fx.authz->feed_service->copies;
}

static void init(void)
{
    authz_fixture_init(&fx);
    authz_fixture_stop(&fx);
    (void)snprintf(path, sizeof(path), "%s/lane.pem", fx.dir);
    fx.config.lane_key_file = path;
    fx.config.feed_listen = (char *)(uintptr_t) "127.0.0.1:0";
    authz_fixture_start(&fx);
    feed_cell_init(&cell, fx.authz->store, &fx.authz->feed, turn, &fx);
    feed_cell_do(&cell, say_member, &far_store);
    EVENTUALLY(&fx, !fx.authz->feed_service->members_read);
    kw_feed_copies_look(fx.authz->feed_service);
    EVENTUALLY(&fx, copies()->count == 1);
    authz_actor_make(&fx, KW_ROLE_PARTNER, &partner);
    authz_member_put(&fx, &partner);
}

static void done(void)
{
    authz_actor_done(&partner);
    feed_cell_done(&cell);
    authz_fixture_done(&fx);
}

TestSuite(authz_wait, .init = init, .fini = done, .timeout = 60);

static void suspend(struct answer *answer, Keyward__Internal__V1__Copies wait, uint64_t timeout_ms)
{
    Keyward__V1__SuspendPartnerRequest body = KEYWARD__V1__SUSPEND_PARTNER_REQUEST__INIT;
    const struct question question = {.method = KW_METHOD_SUSPEND_PARTNER,
                                      .body = &body.base,
                                      .caller = &fx.officer,
                                      .wait = wait,
                                      .timeout_ms = timeout_ms};

    body.request_id = authz_request_id(&fx);
    body.name = partner.name;
    body.justification = (char *)(uintptr_t) "lost";
    authz_ask_start(&fx, &question, answer);
}

/* Somebody waits, and for how far. */
static bool waits(uint64_t *ret_seq)
{
    const struct kw_copy_wait *wait = copies()->waits;

    *ret_seq = wait != NULL ? wait->seq : 0;
    return wait != NULL && wait->level == KW_COPY_ALL;
}

static void tell_held(uint64_t seq)
{
    kw_copies_held(copies(), far_store, copies()->lane, seq);
}

Test(authz_wait, it_is_answered_when_all_have_it)
{
    struct answer answer = {0};
    uint64_t seq;

    suspend(&answer, COPIES(ALL), 0);
    EVENTUALLY(&fx, waits(&seq));
    tell_held(seq - 1);
    cr_assert(waits(&seq), "not yet");
    cr_assert(not(answer.over));
    tell_held(seq);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(int, answer.outcome->reached, COPIES(ALL)));
    cr_assert(not(answer.outcome->local_only));
}

Test(authz_wait, it_is_in_force_here_while_its_answer_waits)
{
    struct answer answer = {0};
    uint64_t epoch = fx.authz->epoch;
    uint64_t seq;

    suspend(&answer, COPIES(ALL), 0);
    EVENTUALLY(&fx, waits(&seq));
    cr_assert(fx.authz->epoch > epoch);
    cr_assert(not(answer.over));
    tell_held(seq);
    authz_wait(&answer);
}

Test(authz_wait, while_another_region_is_away_it_is_answered_in_time_and_says_so)
{
    struct answer answer = {0};
    uint64_t began_ns = kw_clock_mono_ns();
    uint64_t seq;

    suspend(&answer, COPIES(ALL), SHORT_MS);
    EVENTUALLY(&fx, waits(&seq));
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE), "done, and not late");
    cr_assert(eq(int, answer.outcome->reached, COPIES(LOCAL)));
    cr_assert(answer.outcome->local_only);
    cr_assert(kw_clock_mono_ns() - began_ns > KW_SECOND_COPY_MS * KW_NS_PER_MS);
}

Test(authz_wait, who_does_not_ask_is_told_no_level)
{
    struct answer answer = {0};

    suspend(&answer, COPIES(UNSPECIFIED), 0);
    authz_wait(&answer);
    cr_assert(eq(int, answer.outcome->reached, COPIES(UNSPECIFIED)));
    cr_assert(answer.outcome->local_only, "after a moment");
}

Test(authz_wait, of_a_level_that_is_not_known_nothing_is_claimed)
{
    struct answer answer = {0};

    suspend(&answer, (Keyward__Internal__V1__Copies)77, 0);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    cr_assert(eq(int, answer.outcome->reached, COPIES(UNSPECIFIED)));
}

Test(authz_wait, whose_caller_has_gone_does_not_wait_on)
{
    struct answer answer = {0};
    uint64_t seq;

    suspend(&answer, COPIES(ALL), 0);
    EVENTUALLY(&fx, waits(&seq));
    kw_hop_cancel(answer.call);
    EVENTUALLY(&fx, fx.authz->calls == 0);
    cr_assert(copies()->waits == NULL);
}

Test(authz_wait, when_authz_drains_it_is_answered_soon)
{
    struct answer answer = {0};
    uint64_t seq;

    suspend(&answer, COPIES(ALL), 0);
    EVENTUALLY(&fx, waits(&seq));
    fx.drained = false;
    kw_authz_service_drain(fx.service);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE), "it is done");
    cr_assert(eq(int, answer.outcome->reached, COPIES(LOCAL)));
    EVENTUALLY(&fx, fx.drained);
}

Test(authz_wait, when_authz_stops_it_has_gone_like_any_call)
{
    struct answer answer = {0};
    uint64_t seq;

    suspend(&answer, COPIES(ALL), 0);
    EVENTUALLY(&fx, waits(&seq));
    authz_fixture_stop(&fx);
    authz_wait(&answer);
    cr_assert(not(eq(int, answer.reason, KW_E_NONE)));
    authz_fixture_start(&fx);
}
