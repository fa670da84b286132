/* Version vectors: for each store, how far it has counted. Joined component by component, to the
 * higher count.
 *
 * Two uses. As a clock: whoever has seen vector V has seen everything V counts, so "was this made
 * in knowledge of that?" is one comparison and needs no wall clock. As a counter: each store counts
 * what it did itself, the sum is what all did (the grow-only counter).
 *
 * A full vector (KW_VECTOR_STORES_MAX stores) may miss one: it covers nothing, and nothing covers
 * it.
 */
#ifndef KW_COMMON_SYNC_VERSION_VECTOR_H
#define KW_COMMON_SYNC_VERSION_VECTOR_H

#include "common/base/codec.h"
#include "common/sync/packed.h"

/* The encoding is the vector: store (16) ‖ count u64, ascending. Empty: nothing is counted. */
#define KW_VECTOR_ENTRY_LEN (KW_ID_LEN + 8)

bool kw_vector_valid(struct kw_bytes vector);

/* Fails: MEMORY. */
struct kw_result kw_vector_join(struct kw_bytes a, struct kw_bytes b, struct kw_arena *arena,
                                struct kw_bytes *ret_vector, struct kw_error *err);

/* 0: nothing is counted. */
uint64_t kw_vector_get(struct kw_bytes vector, struct kw_id store);

/* Is every count of `other` reached? Who made a thing in knowledge of `vector` knew `other` too. */
bool kw_vector_covers(struct kw_bytes vector, struct kw_bytes other);

/* What all stores counted together. UINT64_MAX: more than that, or the vector is full. */
uint64_t kw_vector_sum(struct kw_bytes vector);

/* Appends an entry; the caller appends them in the order of their stores. */
void kw_put_vector_entry(struct kw_writer *w, struct kw_id store, uint64_t count);

#endif
