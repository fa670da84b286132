/* Tables kept_chains and kept_segments: what this cell keeps of other cells' receipt logs. A chain is kept under the place
 * of whoever handed it over, so nobody can be in the way of another's. All functions run on the store's threads. */
#ifndef KW_SERVICES_ORCHESTRATOR_KEPT_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_KEPT_TABLE_H

#include "common/audit/chain.h"
#include "common/store/row.h"

/* What a chain costs beside its segments, as it is counted. */
#define KW_KEPT_CHAIN_COST 512U

/* Plain data. */
struct kw_kept_chain {
    struct kw_chain at; /* its end, here */
    uint64_t len;       /* bytes, with KW_KEPT_CHAIN_COST */
    bool forked;        /* there is evidence of another: no more of it is taken */
};

/* `place`: "region/cell". Not found: `ret_chain` has core and stream, and is at the beginning. */
struct kw_result kw_kept_find(struct kw_tx *tx, struct kw_bytes place, struct kw_id core,
                              struct kw_id stream, struct kw_kept_chain *ret_chain, bool *ret_found,
                              struct kw_error *err);

/* The next one of the place behind (core, stream). */
struct kw_result kw_kept_next(struct kw_tx *tx, struct kw_bytes place, struct kw_id core,
                              struct kw_id stream, struct kw_kept_chain *ret_chain, bool *ret_found,
                              struct kw_error *err);

/* Bytes that are kept of all chains of a place. */
struct kw_result kw_kept_len(struct kw_tx *tx, struct kw_bytes place, uint64_t *ret_len,
                             struct kw_error *err);

/* Adds a segment (KWX1) that ends at `chain->at`, and moves the chain there. */
struct kw_result kw_kept_add(struct kw_tx *tx, struct kw_bytes place,
                             const struct kw_kept_chain *chain, struct kw_bytes segment,
                             uint64_t now_ms, struct kw_error *err);

/* Keeps the answer that contradicts the chain; the first stays. */
struct kw_result kw_kept_fork(struct kw_tx *tx, struct kw_bytes place,
                              const struct kw_kept_chain *chain, struct kw_bytes evidence,
                              uint64_t now_ms, struct kw_error *err);

/* The segment that has number `seq`, in the arena. Fails also: MEMORY. */
struct kw_result kw_kept_segment(struct kw_tx *tx, struct kw_bytes place, struct kw_id core,
                                 struct kw_id stream, uint64_t seq, struct kw_arena *arena,
                                 struct kw_bytes *ret_segment, bool *ret_found,
                                 struct kw_error *err);

#endif
