/* Arena: the memory of one request. Everything a call unpacks or makes on its way lives here and
 * goes at once.
 *
 * The budget is the request's allocation limit: bad input can make us refuse, never swell.
 * Resources that are not memory ride along as release callbacks, run in reverse order. Not thread
 * safe: one owner at a time.
 */
#ifndef KW_COMMON_BASE_ARENA_H
#define KW_COMMON_BASE_ARENA_H

#include "common/base/bytes.h"

struct kw_arena;

/* An empty arena that will give out at most `budget` bytes. NULL: out of memory. Caller frees. */
struct kw_arena *kw_arena_new(size_t budget);

/* Runs the release callbacks, wipes and frees. Accepts NULL. */
void kw_arena_free(struct kw_arena *arena);

/* `size` bytes, aligned for any type, zeroed; NULL when the budget or memory is exhausted. */
void *kw_arena_alloc(struct kw_arena *arena, size_t size);

/* Copies into the arena. Fails: MEMORY. */
struct kw_result kw_arena_copy(struct kw_arena *arena, struct kw_bytes bytes,
                               struct kw_bytes *ret_copy, struct kw_error *err);

/* A NUL-terminated copy of `len` bytes of text, or NULL. */
char *kw_arena_text(struct kw_arena *arena, const char *text, size_t len);

/* printf into the arena, or NULL. */
char *kw_arena_printf(struct kw_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Calls `release(what)` when the arena is freed. Fails: MEMORY (then `what` is still the caller's).
 */
struct kw_result kw_arena_defer(struct kw_arena *arena, void (*release)(void *what), void *what,
                                struct kw_error *err);

/* Bytes given out so far: what the budget is charged with. */
size_t kw_arena_used(const struct kw_arena *arena);

#endif
