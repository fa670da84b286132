/* Packed maps: what version vectors and suspension sets have in common. A map from ids to a few
 * bytes, kept as its own encoding: entries of one length, ascending by id, so that equal maps are
 * equal bytes. Joining keeps every id, and joins what both sides say of one.
 *
 * There is room for `count_max` entries; of more, those with the lowest ids are kept. Which they
 * are does not depend on the order of joins: an entry that had to give way once is behind
 * `count_max` others in every later union too. What a full map means is its user's business, and it
 * must be the most restrictive thing, since something may be missing.
 */
#ifndef KW_COMMON_SYNC_PACKED_H
#define KW_COMMON_SYNC_PACKED_H

#include "common/base/arena.h"
#include "common/base/id.h"

struct kw_packed_shape {
    size_t entry_len; /* KW_ID_LEN and the tail */
    size_t count_max;
    bool (*tail_valid)(const uint8_t *tail);
    void (*tail_join)(uint8_t *tail, const uint8_t *other); /* tail := tail ⊔ other */
};

/* Not empty (no entries is no map at all), whole entries, ascending, not too many, valid tails? */
bool kw_packed_valid(const struct kw_packed_shape *shape, struct kw_bytes map);

size_t kw_packed_count(const struct kw_packed_shape *shape, struct kw_bytes map);
const uint8_t *kw_packed_at(const struct kw_packed_shape *shape, struct kw_bytes map, size_t i);
bool kw_packed_full(const struct kw_packed_shape *shape, struct kw_bytes map);

/* The tail of this id's entry, in `map`; NULL: it has none. */
const uint8_t *kw_packed_find(const struct kw_packed_shape *shape, struct kw_bytes map,
                              struct kw_id id);

/* Both are valid, or empty. `ret_map` is in the arena. Fails: MEMORY. */
struct kw_result kw_packed_join(const struct kw_packed_shape *shape, struct kw_bytes a,
                                struct kw_bytes b, struct kw_arena *arena, struct kw_bytes *ret_map,
                                struct kw_error *err);

#endif
