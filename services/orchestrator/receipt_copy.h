/* Copies of receipt logs (common/feed/feed_log.h): ours as others ask for it, theirs as we keep it.
 *
 * Of what another cell hands over, a segment is kept if it continues what is kept of its chain (common/audit/segment.h), is
 * of that cell's receipts. What contradicts what is kept is another history, by its giver's own word: it is kept as evidence,
 * as its giver signed it, if there is room, and the chain stops.
 *
 * Heads that lanes brought (receipt_head_feed.h) stop nothing. Whose they are only a verifier can say, who has the keys that
 * sign checkpoints; any member may have made them up. Where one differs from what is kept it is told, and `keyward verify`
 * of an export finds out which is right. */
#ifndef KW_SERVICES_ORCHESTRATOR_RECEIPT_COPY_H
#define KW_SERVICES_ORCHESTRATOR_RECEIPT_COPY_H

#include "common/feed/feed_log.h"
#include "common/store/store.h"

/* What bounds them. */
struct kw_receipt_copy_options {
    uint64_t len_max; /* bytes kept of one store; then no more is taken */
};

/* For the feed's options. `options` outlives it. */
struct kw_feed_log kw_receipt_copies(const struct kw_receipt_copy_options *options);

#endif
