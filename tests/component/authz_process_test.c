/* The life of an authz: how it starts and refuses to, what it writes down, what a lost store does,
 * and how it ends. */
#include "common/base/failpoint.h"
#include "tests/component/authz_fixture.h"

#include <keyward/v1/status_service.pb-c.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct authz_fixture fx;
static char *device;

static void init(void)
{
    authz_fixture_init(&fx);
    (void)authz_device(&fx, 7, &device);
}

static void done(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_process, .init = init, .fini = done, .timeout = 60);

/* --- denials --- */

Test(authz_process, above_the_rate_denials_are_counted_not_lost)
{
    struct access_story story;
    struct answer answers[100] = {0};

    authz_access_story(&fx, &story, device); /* no grant */
    for (size_t i = 0; i < 100; i++) {
        authz_ask_start(&fx, &story.question, &answers[i]);
    }
    for (size_t i = 0; i < 100; i++) {
        authz_wait(&answers[i]);
    }
    authz_denials_await(&fx, 100);
    cr_assert(lt(i64, authz_number(&fx, "SELECT count(*) FROM denials"), 60));
    cr_assert(lt(i64, 1, authz_number(&fx, "SELECT max(times) FROM denials")));
}

Test(authz_process, denials_are_numbered_without_gaps_and_anew_in_each_life)
{
    for (size_t life = 0; life < 2; life++) {
        for (size_t i = 0; i < 5; i++) {
            (void)authz_access(&fx, device);
        }
        authz_fixture_restart(&fx); /* a clean stop writes what is left */
    }
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM denials"), 10));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(DISTINCT boot) FROM denials"), 2));
    cr_assert(eq(i64, authz_number(&fx, "SELECT max(seq) FROM denials"), 5));
    cr_assert(eq(i64, authz_number(&fx, "SELECT min(seq) FROM denials"), 1));
}

Test(authz_process, a_count_that_is_held_back_is_written_at_a_clean_stop)
{
    struct access_story story;
    struct answer answers[30] = {0};

    authz_access_story(&fx, &story, device);
    for (size_t i = 0; i < 30; i++) {
        authz_ask_start(&fx, &story.question, &answers[i]);
    }
    for (size_t i = 0; i < 30; i++) {
        authz_wait(&answers[i]);
    }
    authz_fixture_restart(&fx);
    cr_assert(eq(i64, authz_number(&fx, "SELECT sum(times) FROM denials"), 30));
}

Test(authz_process, a_denial_says_who_what_and_why)
{
    (void)authz_access(&fx, device);
    authz_denials_await(&fx, 1);
    cr_assert(eq(i64, authz_number(&fx, "SELECT method FROM denials"),
                 (int64_t)KW_METHOD_GET_DEVICE_ACCESS));
    cr_assert(kw_bytes_equal(authz_blob(&fx, "SELECT fingerprint FROM denials"),
                             KW_BYTES_OF(fx.partner.fingerprint)));
    cr_assert(eq(str, authz_text_of(&fx, "SELECT reason FROM denials"), "NOT_FOUND"));
    cr_assert(strstr(authz_text_of(&fx, "SELECT caller FROM denials"), "/partner/") != NULL);
}

/* --- the store --- */

Test(authz_process, what_was_not_acknowledged_may_be_asked_again_after_a_restart)
{
    struct grant_story story;
    struct question question = {
        .method = KW_METHOD_CREATE_GRANT, .body = &story.request.base, .caller = &fx.officer};

    authz_grant_story(&fx, &story, device);
    REQUIRE(setenv("KEYWARD_FAILPOINTS", "store.after_commit=error", 1) == 0, "setenv");
    MUST(kw_failpoint_load(err));
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_STORE_UNAVAILABLE));
    REQUIRE(setenv("KEYWARD_FAILPOINTS", "", 1) == 0, "setenv");
    MUST(kw_failpoint_load(err));
    authz_fixture_restart(&fx);
    cr_assert(eq(int, authz_ask(&fx, &question).reason, KW_E_NONE));
    cr_assert(eq(i64, authz_number(&fx, "SELECT count(*) FROM grants"), 1));
}

/* Keeps the store's writer busy until it is let go. */
static sem_t gate;
static sem_t reached;

static struct kw_result wait_at_gate(struct kw_store_job *job, struct kw_tx *tx,
                                     struct kw_error *err)
{
    (void)job;
    (void)tx;
    KW_ENSURE(sem_post(&reached) == 0 && sem_wait(&gate) == 0, err, SYSTEM, "gate");
    return KW_OK;
}

static struct kw_result do_nothing(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    (void)job;
    (void)tx;
    (void)err;
    return KW_OK;
}

static size_t jobs_done;

static void count_job(struct kw_store_job *job)
{
    (void)job;
    jobs_done++;
}

/* As many jobs as the store takes, behind one that waits at the gate. */
static size_t fill_queue(void)
{
    struct kw_store_job *jobs = kw_arena_alloc(fx.arena, (KW_STORE_JOBS_MAX + 2) * sizeof(*jobs));
    size_t count = 0;

    jobs[0] = (struct kw_store_job){.run = wait_at_gate, .done = count_job};
    MUST(kw_store_write(fx.authz->store, &jobs[count++], err));
    while (sem_trywait(&reached) != 0) {
        authz_turn(&fx); /* the store is told at the end of a turn */
    }
    jobs[count] = (struct kw_store_job){.run = do_nothing, .done = count_job};
    while (kw_ok(kw_store_write(fx.authz->store, &jobs[count], NULL))) {
        count++;
        jobs[count] = (struct kw_store_job){.run = do_nothing, .done = count_job};
    }
    return count;
}

Test(authz_process, a_full_store_makes_the_diary_wait_and_loses_no_denial)
{
    size_t jobs;

    REQUIRE(sem_init(&gate, 0, 0) == 0 && sem_init(&reached, 0, 0) == 0, "sem_init");
    jobs = fill_queue();
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NOT_FOUND));
    EVENTUALLY(&fx, fx.authz->diary.page_full && !fx.authz->diary.writing); /* it was refused */
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NOT_FOUND));
    REQUIRE(sem_post(&gate) == 0, "sem_post");
    EVENTUALLY(&fx, jobs_done == jobs);
    authz_denials_await(&fx, 2);
    cr_assert(eq(i64, authz_number(&fx, "SELECT max(seq) FROM denials"), 2));
}

/* --- starting --- */

static char *in_dir(const char *name)
{
    return kw_arena_printf(fx.arena, "%s/%s", fx.dir, name);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    REQUIRE(file != NULL, "%s", path);
    REQUIRE(fputs(text, file) >= 0, "%s", path);
    (void)fclose(file);
}

Test(authz_process, does_not_start_without_its_list_of_officers)
{
    fx.config.officers_dir = in_dir("nowhere");
    cr_assert(eq(int, authz_fixture_start_fails(&fx), KW_E_CONFIG_INVALID));
}

static enum kw_reason ask_status(const struct actor *caller)
{
    Keyward__V1__GetStatusRequest body = KEYWARD__V1__GET_STATUS_REQUEST__INIT;
    const struct question question = {
        .method = KW_METHOD_GET_STATUS, .body = &body.base, .caller = caller};

    return authz_ask(&fx, &question).reason;
}

/* A volume that is not mounted must not revoke everybody. */
Test(authz_process, does_not_start_with_an_empty_list_of_officers)
{
    REQUIRE(unlink(in_dir("officers/one.pem")) == 0, "unlink");
    cr_assert(eq(int, authz_fixture_start_fails(&fx), KW_E_CONFIG_INVALID));
    authz_officer_file(&fx, "officers/one.pem", &fx.officer);
    authz_fixture_start(&fx);
    cr_assert(eq(int, ask_status(&fx.officer), KW_E_NONE));
}

Test(authz_process, does_not_start_with_a_file_among_the_officers_that_is_none)
{
    write_text(in_dir("officers/two.pem"), "nonsense");
    cr_assert(eq(int, authz_fixture_start_fails(&fx), KW_E_CONFIG_INVALID));
}

Test(authz_process, does_not_start_with_a_partner_among_the_officers)
{
    authz_officer_file(&fx, "officers/two.pem", &fx.partner);
    cr_assert(eq(int, authz_fixture_start_fails(&fx), KW_E_CONFIG_INVALID));
}

Test(authz_process, does_not_start_when_an_officer_is_of_another_ca)
{
    struct authz_fixture foreign = {.arena = fx.arena};
    struct actor stranger;

    authz_root_make(&foreign);
    authz_actor_make(&foreign, KW_ROLE_OPERATOR, &stranger);
    authz_officer_file(&fx, "officers/two.pem", &stranger);
    cr_assert(eq(int, authz_fixture_start_fails(&fx), KW_E_CONFIG_INVALID));
    authz_actor_done(&stranger);
    authz_root_done(&foreign);
}

Test(authz_process, officers_come_and_go_by_the_list)
{
    struct actor second;

    authz_actor_make(&fx, KW_ROLE_OPERATOR, &second);
    authz_officer_file(&fx, "officers/two.pem", &second);
    cr_assert(eq(int, ask_status(&second), KW_E_IDENTITY_INVALID)); /* the list is read at start */
    authz_fixture_restart(&fx);
    cr_assert(eq(int, ask_status(&second), KW_E_NONE));
    REQUIRE(unlink(in_dir("officers/two.pem")) == 0, "unlink");
    authz_fixture_restart(&fx);
    cr_assert(eq(int, ask_status(&second), KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, ask_status(&fx.officer), KW_E_NONE));
    authz_officer_file(&fx, "officers/two.pem", &second); /* revoked is revoked */
    cr_assert(eq(int, authz_fixture_start_fails(&fx), KW_E_CONFIG_INVALID));
    authz_actor_done(&second);
}

Test(authz_process, an_expired_officer_keeps_nobody_from_starting)
{
    struct actor late;

    authz_actor_make_valid(&fx, KW_ROLE_OPERATOR, -(int64_t)HOUR_MS, -5000, &late);
    authz_officer_file(&fx, "officers/two.pem", &late);
    authz_fixture_restart(&fx);
    cr_assert(eq(int, ask_status(&late), KW_E_IDENTITY_INVALID));
    cr_assert(eq(int, ask_status(&fx.officer), KW_E_NONE));
    authz_actor_done(&late);
}

/* --- ending --- */

Test(authz_process, a_drain_waits_for_calls_in_flight)
{
    struct access_story story;
    struct answer answer = {0};

    (void)authz_grant(&fx, device);
    authz_access_story(&fx, &story, device);
    fx.inside.holds = true;
    authz_ask_start(&fx, &story.question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 1);
    kw_authz_service_drain(fx.service);
    cr_assert(not(kw_authz_service_linked(fx.service))); /* no longer ready */
    for (size_t i = 0; i < 20; i++) {
        authz_turn(&fx);
    }
    cr_assert(not(fx.drained));
    inside_answer(inside_last(&fx.inside));
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_NONE));
    EVENTUALLY(&fx, fx.drained);
}

Test(authz_process, a_stop_gives_up_what_is_still_in_flight)
{
    struct access_story story;
    struct answer answer = {0};

    (void)authz_grant(&fx, device);
    authz_access_story(&fx, &story, device);
    fx.inside.holds = true;
    authz_ask_start(&fx, &story.question, &answer);
    EVENTUALLY(&fx, fx.inside.count == 1);
    kw_authz_service_stop(fx.service);
    authz_wait(&answer);
    cr_assert(eq(int, answer.reason, KW_E_PEER_UNAVAILABLE));
    EVENTUALLY(&fx, fx.stopped);
    authz_fixture_forget(&fx);
}
