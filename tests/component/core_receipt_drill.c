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

/* A witness that was never so: what was shown to authz is not what was issued. */
Test(core_receipt, a_witness_of_another_receipt_is_refused)
{
    struct core_ask ask = drill_access_ask();

    ask.capsule.witness.head[0] ^= 1;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
    core_fixture_another_stream(&drill.fx);
    ask = drill_access_ask();
    ask.capsule.witness.head[0] ^= 1;
    drill_refused(&ask, KW_E_CAPSULE_INVALID);
    ask = drill_access_ask();
    drill_allowed(&ask);
}

/* --- an orchestrator that starts anew, again and again --- */

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    (void)call;
    (void)status;
    (void)context;
    *(bool *)user = true;
}

/* Says that all is durable, and asks something that leaves no receipt: when it is answered, that
 * was heard. */
static void acknowledge(struct core_ask *spent)
{
    static const struct kw_hop_events events = {.status = on_status};
    static bool over;
    const struct kw_hop_open open = {.method = KW_METHOD_RECEIPTS, .deadline_ns = UINT64_MAX};
    Keyward__Internal__V1__ReceiptAck ack = KEYWARD__INTERNAL__V1__RECEIPT_ACK__INIT;
    uint8_t bytes[16];
    struct kw_hop_call *call;

    over = false;
    ack.seq = drill.fx.chain.at.seq;
    MUST(kw_hop_open(drill.fx.client, &open, &events, &over, &call, err));
    cr_assert(kw_hop_send(
        call, (struct kw_hop_item){
                  .data = KW_BYTES(bytes, keyward__internal__v1__receipt_ack__pack(&ack, bytes))}));
    drill_refused(spent, KW_E_CAPSULE_REPLAYED);
    cr_assert(over == false);
}

Test(core_receipt, an_orchestrator_may_start_anew_without_end)
{
    for (unsigned i = 0; i < KW_LEDGER_CHAINS_MAX + 8; i++) {
        struct core_ask ask;

        core_fixture_another_stream(&drill.fx);
        ask = drill_access_ask();
        drill_allowed(&ask);
        cr_assert(drill.fx.chain.at.seq == 1);
        if (i % 2 == 0) {
            acknowledge(&ask);
        }
    }
}
