/* More than the store keeps up with: nothing is done for who has given up, who revokes does not wait
 * behind those who ask, and what waits when the service ends goes no further. The store's threads
 * are held, so that everything here is counted. */
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "tests/component/authz_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <keyward/v1/key_service.pb-c.h>
#include <semaphore.h>
#include <stdatomic.h>

#define WAITING 100U
#define SOON_MS 100U

static struct authz_fixture fx;
static char *device;

/* A job that keeps its thread until it is let go. */
struct hold {
    struct kw_store_job job;
    atomic_bool begun;
    sem_t over;
    bool done;
};

static struct kw_result hold_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct hold *hold = (struct hold *)job;

    (void)tx;
    (void)err;
    atomic_store(&hold->begun, true);
    (void)sem_wait(&hold->over);
    return KW_OK;
}

static void hold_done(struct kw_store_job *job)
{
    ((struct hold *)job)->done = true;
}

static void hold(struct hold *hold,
                 struct kw_result (*hand_in)(struct kw_store *, struct kw_store_job *,
                                             struct kw_error *))
{
    *hold = (struct hold){.job = {.run = hold_run, .done = hold_done}};
    (void)sem_init(&hold->over, 0, 0);
    MUST(hand_in(fx.authz->store, &hold->job, err));
    EVENTUALLY(&fx, atomic_load(&hold->begun));
}

static void let_go(struct hold *hold)
{
    (void)sem_post(&hold->over);
    EVENTUALLY(&fx, hold->done);
    (void)sem_destroy(&hold->over);
}

static void readers_hold(struct hold *readers)
{
    for (int i = 0; i < KW_STORE_READERS; i++) {
        hold(&readers[i], kw_store_read);
    }
}

static void readers_let_go(struct hold *readers)
{
    for (int i = 0; i < KW_STORE_READERS; i++) {
        let_go(&readers[i]);
    }
}

/* All at once: what one of them does next ends the store, which waits for the others' threads. */
static void readers_end(struct hold *readers)
{
    for (int i = 0; i < KW_STORE_READERS; i++) {
        (void)sem_post(&readers[i].over);
    }
    EVENTUALLY(&fx, fx.stopped);
    for (int i = 0; i < KW_STORE_READERS; i++) {
        (void)sem_destroy(&readers[i].over);
    }
}

static void setup(void)
{
    authz_fixture_init(&fx);
    (void)authz_device(&fx, 1, &device);
}

static void teardown(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_overload, .init = setup, .fini = teardown, .timeout = 60);

Test(authz_overload, a_mutation_that_waited_too_long_is_not_made)
{
    struct grant_story story;
    struct question question = {
        .method = KW_METHOD_CREATE_GRANT, .caller = &fx.officer, .timeout_ms = SOON_MS};
    struct hold writer;
    uint64_t asked_ns;

    authz_grant_story(&fx, &story, device);
    question.body = &story.request.base;
    hold(&writer, kw_store_write);
    asked_ns = kw_clock_mono_ns();
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_DEADLINE_EXCEEDED));
    /* The caller gives up first: authz, which heard of it later but before this, a moment after. */
    EVENTUALLY(&fx, kw_clock_mono_ns() > asked_ns + 2 * SOON_MS * KW_NS_PER_MS);
    let_go(&writer);
    EVENTUALLY(&fx, fx.authz->calls == 0);
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 0));
    question.timeout_ms = NO_DEADLINE_MS;
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE), "the same request, in time");
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 1));
}

Test(authz_overload, a_revocation_does_not_wait_behind_those_who_ask)
{
    static struct answer answers[WAITING];
    char *grant = authz_grant(&fx, device);
    struct access_story story;
    struct hold readers[KW_STORE_READERS];

    authz_access_story(&fx, &story, device);
    readers_hold(readers);
    for (size_t i = 0; i < WAITING; i++) {
        authz_ask_start(&fx, &story.question, &answers[i]);
    }
    EVENTUALLY(&fx, fx.authz->calls == WAITING);
    cr_assert(eq(int, authz_grant_revoke(&fx, grant).reason, KW_E_NONE));
    readers_let_go(readers);
    for (size_t i = 0; i < WAITING; i++) {
        authz_wait(&answers[i]);
        cr_assert(eq(int, answers[i].reason, KW_E_NOT_FOUND), "nobody gets past it");
    }
    cr_assert(eq(sz, fx.inside.count, 0));
}

/* --- the end --- */

/* A mutation is not given up with its caller, but the way in may be gone when it is its turn. */
Test(authz_overload, a_mutation_that_waited_until_the_end_goes_no_further)
{
    Keyward__V1__SuspendKeyRequest body = KEYWARD__V1__SUSPEND_KEY_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_SUSPEND_KEY, .body = &body.base, .caller = &fx.officer};
    struct hold readers[KW_STORE_READERS];
    struct answer answer = {0};

    body.request_id = authz_request_id(&fx);
    body.name = kw_arena_printf(fx.arena, "%s/keys/key_aaaaaaaaaaaaaaaaaaaaaaaaaa", device);
    readers_hold(readers);
    authz_ask_start(&fx, &question, &answer);
    EVENTUALLY(&fx, fx.authz->calls == 1);
    kw_authz_service_stop(fx.service);
    EVENTUALLY(&fx, fx.authz->inner == NULL);
    cr_assert(not(fx.stopped));
    readers_end(readers);
    cr_assert(answer.over && answer.reason == KW_E_PEER_UNAVAILABLE);
    cr_assert(eq(sz, fx.inside.count, 0));
    authz_fixture_forget(&fx);
}
