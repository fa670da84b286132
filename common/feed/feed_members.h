/* Who the other stores are, by their rows: who is to have our changes, and whose we wait for. */
#ifndef KW_COMMON_FEED_FEED_MEMBERS_H
#define KW_COMMON_FEED_FEED_MEMBERS_H

#include "common/base/arena.h"
#include "common/base/id.h"
#include "common/store/store.h"

/* Plain data; the bytes are in the arena. */
struct kw_feed_member {
    struct kw_id store;
    struct kw_bytes region; /* empty: not known */
    struct kw_bytes cell;   /* the same */
    struct kw_id life;      /* its present incarnation; none: not known */
    uint64_t ordered_ms;    /* when the last order about it was issued; 0: there is none */
    uint64_t
        state; /* enum kw_store_state, as it is in the row; 0: nothing is said. DRAINING: its present life is */
    struct kw_bytes voucher; /* KWV1; empty: none */
    struct kw_bytes signers; /* as in the row */
    struct kw_bytes lives;   /* the same: all of them, and which are settled */
    struct kw_bytes settled;
};

/* All stores but those that are fenced, by id: ours among them, once it is known. A state of a later
 * release is not known to be the end of a store. In the arena. Read or write job. Fails: as the store,
 * MEMORY, INTERNAL (what is stored is damaged), LIMIT_REACHED (more than KW_VECTOR_STORES_MAX). */
struct kw_result kw_feed_members(struct kw_tx *tx, struct kw_arena *arena,
                                 struct kw_feed_member **ret_members, size_t *ret_count,
                                 struct kw_error *err);

/* All of one place, "region/cell", those that are fenced, too; of an empty one: of all places. Where there is no room for all
 * of them, the last of the fenced are left out. By id. Fails: the same. */
struct kw_result kw_feed_stores_at(struct kw_tx *tx, struct kw_arena *arena, struct kw_bytes place,
                                   struct kw_feed_member **ret_members, size_t *ret_count,
                                   struct kw_error *err);

/* Appends those that are fenced, and whose lanes are not held here as far as the latest order honours: they may have
 * revoked what we don't know yet. There is room for KW_VECTOR_STORES_MAX. Fails: the same. */
struct kw_result kw_feed_awaited(struct kw_tx *tx, struct kw_arena *arena,
                                 struct kw_feed_member *members, size_t *count,
                                 struct kw_error *err);

#endif
