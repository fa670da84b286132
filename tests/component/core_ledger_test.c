/* The ledger by itself: which chains it keeps, and what it makes of authz's witnesses. The core's
 * own side of the drills in core_receipt_drill.c. */
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "services/cryptocore/ledger_internal.h"
#include "tests/support/must.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct kw_loop *loop;
static struct kw_ledger *ledger;
static const struct kw_id boot = {{1}};
static const struct kw_witness nothing;

static void set_up(void)
{
    MUST(kw_loop_new(&loop, err));
    MUST(kw_ledger_new(loop, boot, NULL, &ledger, err)); /* no loop runs: nothing is signed */
}

static void tear_down(void)
{
    kw_timer_close(&ledger->timer, NULL);
    kw_loop_stop(loop);
    kw_loop_run(loop);
    kw_ledger_free(ledger);
    kw_loop_free(loop);
}

TestSuite(core_ledger, .init = set_up, .fini = tear_down);

static struct kw_id stream_id(unsigned number)
{
    return (struct kw_id){{2, (uint8_t)(number >> 8), (uint8_t)number}};
}

static enum kw_reason admit(unsigned stream, const struct kw_witness *witness)
{
    return kw_ledger_admit(ledger, stream_id(stream), witness, NULL).reason;
}

/* One use, from admission to receipt. */
static enum kw_reason use(unsigned stream, const struct kw_witness *witness)
{
    struct kw_receipt receipt = {.id = {{3}},
                                 .time_ms = 1,
                                 .region = kw_bytes_str("eu-1"),
                                 .cell = kw_bytes_str("a"),
                                 .capsule = kw_bytes_str("capsule"),
                                 .signer = kw_bytes_str("certificate")};
    enum kw_reason reason = admit(stream, witness);
    struct kw_bytes record;

    if (reason == KW_E_NONE) {
        MUST(kw_ledger_issue(ledger, stream_id(stream), &receipt, &record, err));
        kw_ledger_leave(ledger, stream_id(stream));
    }
    return reason;
}

static void allowed(enum kw_reason reason)
{
    if (reason != KW_E_NONE) {
        cr_fatal("refused: %s", kw_reason_row(reason)->name);
    }
}

static struct kw_ledger_chain *chain_of(unsigned stream)
{
    return kw_ledger_find(ledger, stream_id(stream));
}

/* What authz would have stored of the stream's last receipt. */
static struct kw_witness witness_of(unsigned stream)
{
    const struct kw_chain *chain = &chain_of(stream)->chain;
    struct kw_witness witness = {.core = chain->core, .stream = chain->stream, .seq = chain->seq};

    kw_copy(witness.head, chain->head.bytes, sizeof(witness.head));
    return witness;
}

static void acknowledge(unsigned stream)
{
    kw_ledger_acknowledge(chain_of(stream), chain_of(stream)->chain.seq);
}

/* --- streams --- */

Test(core_ledger, streams_come_and_go_without_end)
{
    for (unsigned i = 0; i < 5 * KW_LEDGER_CHAINS_MAX; i++) {
        allowed(use(i, &nothing));
        if (i % 2 == 0) {
            acknowledge(i);
        }
    }
    cr_assert(le(sz, ledger->chain_count, KW_LEDGER_CHAINS_MAX));
}

Test(core_ledger, streams_without_receipts_leave_nothing_behind)
{
    for (unsigned i = 0; i < 5 * KW_LEDGER_CHAINS_MAX; i++) {
        allowed(admit(i, &nothing));
        kw_ledger_leave(ledger, stream_id(i));
    }
    cr_assert(eq(sz, ledger->retired.len, 0));
    allowed(use(0, &nothing));
}

Test(core_ledger, a_chain_that_is_in_use_is_not_given_up)
{
    for (unsigned i = 0; i < KW_LEDGER_CHAINS_MAX; i++) {
        allowed(admit(i, &nothing));
    }
    cr_assert(eq(int, use(1000, &nothing), KW_E_LIMIT_REACHED));
    kw_ledger_leave(ledger, stream_id(7));
    allowed(use(1000, &nothing));
    cr_assert(chain_of(7) == NULL);
}

Test(core_ledger, receipts_that_are_durable_nowhere_are_kept_longest)
{
    for (unsigned i = 0; i < KW_LEDGER_CHAINS_MAX; i++) {
        allowed(use(i, &nothing));
    }
    acknowledge(40);
    allowed(use(1000, &nothing));
    cr_assert(chain_of(40) == NULL);
    allowed(use(1001, &nothing));
    cr_assert(chain_of(0) == NULL, "the one that left first");
}

/* A second chain of the same name would be a fork, and nothing could tell which was shown. */
Test(core_ledger, a_stream_that_was_given_up_does_not_begin_again)
{
    for (unsigned i = 0; i <= KW_LEDGER_CHAINS_MAX; i++) {
        allowed(use(i, &nothing));
    }
    cr_assert(eq(int, use(0, &nothing), KW_E_PEER_UNAVAILABLE));
    allowed(use(1, &nothing));
}

/* A core that can't remember one more stream would let it begin again. */
Test(core_ledger, as_many_streams_go_as_are_remembered)
{
    for (unsigned i = 0; i < KW_LEDGER_CHAINS_MAX; i++) {
        allowed(use(i, &nothing));
    }
    MUST(kw_buf_reserve(&ledger->retired, (size_t)KW_LEDGER_RETIRED_MAX * KW_ID_LEN, err));
    ledger->retired.len = (size_t)(KW_LEDGER_RETIRED_MAX - 1) * KW_ID_LEN;
    memset(ledger->retired.data, 0xff, ledger->retired.len);
    allowed(use(1000, &nothing));
    cr_assert(eq(int, use(1001, &nothing), KW_E_LIMIT_REACHED));
    cr_assert(chain_of(1) != NULL, "whose turn it was");
    allowed(use(1, &nothing));
}

/* --- witnesses --- */

Test(core_ledger, a_witness_that_is_old_stops_the_stream)
{
    struct kw_witness witness;

    allowed(use(1, &nothing));
    chain_of(1)->issued_ns[1] -= KW_WITNESS_LAG_MS_MAX * 1000000ULL;
    cr_assert(eq(int, use(1, &nothing), KW_E_RECEIPT_LAG));
    witness = witness_of(1);
    allowed(use(1, &witness));
}

Test(core_ledger, receipts_that_are_durable_nowhere_are_so_many_and_no_more)
{
    struct kw_witness witness = nothing;

    for (unsigned i = 0; i < KW_LEDGER_UNACKED_MAX; i++) {
        allowed(use(1, &witness));
        witness = witness_of(1);
    }
    cr_assert(eq(int, use(1, &witness), KW_E_RECEIPT_LAG));
    kw_ledger_acknowledge(chain_of(1), 1);
    allowed(use(1, &witness));
}

Test(core_ledger, a_witness_of_another_receipt_than_was_issued_is_refused)
{
    struct kw_witness witness;

    allowed(use(1, &nothing));
    allowed(use(1, &nothing));
    witness = witness_of(1);
    allowed(use(1, &witness));
    witness.head[0] ^= 1;
    cr_assert(eq(int, use(1, &witness), KW_E_CAPSULE_INVALID));
    cr_assert(eq(int, use(2, &witness), KW_E_CAPSULE_INVALID), "whichever stream it comes by");
}

Test(core_ledger, a_witness_of_receipts_that_were_never_issued_is_refused)
{
    struct kw_witness witness;

    allowed(use(1, &nothing));
    witness = witness_of(1);
    witness.seq++;
    cr_assert(eq(int, use(1, &witness), KW_E_CAPSULE_INVALID));
    cr_assert(eq(int, use(2, &witness), KW_E_CAPSULE_INVALID));
    witness = witness_of(1);
    witness.stream = stream_id(9);
    cr_assert(eq(int, use(1, &witness), KW_E_CAPSULE_INVALID), "a stream that never was here");
    witness.core.bytes[0] ^= 1;
    allowed(use(1, &witness)); /* another boot's: nothing is known of it here */
}

Test(core_ledger, a_witness_of_a_stream_that_was_given_up_is_no_contradiction)
{
    struct kw_witness witness;

    allowed(use(0, &nothing));
    witness = witness_of(0);
    for (unsigned i = 1; i <= KW_LEDGER_CHAINS_MAX; i++) {
        allowed(use(i, &witness));
    }
    cr_assert(chain_of(0) == NULL);
    allowed(use(1, &witness));
}

/* Two orchestrators take turns: authz's last word is about the other one as often as not. */
Test(core_ledger, a_witness_of_another_stream_takes_nothing_back)
{
    struct kw_witness witness = nothing;

    for (unsigned i = 0; i < KW_WITNESS_LAG_RECEIPTS_MAX; i++) {
        allowed(use(1, &witness));
        witness = witness_of(1);
    }
    for (unsigned i = 0; i < 10; i++) {
        allowed(use(2, &witness));
        witness = witness_of(2);
        allowed(use(1, &witness));
    }
    cr_assert(eq(int, use(1, &nothing), KW_E_RECEIPT_LAG), "an authz that has nothing at all");
}

Test(core_ledger, a_witness_of_another_stream_does_not_witness_this_one)
{
    struct kw_witness witness;

    allowed(use(1, &nothing));
    witness = witness_of(1);
    for (unsigned i = 0; i <= KW_WITNESS_LAG_RECEIPTS_MAX; i++) {
        allowed(use(2, &witness));
    }
    cr_assert(eq(int, use(2, &witness), KW_E_RECEIPT_LAG));
}

/* A new stream begins with a lag of its own; what authz never had adds up. */
Test(core_ledger, receipts_are_not_hidden_by_changing_the_stream)
{
    enum kw_reason reason = KW_E_NONE;
    unsigned uses = 0;

    while (reason == KW_E_NONE && uses <= 2 * KW_WITNESS_LOST_MAX) {
        reason = use(uses++ / 200, &nothing);
    }
    cr_assert(eq(int, reason, KW_E_RECEIPT_LAG));
    cr_assert(eq(uint, uses, KW_WITNESS_LOST_MAX + 2));
}
