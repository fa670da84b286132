/* Grow-only sets of short byte strings: joined by union, and nothing ever leaves.
 *
 * There is room for `count_max` elements; of more, the lowest are kept, whatever the order of joins
 * (see packed.h). Where a second element is the finding (a request that ran twice), it stays one.
 */
#ifndef KW_COMMON_SYNC_GROW_SET_H
#define KW_COMMON_SYNC_GROW_SET_H

#include "common/base/arena.h"
#include "common/base/codec.h"

#define KW_SET_ELEMENT_LEN_MAX 255U

/* The encoding is the set: length u8 (not 0) ‖ bytes, in kw_bytes_order. Empty: no elements. */
bool kw_set_valid(struct kw_bytes set, size_t count_max);

/* Takes the next element off the front of `set`; false: there is none. */
bool kw_set_next(struct kw_bytes *set, struct kw_bytes *ret_element);

size_t kw_set_count(struct kw_bytes set);
bool kw_set_has(struct kw_bytes set, struct kw_bytes element);

/* Both are valid, or empty. `ret_set` is in the arena. Fails: MEMORY. */
struct kw_result kw_set_join(struct kw_bytes a, struct kw_bytes b, size_t count_max,
                             struct kw_arena *arena, struct kw_bytes *ret_set,
                             struct kw_error *err);

/* Appends an element; the caller appends them in order. */
void kw_put_set_element(struct kw_writer *w, struct kw_bytes element);

#endif
