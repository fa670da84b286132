/* Groups of a chunk: items under the same grant with the same operation share one inner call.
 * Between chunk.c and chunk_group.c. */
#ifndef KW_SERVICES_AUTHZ_CHUNK_GROUP_H
#define KW_SERVICES_AUTHZ_CHUNK_GROUP_H

#include "services/authz/chunk.h"

/* Makes and starts groups of all items that have a grant to try. Fails: MEMORY, LIMIT_REACHED;
 * groups started before go on. */
struct kw_result kw_chunk_groups_start(struct kw_chunk *chunk, struct kw_error *err);

/* Gives all groups up; the last that is back proceeds with the chunk. */
void kw_chunk_groups_cancel(struct kw_chunk *chunk);

/* chunk.c: answers items, each with its envelope or, if it was refused, its reason. Fails: MEMORY.
 */
struct kw_result kw_chunk_answer(struct kw_chunk *chunk, const size_t *indices,
                                 Keyward__V1__KeyEnvelope *const *envelopes, size_t count,
                                 struct kw_error *err);

/* chunk.c: the chunk fails as a whole, when what is under way is back. */
void kw_chunk_fail(struct kw_chunk *chunk, const struct kw_error *error);

/* chunk.c: a group is back: next grants, more groups, or the end. */
void kw_chunk_proceed(struct kw_chunk *chunk);

#endif
