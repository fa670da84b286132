/* Receipts: a core that is not believed to be recorded does not go on. */
#include "common/base/limits.h"
#include "tests/component/core_drill.h"

TestSuite(core_receipt, .init = drill_up, .fini = drill_down, .timeout = 120);

Test(core_receipt, a_witness_that_lags_too_far_stops_the_core)
{
    struct core_ask ask;

    for (unsigned i = 0;
         i <= KW_WITNESS_LAG_RECEIPTS_MAX && drill.fx.chain.at.seq <= KW_WITNESS_LAG_RECEIPTS_MAX;
         i++) {
        ask = drill_access_ask();
        drill_allowed(&ask);
    }
    ask = drill_access_ask();
    ask.capsule.witness = (struct kw_witness){0};
    drill_refused(&ask, KW_E_RECEIPT_LAG);
}

Test(core_receipt, a_core_that_was_killed_begins_a_new_chain)
{
    struct core_ask ask = drill_access_ask();

    drill_allowed(&ask);
    core_fixture_kill(&drill.fx);
    core_fixture_start(&drill.fx);
    ask = drill_access_ask();
    drill_allowed(&ask);
    cr_assert(drill.fx.chain.at.seq == 1);
}
