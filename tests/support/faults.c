/* The plan as tests use it. */
#include "tests/support/faults.h"

#include "tests/support/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool armed; /* by this process, and not disarmed */
static unsigned fired_before;

static bool off;

bool faults_walked(void)
{
    return !off && getenv("KEYWARD_FAULTS") != NULL;
}

void faults_off(void)
{
    off = true;
}

static void arm(const char *scope, const char *except)
{
    struct kw_fault_plan *plan = kw_fault_plan();

    (void)snprintf(plan->scope, sizeof(plan->scope), "%s", scope);
    (void)snprintf(plan->except, sizeof(plan->except), "%s", except != NULL ? except : "");
    fired_before = plan->fired;
    plan->armed = true;
    armed = true;
}

void faults_arm_at(const char *scope)
{
    arm(scope, NULL);
}

void faults_arm(void)
{
    const char *scope = getenv("KEYWARD_FAULT_SCOPE");

    if (faults_walked() && scope != NULL) {
        arm(scope, getenv("KEYWARD_FAULT_EXCEPT"));
    }
}

bool faults_disarm(void)
{
    struct kw_fault_plan *plan = kw_fault_plan();
    bool fired = armed && plan->fired != fired_before;

    plan->armed = false;
    armed = false;
    return fired;
}

/* What failed where, and what the caller was told: shown by the script. */
static void note(enum kw_reason reason)
{
    const char *path = getenv("KEYWARD_FAULT_LOG");
    FILE *log = path != NULL ? fopen(path, "a") : NULL;

    if (log != NULL) {
        (void)fprintf(log, "# %s: %s\n", kw_fault_plan()->last,
                      reason == KW_E_NONE ? "answered" : kw_reason_row(reason)->name);
        (void)fclose(log);
    }
}

bool faults_again(enum kw_reason reason)
{
    if (!faults_walked() || !faults_disarm()) {
        return false;
    }
    note(reason);
    REQUIRE(reason != KW_E_DEADLINE_EXCEEDED, "%s: nobody was told", kw_fault_plan()->last);
    return reason != KW_E_NONE;
}
