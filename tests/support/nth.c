/* The loop. */
#include "tests/support/nth.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#define ATTEMPTS_MAX 20000

uint64_t nth_run(struct nth *nth)
{
    uint64_t stride = nth->sparse > 1 && getenv("KEYWARD_NTH_ALL") == NULL ? nth->sparse : 1;
    uint64_t attempts = 0;
    bool met = true;

    for (nth->n = 1; met; nth->n += stride) {
        if (nth->n > ATTEMPTS_MAX) {
            cr_fatal("%s: no end", nth->what);
        }
        nth->attempt(nth);
        met = nth->fired();
        attempts++;
    }
    return attempts;
}

void nth_arm(const struct nth *nth)
{
    nth->arm(nth->n);
}

/* What has fired stays so until it is armed again. */
bool nth_disarm(const struct nth *nth)
{
    bool fired = nth->fired();

    nth->arm(UINT64_MAX);
    return fired;
}
