/* What is kept of another cell's receipts, for a verifier: chain by chain its receipts, each checkpoint that lanes
 * brought behind the receipt of its number; and where one is signed for more than is kept, the first such behind the
 * last receipt. */
#ifndef KW_SERVICES_ORCHESTRATOR_KEPT_WALK_H
#define KW_SERVICES_ORCHESTRATOR_KEPT_WALK_H

#include "services/orchestrator/chain_table.h"

/* Where it stands. Zeroed, with the place: at the beginning. */
struct kw_kept_cursor {
    struct kw_bytes place; /* "region/cell" */
    struct kw_id core;
    struct kw_id stream;
    bool in_chain;
    uint64_t seq; /* of the last receipt that was shown */
    uint64_t end; /* of the chain, here */
};

/* Fills a page with what comes next. 0 records: the end. Fails: as the store, MEMORY, INTERNAL (what is stored is
 * damaged). */
struct kw_result kw_kept_walk(struct kw_tx *tx, struct kw_kept_cursor *cursor,
                              const struct kw_chain_page *page, size_t *ret_count,
                              struct kw_error *err);

#endif
