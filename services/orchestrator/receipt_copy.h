/* Copies of receipt logs (common/feed/feed_log.h): ours as others ask for it, theirs as we keep it.
 *
 * Of what another cell hands over, a segment is kept if it continues what is kept of its chain (common/audit/segment.h), is
 * of that cell's receipts, and goes through every head that is signed for it, as far as lanes have brought us any. What is
 * behind the last of them is kept, too: until a head comes it is its giver's word, and says so when it is verified. What
 * contradicts what is kept, or a signed head, is kept as evidence, as its giver signed it, and the chain stops. */
#ifndef KW_SERVICES_ORCHESTRATOR_RECEIPT_COPY_H
#define KW_SERVICES_ORCHESTRATOR_RECEIPT_COPY_H

#include "common/feed/feed_log.h"
#include "common/store/store.h"

/* What bounds them. */
struct kw_receipt_copy_options {
    uint64_t len_max; /* bytes kept of one cell; then no more is taken */
};

/* For the feed's options. `options` outlives it. */
struct kw_feed_log kw_receipt_copies(const struct kw_receipt_copy_options *options);

#endif
