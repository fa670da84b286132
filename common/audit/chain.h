/* Chains of receipts: the issuer's place in one, and a verifier that is fed a chain in order and
 * says what it finds.
 *
 * A chain belongs to one core boot and one orchestrator stream. Receipts are numbered without gaps
 * and each names the head before it; marks (witnessed heads, checkpoints) say from outside what the
 * head was at a number.
 */
#ifndef KW_COMMON_AUDIT_CHAIN_H
#define KW_COMMON_AUDIT_CHAIN_H

#include "common/audit/checkpoint.h"
#include "common/audit/receipt.h"

/* A place in a chain. Plain data, owns nothing. seq 0 with a zero head: the beginning. */
struct kw_chain {
    struct kw_id core;
    struct kw_id stream;
    uint64_t seq; /* of the last receipt */
    struct kw_hash head;
};

/* Puts core, stream, seq and prev into `receipt`, appends its record to `out` and moves on. On
 * failure `chain` is as before. Fails: as kw_receipt_encode and kw_receipt_head. */
struct kw_result kw_chain_issue(struct kw_chain *chain, struct kw_receipt *receipt,
                                struct kw_buf *out, struct kw_error *err);

enum kw_chain_verdict {
    KW_CHAIN_OK,          /* nothing wrong so far; of a whole chain: closed in good order */
    KW_CHAIN_UNCLEAN_END, /* intact, but ends without a signed close: the core stopped hard */
    KW_CHAIN_GAP,         /* receipts are missing, in the middle or before a mark */
    KW_CHAIN_ALTERED,     /* a receipt, or a mark, is not what the others say it was */
};

/* "ok", "unclean end", "gap", "altered". Never NULL. */
const char *kw_chain_verdict_name(enum kw_chain_verdict verdict);

/* Plain data, owns nothing. */
struct kw_chain_verifier {
    struct kw_chain at;
    enum kw_chain_verdict verdict; /* the first finding; it stays */
    uint64_t verdict_seq;          /* where it was made */
    bool closed;
};

/* Starts behind `start`: the beginning of a chain, or a place that a verified checkpoint vouches
 * for. */
void kw_chain_verify_start(struct kw_chain_verifier *verifier, const struct kw_chain *start);

/* The next receipt. Of another chain, malformed, repeated, after the close or not on this head:
 * ALTERED; of a later number: GAP. Returns the verdict so far in `ret_verdict`. Fails: CRYPTO,
 * MEMORY (then nothing was judged). */
struct kw_result kw_chain_verify_receipt(struct kw_chain_verifier *verifier, struct kw_bytes record,
                                         enum kw_chain_verdict *ret_verdict, struct kw_error *err);

/* The head was `mark->head` after `mark->seq` receipts, says a witness or a verified checkpoint.
 * Feed it after that receipt and before the next: a later number than the last receipt's is a GAP,
 * an earlier one ALTERED. */
enum kw_chain_verdict kw_chain_verify_mark(struct kw_chain_verifier *verifier,
                                           const struct kw_chain *mark);

/* A checkpoint, which the caller has verified: as a mark, and the end of the chain if it says so.
 */
enum kw_chain_verdict kw_chain_verify_checkpoint(struct kw_chain_verifier *verifier,
                                                 const struct kw_checkpoint *checkpoint);

/* No more records: the finding over the whole chain. */
enum kw_chain_verdict kw_chain_verify_end(const struct kw_chain_verifier *verifier);

#endif
