/* Every call of every operation fails once: hsm_fault_nth.h. The short half; the other codes are in
 * hsm_fault_slow_test.c. */
#include "tests/component/hsm_fault_nth.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(hsm_fault_call, .init = fault_up, .fini = fault_down, .timeout = 600);

Test(hsm_fault_call, a_lost_session_at_any_call_is_made_good)
{
    fault_every_call(FAULT_SESSION);
}

Test(hsm_fault_call, what_is_made_by_a_call_whose_answer_is_lost_is_not_left)
{
    fault_every_call(FAULT_LOAD);
}

/* Without a session there are no keys to be found: trouble of the session, not of the keys. */
Test(hsm_fault_call, a_session_that_cannot_be_opened_again_at_once_is_no_missing_key)
{
    fault_open();
    FAULT(.function = P11_OpenSession, .rv = CKR_SESSION_COUNT);
    FAULT(.function = P11_WrapKey, .action = P11_LOSE, .rv = CKR_SESSION_HANDLE_INVALID);
    cr_assert(eq(int, fault_run(&fault.ops[0]), KW_E_HSM_BUSY));
    p11_fault_clear(&fault.p11);
    cr_assert(eq(int, fault_run(&fault.ops[0]), KW_E_NONE));
}
