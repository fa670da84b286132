/* The loop, and the count of calls. */
#include "tests/support/nth.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdatomic.h>
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
        met = nth->kind->fired();
        attempts++;
    }
    return attempts;
}

void nth_arm(const struct nth *nth)
{
    nth->kind->arm(nth->n);
}

bool nth_disarm(const struct nth *nth)
{
    nth->kind->disarm();
    return nth->kind->fired();
}

/* --- calls that are counted --- */

static _Atomic uint64_t fail_at; /* 0: none */
static _Atomic uint64_t passed;
static _Atomic(const char *) failed; /* NULL: none has */

static void arm(uint64_t n)
{
    atomic_store(&passed, 0);
    atomic_store(&failed, NULL);
    atomic_store(&fail_at, n);
}

static void disarm(void)
{
    atomic_store(&fail_at, 0);
}

static bool fired(void)
{
    return atomic_load(&failed) != NULL;
}

const struct nth_kind nth_calls = {arm, disarm, fired};

const char *nth_failed(void)
{
    return fired() ? atomic_load(&failed) : "nothing";
}

bool nth_fails(const char *name)
{
    uint64_t at = atomic_load(&fail_at);

    if (at == 0 || atomic_fetch_add(&passed, 1) + 1 != at) {
        return false;
    }
    atomic_store(&failed, name);
    return true;
}
