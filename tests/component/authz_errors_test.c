/* What authz makes up for when something of its own fails once, without anybody having been told. That whoever asks is
 * told, is walked through by tests/fault_walk.sh over all the other tests. */
#ifdef KW_FAULTS_PLANTED
#include "tests/component/authz_fixture.h"
#include "tests/support/faults.h"

#include <stdlib.h>
#include <unistd.h>

static struct authz_fixture fx;
static char *device;

static void init(void)
{
    authz_fixture_init(&fx);
    faults_off();
    (void)authz_device(&fx, 7, &device);
}

static void done(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_errors, .init = init, .fini = done, .timeout = 60);

/* Something did fail; in a walk another test may have been there before. */
static void check_failed(void)
{
    bool failed = faults_disarm();

    cr_assert(failed || getenv("KEYWARD_FAULTS") != NULL, "nothing has failed");
}

Test(authz_errors, a_denial_that_could_not_be_written_is_written_later)
{
    faults_arm_at("services/authz/denial_table.c");
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NOT_FOUND));
    authz_denials_await(&fx, 1);
    check_failed();
    cr_assert(eq(str, authz_text_of(&fx, "SELECT detail FROM denials WHERE seq = 1"), "no_grant"));
}

Test(authz_errors, a_head_that_could_not_be_written_is_written_later)
{
    (void)authz_grant(&fx, device);
    faults_arm_at("services/authz/witness_table.c");
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    EVENTUALLY(&fx, authz_number(&fx, "SELECT count(*) FROM witness") == 1);
    check_failed();
}

/* --- quotas --- */

static void limited_grant(void)
{
    struct grant_story story;

    authz_grant_story(&fx, &story, device);
    story.grant.quota = &story.quota;
    story.quota.max_operations = 100;
    (void)authz_grant_make(&fx, &story);
}

static bool written(int64_t used)
{
    return authz_number(&fx, "SELECT coalesce(max(used), 0) FROM quotas") == used;
}

Test(authz_errors, a_use_that_could_not_be_counted_is_none)
{
    size_t failed = 0;
    bool fired = true;

    limited_grant();
    while (fired) {
        enum kw_reason reason;

        faults_arm_at("services/authz/quota_book.c");
        reason = authz_access(&fx, device).reason;
        fired = faults_disarm();
        cr_assert(eq(int, reason, fired ? KW_E_MEMORY : KW_E_NONE));
        failed += fired ? 1 : 0;
    }
    cr_assert(eq(sz, fx.inside.count, 1));
    cr_assert(getenv("KEYWARD_FAULTS") != NULL || failed >= 2);
}

Test(authz_errors, a_count_that_could_not_be_written_is_written_later)
{
    static const char *const scopes[] = {
        "services/authz/quota_table.c", "services/authz/quota_table.c",
        "services/authz/quota_table.c", "services/authz/diary.c",
        "services/authz/diary.c",       "services/authz/diary.c"};
    size_t uses = sizeof(scopes) / sizeof(scopes[0]);

    limited_grant();
    for (size_t i = 0; i < uses; i++) {
        faults_arm_at(scopes[i]);
        cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
        EVENTUALLY(&fx, written((int64_t)i + 1));
        check_failed();
    }
}

/* --- starting on what is there --- */

/* With uses counted, a head seen, and an officer and an auditor that are no longer listed. */
static void leave_traces(void)
{
    struct actor second;

    authz_actor_make(&fx, KW_ROLE_OPERATOR, &second);
    authz_officer_file(&fx, "officers/two.pem", &second);
    authz_fixture_restart(&fx);
    limited_grant();
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    EVENTUALLY(&fx, written(1));
    authz_fixture_stop(&fx);
    REQUIRE(unlink(kw_arena_printf(fx.arena, "%s/officers/two.pem", fx.dir)) == 0, "unlink");
    authz_actor_done(&second);
}

Test(authz_errors, whatever_fails_at_the_start_the_next_start_is_as_if_it_had_not, .timeout = 200)
{
    bool fired = true;
    size_t failed = 0;

    leave_traces();
    while (fired) {
        bool runs;

        faults_arm_at("services/authz/");
        runs = authz_fixture_try(&fx);
        fired = faults_disarm();
        cr_assert(runs || fired);
        failed += runs ? 0 : 1;
        if (fired && runs) {
            authz_fixture_stop(&fx);
        }
    }
    cr_assert(getenv("KEYWARD_FAULTS") != NULL || failed > 30);
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    EVENTUALLY(&fx, written(2));
}
#endif
