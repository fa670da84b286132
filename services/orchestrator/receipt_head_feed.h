/* Heads of receipt chains on the feed. A chain is held to them wherever a copy of it is kept or looked at, and one that
 * forked is told when it is merged. */
#ifndef KW_SERVICES_ORCHESTRATOR_RECEIPT_HEAD_FEED_H
#define KW_SERVICES_ORCHESTRATOR_RECEIPT_HEAD_FEED_H

#include "common/audit/checkpoint.h"
#include "common/feed/feed.h"

/* `record` is the checkpoint, KWK1. Fails: as kw_feed_change. */
struct kw_result kw_receipt_head_say(const struct kw_feed_tx *feed_tx,
                                     const struct kw_checkpoint *checkpoint, struct kw_bytes record,
                                     struct kw_error *err);

/* A walk over the heads of a chain, whoever signed them, from number `seq` on, exclusive. Plain data. */
struct kw_receipt_head_walk {
    struct kw_id core;
    struct kw_id stream;
    uint64_t seq; /* of the last one that was found */
};

/* The values of one number's row. In the arena. */
struct kw_receipt_heads {
    struct kw_bytes heads;       /* a set of hashes: one, or there are two histories */
    struct kw_bytes checkpoints; /* a set of KWK1 */
};

/* The next one. Read or write job. Fails: as the store, MEMORY, INTERNAL (what is stored is damaged). */
struct kw_result kw_receipt_heads_next(struct kw_tx *tx, struct kw_receipt_head_walk *walk,
                                       struct kw_arena *arena, struct kw_receipt_heads *ret_heads,
                                       bool *ret_any, struct kw_error *err);

/* For the feed's list of tables. */
struct kw_result kw_receipt_head_check(const struct kw_record *record, struct kw_error *err);

#endif
