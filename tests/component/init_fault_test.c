/* Every step of init fails once. A failed attempt says so and leaves no key on the token: the next attempt, on the same
 * token and into another directory, gets as far as its own fault, and the one that has none ends with a region. */
#include "tests/component/init_fixture.h"
#include "tests/support/faults.h"

#include <unistd.h>

/* Places that fail, and how many there are at least: some behind the making of keys; all of cryptocore in the slow
 * binary. */
#ifndef INIT_SCOPE
#define INIT_SCOPE  "services/cryptocore/pki_files.c"
#define INIT_PLACES 3
#endif

TestSuite(init_fault, .init = init_up, .fini = init_down, .timeout = 900);

/* False: nothing was left to fail, and the attempt succeeded. */
static bool attempt(void)
{
    struct kw_error err = {0};
    enum kw_reason reason;
    bool fired;

    faults_arm_at(INIT_SCOPE);
    reason = init_with(&init_fx.config, &err);
    fired = faults_disarm();
    if (fired) {
        REQUIRE(reason != KW_E_NONE && err.message[0] != 0, "%s: %s, %s", kw_fault_plan()->last,
                kw_reason_row(reason)->name, err.message);
    } else {
        REQUIRE(reason == KW_E_NONE, "after %s: %s", kw_fault_plan()->last, err.message);
    }
    return fired;
}

Test(init_fault, every_step_may_fail_and_init_is_begun_anew)
{
    char path[PATH_MAX];
    struct kw_error err = {0};

    while (attempt()) {
    }
    cr_assert(ge(u32, kw_fault_plan()->fired, INIT_PLACES));
    cr_assert(eq(int, access(init_wrote("ceremony.kwb", path), R_OK), 0));
    cr_assert(
        eq(int, access(init_wrote("credentials/" KW_MESH_CELL "/gateway/key.pem", path), R_OK), 0));
    cr_assert(eq(int, init_with(&init_fx.config, &err), KW_E_ALREADY_EXISTS));
}
