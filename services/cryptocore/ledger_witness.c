/* Admission to a chain: what authz says it has stored, against what was issued.
 *
 *     the capsule's witness is of      and counts as
 *     no receipt, or another boot      nothing: authz has none of this boot's
 *     this chain                       its number
 *     another chain of this boot       the last that authz was known to have of this chain
 *
 * A witness of this boot is held against the very receipt it names, whichever chain it is of: two
 * that don't agree mean that somebody between authz and core shows them different receipts. Only a
 * stream that was retired can't be looked up any more. So a new stream is no way around: it begins
 * with a lag of its own, and what authz never had of the streams before it counts for the boot.
 */
#include "services/cryptocore/ledger_internal.h"

#include "common/base/clock.h"
#include "common/base/limits.h"

#include <assert.h>

/* Is this the head after that receipt? Of those long ago it is not known any more. */
static bool head_differs(const struct kw_ledger_chain *chain, const struct kw_witness *witness)
{
    const struct kw_hash *head = &chain->heads[witness->seq % KW_LEDGER_TIMES];

    return chain->chain.seq - witness->seq < KW_LEDGER_TIMES &&
           !kw_bytes_equal(KW_BYTES_OF(head->bytes), KW_BYTES_OF(witness->head));
}

static struct kw_result witness_take(struct kw_ledger *ledger, const struct kw_witness *witness,
                                     struct kw_error *err)
{
    struct kw_ledger_chain *chain = kw_ledger_find(ledger, witness->stream);

    if (!kw_id_equal(witness->core, ledger->boot_id) || witness->seq == 0 ||
        (chain == NULL && kw_ledger_is_retired(ledger, witness->stream))) {
        return KW_OK;
    }
    KW_ENSURE(chain != NULL && witness->seq <= chain->chain.seq, err, CAPSULE_INVALID,
              "a witness of receipts that were never issued");
    KW_ENSURE(!head_differs(chain, witness), err, CAPSULE_INVALID,
              "the witness of receipt %llu is of another one", (unsigned long long)witness->seq);
    if (chain->witnessed < witness->seq) {
        chain->witnessed = witness->seq;
    }
    return KW_OK;
}

/* What the witness counts as (see above). */
static uint64_t witnessed_seq(const struct kw_ledger_chain *chain, const struct kw_witness *witness)
{
    if (!kw_id_equal(witness->core, chain->chain.core)) {
        return 0;
    }
    return kw_id_equal(witness->stream, chain->chain.stream) ? witness->seq : chain->witnessed;
}

static struct kw_result lag_check(const struct kw_ledger_chain *chain, uint64_t seen,
                                  struct kw_error *err)
{
    uint64_t lag = chain->chain.seq - seen;

    KW_ENSURE(lag <= KW_WITNESS_LAG_RECEIPTS_MAX, err, RECEIPT_LAG, "witness lags %llu receipts",
              (unsigned long long)lag);
    if (lag > 0) {
        uint64_t age = kw_clock_mono_ns() - chain->issued_ns[(seen + 1) % KW_LEDGER_TIMES];

        KW_ENSURE(age <= KW_WITNESS_LAG_MS_MAX * KW_NS_PER_MS, err, RECEIPT_LAG,
                  "receipt %llu is not witnessed for %llu ms", (unsigned long long)(seen + 1),
                  (unsigned long long)(age / KW_NS_PER_MS));
    }
    return KW_OK;
}

/* An orchestrator that dies leaves a few receipts that authz never had; one that leaves thousands
 * hides them. */
static struct kw_result lost_check(const struct kw_ledger *ledger, struct kw_error *err)
{
    uint64_t lost = ledger->unwitnessed_gone;

    for (const struct kw_ledger_chain *chain = ledger->chains; chain != NULL; chain = chain->next) {
        lost += chain->chain.seq - chain->witnessed;
    }
    KW_ENSURE(lost <= KW_WITNESS_LOST_MAX, err, RECEIPT_LAG,
              "authz never had %llu receipts of this boot", (unsigned long long)lost);
    return KW_OK;
}

struct kw_result kw_ledger_admit(struct kw_ledger *ledger, struct kw_id stream,
                                 const struct kw_witness *witness, struct kw_error *err)
{
    struct kw_ledger_chain *chain;

    KW_TRY(witness_take(ledger, witness, err));
    KW_TRY(kw_ledger_get(ledger, stream, &chain, err));
    KW_ENSURE(chain->unacked_count < KW_LEDGER_UNACKED_MAX, err, RECEIPT_LAG,
              "%zu receipts unacknowledged", chain->unacked_count);
    KW_TRY(lag_check(chain, witnessed_seq(chain, witness), err));
    KW_TRY(lost_check(ledger, err));
    chain->calls++;
    return KW_OK;
}

void kw_ledger_leave(struct kw_ledger *ledger, struct kw_id stream)
{
    struct kw_ledger_chain *chain = kw_ledger_find(ledger, stream);

    assert(chain != NULL && chain->calls > 0);
    chain->calls--;
    chain->active_ns = kw_clock_mono_ns();
}
