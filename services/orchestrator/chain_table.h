/* Table checkpoints, and the receipt log seen chain by chain, for the verifier. All functions run
 * on the store's threads. */
#ifndef KW_SERVICES_ORCHESTRATOR_CHAIN_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_CHAIN_TABLE_H

#include "common/audit/checkpoint.h"
#include "common/store/row.h"

/* Stores a checkpoint; a repeated one changes nothing, and is not `*ret_new`.
 * Fails: STORE_CONFLICT (the receipt with its number has another head), STORE_UNAVAILABLE,
 * INTERNAL. */
struct kw_result kw_checkpoint_insert(struct kw_tx *tx, const struct kw_checkpoint *checkpoint,
                                      struct kw_bytes record, bool *ret_new, struct kw_error *err);

#define KW_CHAIN_END ((uint64_t)INT64_MAX)

/* The stretch of one chain that proves an interval of time: from the checkpoint before it to the
 * one after. */
struct kw_chain_stretch {
    struct kw_id core;
    struct kw_id stream;
    uint64_t from_seq; /* of the checkpoint before; 0: from the beginning of the chain */
    uint64_t to_seq;   /* of the checkpoint after; KW_CHAIN_END: to its end */
};

/* The chains with receipts in [start_ms, end_ms), at most `max`, behind chain (core, stream) of
 * `after`. */
struct kw_result kw_chain_list(struct kw_tx *tx, uint64_t start_ms, uint64_t end_ms,
                               const struct kw_chain_stretch *after, size_t max,
                               struct kw_chain_stretch *stretches, size_t *ret_count,
                               struct kw_error *err);

/* The next chain behind (core, stream), and how many receipts it has. */
struct kw_result kw_chain_next(struct kw_tx *tx, struct kw_id *core, struct kw_id *stream,
                               uint64_t *ret_end, bool *ret_found, struct kw_error *err);

/* Takes the receipts behind number `after`, at most `max`, until `take` says no. */
struct kw_result kw_chain_receipts(struct kw_tx *tx, struct kw_id core, struct kw_id stream,
                                   uint64_t after, size_t max,
                                   struct kw_result (*take)(void *context, struct kw_bytes record,
                                                            bool *ret_more, struct kw_error *err),
                                   void *context, struct kw_error *err);

/* A place in a chain: a checkpoint comes behind the receipt of its number. */
struct kw_chain_place {
    uint64_t seq;
    uint32_t rank; /* 0 receipt, 1 checkpoint, 2 closed checkpoint */
};

struct kw_chain_record {
    struct kw_bytes record; /* in the page's arena */
    struct kw_chain_place place;
};

/* Room for a page: at most `max` records and, but for a first one that is longer, `len_max` bytes.
 */
struct kw_chain_page {
    struct kw_arena *arena;
    struct kw_chain_record *records;
    size_t max;
    size_t len_max;
};

/* Fills a page with what comes behind a place of the stretch, in the order of the chain. 0 records:
 * the end. */
struct kw_result kw_chain_walk(struct kw_tx *tx, const struct kw_chain_stretch *stretch,
                               struct kw_chain_place behind, const struct kw_chain_page *page,
                               size_t *ret_count, struct kw_error *err);

#endif
