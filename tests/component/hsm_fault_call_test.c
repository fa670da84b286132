/* Every call of every operation fails once: hsm_fault_nth.h. The short half; the other codes are in
 * hsm_fault_slow_test.c. */
#include "tests/component/hsm_fault_nth.h"

#include <criterion/criterion.h>

TestSuite(hsm_fault_call, .init = fault_up, .fini = fault_down, .timeout = 600);

Test(hsm_fault_call, a_lost_session_at_any_call_is_made_good)
{
    fault_every_call(FAULT_SESSION);
}

Test(hsm_fault_call, what_is_made_by_a_call_whose_answer_is_lost_is_not_left)
{
    fault_every_call(FAULT_LOAD);
}
