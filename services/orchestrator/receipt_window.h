/* The receipt window: brings the receipts of one chain into order before they are stored, and says
 * how far they are durable. Pure: no clock, no I/O.
 *
 *     offer ──▶ [5 parked][6 parked]        waits for 4, which comes again on the standing call
 *     next  ◀── [4][5][6]                   in turn: each names the head of the one before
 *     durable(seq) ──▶ acked                the highest number up to which nothing is missing
 *
 * A core's answers come in the order of its chain, but an answer whose call was given up is lost
 * and sent again, so that later ones overtake it. What does not fit the chain (another head, a
 * number far ahead) breaks it for good.
 */
#ifndef KW_SERVICES_ORCHESTRATOR_RECEIPT_WINDOW_H
#define KW_SERVICES_ORCHESTRATOR_RECEIPT_WINDOW_H

#include "common/audit/chain.h"

/* A receipt on its way in. Embedded in whoever brought it; must stay valid until it comes out of
 * kw_window_next or kw_window_flush. */
struct kw_receipt_entry {
    struct kw_bytes record;
    struct kw_receipt receipt; /* `record`, decoded */
    struct kw_hash head;       /* after it; set by kw_window_next */
};

enum kw_window_state {
    KW_WINDOW_EMPTY,
    KW_WINDOW_PARKED,
    KW_WINDOW_TAKEN,
    KW_WINDOW_DURABLE
};

struct kw_window_slot {
    enum kw_window_state state;
    struct kw_receipt_entry *entry; /* when parked */
    struct kw_hash head;            /* when taken or durable */
};

/* Plain data; owns nothing. */
struct kw_receipt_window {
    struct kw_chain at; /* the last receipt taken */
    uint64_t durable;   /* what may be acknowledged */
    struct kw_hash durable_head;
    size_t parked;
    bool broken;
    struct kw_window_slot slots[KW_RECEIPT_WINDOW_LEN];
};

void kw_window_init(struct kw_receipt_window *window, struct kw_id core, struct kw_id stream);

/* Hands a receipt in. `*ret_known`: it was taken before (a repeated one): it will not come out
 * again and the caller keeps it. Fails: ENCODING_INVALID (of another chain, or too far ahead: the
 * chain is broken now), PEER_UNAVAILABLE (it was broken before). */
struct kw_result kw_window_offer(struct kw_receipt_window *window, struct kw_receipt_entry *entry,
                                 bool *ret_known, struct kw_error *err);

/* The next receipt in turn, or NULL when it is not here. Fails: ENCODING_INVALID (it names another
 * head: the chain is broken now), CRYPTO, MEMORY; then the receipt stays parked. */
struct kw_result kw_window_next(struct kw_receipt_window *window,
                                struct kw_receipt_entry **ret_entry, struct kw_error *err);

/* A receipt that was taken is durable now. */
void kw_window_durable(struct kw_receipt_window *window, uint64_t seq);

/* Any parked receipt, out of turn, to give it up; NULL when there is none. */
struct kw_receipt_entry *kw_window_flush(struct kw_receipt_window *window);

#endif
