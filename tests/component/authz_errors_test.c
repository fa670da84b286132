/* What authz makes up for when something of its own fails once, without anybody having been told. That whoever asks is
 * told, is walked through by tests/fault_walk.sh over all the other tests. */
#ifdef KW_FAULTS_PLANTED
#include "tests/component/authz_fixture.h"
#include "tests/support/faults.h"

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

Test(authz_errors, a_denial_that_could_not_be_written_is_written_later)
{
    faults_arm_at("services/authz/denial_table.c");
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NOT_FOUND));
    authz_denials_await(&fx, 1);
    cr_assert(eq(str, authz_text_of(&fx, "SELECT detail FROM denials WHERE seq = 1"), "no_grant"));
}

Test(authz_errors, a_head_that_could_not_be_written_is_written_later)
{
    (void)authz_grant(&fx, device);
    faults_arm_at("services/authz/witness_table.c");
    cr_assert(eq(int, authz_access(&fx, device).reason, KW_E_NONE));
    EVENTUALLY(&fx, authz_number(&fx, "SELECT count(*) FROM witness") == 1);
}
#endif
