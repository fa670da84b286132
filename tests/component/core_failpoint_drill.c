/* A step between the work and its receipt, or between that and the answer, fails as a whole: the caller is told, and the
 * next question is answered. */
#include "tests/component/core_drill.h"
#include "tests/support/faults.h"

#include <stdlib.h>

#define ASKS_MAX 16

/* Which passing fails: one after those that the fixture makes. */
static void up_with(const char *failpoints)
{
    cr_assert(setenv("KEYWARD_FAILPOINTS", failpoints, 1) == 0);
    faults_off();
    drill_up();
}

static void up_before(void)
{
    up_with("cryptocore.before_receipt=error:10");
}

static void up_after(void)
{
    up_with("cryptocore.after_receipt=error:10");
}

TestSuite(core_before_receipt, .init = up_before, .fini = drill_down, .timeout = 120);
TestSuite(core_after_receipt, .init = up_after, .fini = drill_down, .timeout = 120);

/* Refusals among ASKS_MAX questions that are right, the last of which was allowed. */
static unsigned refusals(void)
{
    enum kw_reason reason = KW_E_INTERNAL;
    unsigned count = 0;

    for (unsigned i = 0; i < ASKS_MAX; i++) {
        struct core_ask ask = drill_access_ask();

        reason = core_ask(&drill.fx, &ask).reason;
        if (reason != KW_E_NONE) {
            cr_expect(eq(int, reason, KW_E_SYSTEM), "%s", kw_reason_row(reason)->name);
            count++;
            /* A receipt without an answer goes to the orchestrator by another way than is looked at here. */
            core_fixture_another_stream(&drill.fx);
        }
    }
    cr_expect(eq(int, reason, KW_E_NONE));
    return count;
}

Test(core_before_receipt, a_failure_is_told_and_the_next_is_served)
{
    cr_assert(eq(u32, refusals(), 1));
}

Test(core_after_receipt, a_failure_is_told_and_the_next_is_served)
{
    cr_assert(eq(u32, refusals(), 1));
}
