/* Ledger: the receipt chains of this boot, one per orchestrator stream, until each receipt is
 * durable outside. What becomes of the chain of a stream that left is in ledger_chains.c.
 *
 *     issue ──▶ [1][2][3][4][5]   kept until acknowledged
 *                   ▲     ▲
 *                 acked   sent again on the standing call, when 500 ms went by or the answer
 *                         found nobody
 *
 * A checkpoint is signed by the HSM each KW_CHECKPOINT_INTERVAL_MS in which there was news, or
 * after KW_CHECKPOINT_RECEIPTS, and a closed one when the process stops in good order. Loop thread
 * only.
 */
#ifndef KW_SERVICES_CRYPTOCORE_LEDGER_H
#define KW_SERVICES_CRYPTOCORE_LEDGER_H

#include "common/audit/capsule.h"
#include "common/audit/receipt.h"
#include "common/rpc/hop.h"
#include "services/cryptocore/hsm/worker_pool.h"

struct kw_ledger;

struct kw_result kw_ledger_new(struct kw_loop *loop, struct kw_id boot_id, struct kw_hsm_pool *hsm,
                               struct kw_ledger **ret_ledger, struct kw_error *err);

/* May this chain take another use? `witness` is what the capsule says authz has stored
 * (ledger_witness.c). After a success the chain stays until kw_ledger_leave.
 * Fails: CAPSULE_INVALID (the witness is of receipts that this boot did not issue), RECEIPT_LAG (it
 * lags KW_WITNESS_LAG_RECEIPTS_MAX receipts or KW_WITNESS_LAG_MS_MAX, KW_WITNESS_LOST_MAX of this
 * boot were never witnessed, or KW_LEDGER_UNACKED_MAX are not acknowledged), LIMIT_REACHED (too
 * many streams at a time), PEER_UNAVAILABLE (the stream was away and its chain given up). */
struct kw_result kw_ledger_admit(struct kw_ledger *ledger, struct kw_id stream,
                                 const struct kw_witness *witness, struct kw_error *err);

/* The use that was admitted is over, with its receipt or without. */
void kw_ledger_leave(struct kw_ledger *ledger, struct kw_id stream);

/* Numbers and chains `receipt`. `ret_record` is the ledger's: valid until acknowledged, at least
 * until the next turn of the loop. Fails: MEMORY, CRYPTO; then the chain is as before. */
struct kw_result kw_ledger_issue(struct kw_ledger *ledger, struct kw_id stream,
                                 struct kw_receipt *receipt, struct kw_bytes *ret_record,
                                 struct kw_error *err);

/* The answer that would carry the newest receipt has nobody waiting: it goes out on the standing
 * call now. */
void kw_ledger_resend(struct kw_ledger *ledger, struct kw_id stream, uint64_t seq);

/* The orchestrator's standing call RECEIPTS came in; the ledger owns it from here. A second one
 * replaces it. One whose stream was away and whose chain was given up ends with STATE_CONFLICT:
 * the orchestrator begins another. */
void kw_ledger_serve(struct kw_ledger *ledger, struct kw_id stream, struct kw_hop_call *call);

/* Signs and sends a closed checkpoint on every chain with receipts, waits (bounded by the HSM's
 * deadline) and calls `closed`. Nothing may be issued after this. */
void kw_ledger_close(struct kw_ledger *ledger, void (*closed)(void *context), void *context);

/* After `closed` and when the loop has turned. Accepts NULL. */
void kw_ledger_free(struct kw_ledger *ledger);

#endif
