/* Table protections: keys made here that are not known to be protected yet, each with the fact that the core made to
 * say so once it is true, and where in our lane they are. This cell's own. All functions run on the store's threads. */
#ifndef KW_SERVICES_ORCHESTRATOR_PROTECTION_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_PROTECTION_TABLE_H

#include "common/store/row.h"

struct kw_protection_row {
    struct kw_id key;
    struct kw_id lane; /* ours at that time */
    uint64_t seq;      /* who holds it so far has the key, and all that belongs to it */
    uint64_t since_ms;
    struct kw_bytes record; /* KWF1 */
    struct kw_bytes mac;
};

/* Fails: as the store. */
struct kw_result kw_protection_put(struct kw_tx *tx, const struct kw_protection_row *row,
                                   struct kw_error *err);
struct kw_result kw_protection_delete(struct kw_tx *tx, struct kw_id key, struct kw_error *err);

/* The first lane after `after` of which one waits. Fails: as the store, INTERNAL. */
struct kw_result kw_protection_lane(struct kw_tx *tx, struct kw_id after, struct kw_id *ret_lane,
                                    bool *ret_found, struct kw_error *err);

/* Those of a lane, the first in it first; at most `max`. Fails: as the store, MEMORY, INTERNAL. */
struct kw_result kw_protection_list(struct kw_tx *tx, struct kw_id lane, size_t max,
                                    struct kw_arena *arena, struct kw_protection_row *rows,
                                    size_t *ret_count, struct kw_error *err);

/* How many wait, and since when; 0: none. Fails: as the store. */
struct kw_result kw_protection_count(struct kw_tx *tx, uint64_t *ret_count, uint64_t *ret_since_ms,
                                     struct kw_error *err);

/* Pens of a batch whose key is protected, by the facts: the same in all cells. Fails: as the store. */
struct kw_result kw_protected_count(struct kw_tx *tx, struct kw_id batch, uint32_t *ret_count,
                                    struct kw_error *err);

#endif
