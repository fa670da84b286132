/* Calls over a hop: what each side sees, in order, within its limits, and when the other side is lost. */
#include "tests/support/hop_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define LONG_MS 30000U


Test(hop, unary_echo)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_ECHO, kw_bytes_str("hello"), true, LONG_MS)));
    cr_assert(eq(uint, outcome.statuses, 0));
    HOP_EVENTUALLY(&fx, outcome.statuses == 1);
    cr_assert(eq(int, outcome.reason, KW_E_NONE));
    cr_assert(eq(uint, outcome.items, 1));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&outcome.last), kw_bytes_str("hello")));
    cr_assert(fx.trace_seen);
    cr_assert(eq(str, fx.seen_peer, OUTER_ID));
    cr_assert(kw_id_equal(fx.peer_boot_id, fx.boot_id));
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}
