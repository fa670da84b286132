/* What is so when authz's database is a file, SQLite's: nobody else has it, and it ends with its store. */
#include "common/base/failpoint.h"
#include "tests/component/authz_fixture.h"

#include <stdlib.h>

static struct authz_fixture fx;

static void init(void)
{
    authz_fixture_init(&fx);
}

static void done(void)
{
    authz_fixture_done(&fx);
}

TestSuite(authz_file, .init = init, .fini = done, .timeout = 60);

Test(authz_file, a_store_that_fails_ends_the_process)
{
    struct grant_story story;
    struct question question = {
        .method = KW_METHOD_CREATE_GRANT, .body = &story.request.base, .caller = &fx.officer};
    char *device;
    struct answer answer;

    (void)authz_device(&fx, 7, &device);
    authz_grant_story(&fx, &story, device);
    REQUIRE(setenv("KEYWARD_FAILPOINTS", "store.before_commit=error", 1) == 0, "setenv");
    MUST(kw_failpoint_load(err));
    answer = authz_ask(&fx, &question);
    cr_assert(eq(int, answer.reason, KW_E_STORE_UNAVAILABLE)); /* and nothing is acknowledged */
    EVENTUALLY(&fx, fx.failed);
    cr_assert(eq(int, fx.failure.reason, KW_E_STORE_UNAVAILABLE));
}

Test(authz_file, two_authz_do_not_share_a_database)
{
    char *device;

    cr_assert(eq(int, authz_fixture_second_fails(&fx), KW_E_STORE_UNAVAILABLE));
    (void)authz_device(&fx, 7, &device);
    (void)authz_grant(&fx, device); /* the first goes on */
}
