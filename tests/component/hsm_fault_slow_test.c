/* The rest of "fail the n-th call, for every n", and what takes long by its nature. */
#include "common/base/clock.h"
#include "tests/component/hsm_fault_nth.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(hsm_fault_slow, .init = fault_up, .fini = fault_down, .timeout = 900);

Test(hsm_fault_slow, a_lost_handle_at_any_call_is_found_again)
{
    fault_every_call(FAULT_HANDLE);
}

Test(hsm_fault_slow, a_device_error_at_any_call_is_an_hsm_that_is_unavailable)
{
    fault_every_call(FAULT_DEVICE);
}

Test(hsm_fault_slow, an_unknown_refusal_of_any_call_is_no_success)
{
    fault_every_call(FAULT_UNKNOWN);
}

/* A worker that crashes at any call of a derivation is replaced, and the work done by the next one. */
Test(hsm_fault_slow, a_crash_at_any_call_of_a_derivation_loses_nothing)
{
    uint64_t before;
    uint64_t calls;

    fault_pool_start(1);
    cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_NONE));
    before = p11_fault_calls_all(&fault.p11);
    cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_NONE));
    calls = p11_fault_calls_all(&fault.p11) - before;
    for (uint64_t n = 1; n <= calls; n++) {
        FAULT(.function = P11_ANY, .action = P11_CRASH, .first = n);
        cr_assert(eq(int, fault_ask(&fault.ops[1]), KW_E_NONE), "crash at call %lu", n);
        cr_assert(eq(u64, p11_fault_hits(&fault.p11), 1), "no call %lu", n);
        p11_fault_clear(&fault.p11);
        FAULT_UNTIL(fault_ready_count() == 1);
    }
    cr_assert(eq(u64, fault.pool->stats.workers_lost, calls));
}

Test(hsm_fault_slow, a_hang_is_noticed_without_traffic)
{
    fault_pool_start(1);
    FAULT(.function = P11_Sign, .action = P11_HANG, .first = 1);
    FAULT_UNTIL(fault.pool->stats.workers_lost == 1 && fault_ready_count() == 1);
    cr_assert(eq(u64, p11_fault_hits(&fault.p11), 1));
}
