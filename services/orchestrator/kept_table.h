/* Tables kept_chains, kept_segments and kept_stores: what this cell keeps of other cells' receipt logs. A chain is kept under
 * the place of whoever handed it over, so nobody can be in the way of another's. All functions run on the store's threads. */
#ifndef KW_SERVICES_ORCHESTRATOR_KEPT_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_KEPT_TABLE_H

#include "common/audit/chain.h"
#include "common/store/row.h"

/* What a chain costs beside its segments, as it is counted. */
#define KW_KEPT_CHAIN_COST 512U

/* Plain data. */
struct kw_kept_chain {
    struct kw_chain at; /* its end, here */
    uint64_t len;       /* bytes, with its evidence and KW_KEPT_CHAIN_COST */
    bool stored;        /* something of it is kept */
    bool forked;        /* its giver signed another, too: no more of it is taken */
};

/* `place`: "region/cell". One of which nothing is stored is at its beginning. */
struct kw_result kw_kept_find(struct kw_tx *tx, struct kw_bytes place, struct kw_id core,
                              struct kw_id stream, struct kw_kept_chain *ret_chain,
                              struct kw_error *err);

/* The next one of the place behind (core, stream). */
struct kw_result kw_kept_next(struct kw_tx *tx, struct kw_bytes place, struct kw_id core,
                              struct kw_id stream, struct kw_kept_chain *ret_chain, bool *ret_found,
                              struct kw_error *err);

/* What is kept of what one store handed over, of all its chains: whoever comes to its place when it is fenced has room of
 * its own. Plain data. */
struct kw_kept_sum {
    uint64_t len;
    uint64_t chains;
};

struct kw_result kw_kept_sum(struct kw_tx *tx, struct kw_id store, struct kw_kept_sum *ret_sum,
                             struct kw_error *err);

/* Who hands something over. Borrows. */
struct kw_kept_giver {
    struct kw_bytes place;
    struct kw_id store;
};

/* Adds a segment (KWX1) that ends at `chain->at`, and moves the chain there. */
struct kw_result kw_kept_add(struct kw_tx *tx, const struct kw_kept_giver *giver,
                             const struct kw_kept_chain *chain, struct kw_bytes segment,
                             struct kw_error *err);

/* No more of the chain, of which something is stored, is taken. */
struct kw_result kw_kept_fork(struct kw_tx *tx, struct kw_bytes place,
                              const struct kw_kept_chain *chain, struct kw_error *err);

/* Keeps the answer that contradicts it; of a chain of which something is stored. */
struct kw_result kw_kept_evidence(struct kw_tx *tx, const struct kw_kept_giver *giver,
                                  const struct kw_kept_chain *chain, struct kw_bytes evidence,
                                  struct kw_error *err);

/* The segment that has number `seq`, in the arena. Fails also: MEMORY. */
struct kw_result kw_kept_segment(struct kw_tx *tx, struct kw_bytes place, struct kw_id core,
                                 struct kw_id stream, uint64_t seq, struct kw_arena *arena,
                                 struct kw_bytes *ret_segment, bool *ret_found,
                                 struct kw_error *err);

#endif
