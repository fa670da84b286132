/* Arena allocation in blocks of a page, or of one larger piece; everything is wiped before it is
 * freed. */
#include "common/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_SIZE_MIN 4096U
#define ALIGN          16U

struct block {
    struct block *next;
    size_t size;
    size_t used;
    _Alignas(ALIGN) uint8_t data[];
};

struct deferred {
    struct deferred *next;
    void (*release)(void *what);
    void *what;
};

struct kw_arena {
    struct block *blocks; /* newest first; only the newest is filled */
    struct deferred *deferred;
    size_t budget;
    size_t used;
};

struct kw_arena *kw_arena_new(size_t budget)
{
    struct kw_arena *arena = calloc(1, sizeof(*arena));

    if (arena != NULL) {
        arena->budget = budget;
    }
    return arena;
}

void kw_arena_free(struct kw_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    for (struct deferred *d = arena->deferred; d != NULL; d = d->next) {
        d->release(d->what);
    }
    while (arena->blocks != NULL) {
        struct block *next = arena->blocks->next;

        kw_wipe(arena->blocks->data, arena->blocks->used);
        free(arena->blocks);
        arena->blocks = next;
    }
    free(arena);
}

static struct block *block_add(struct kw_arena *arena, size_t need)
{
    size_t size = need > BLOCK_SIZE_MIN ? need : BLOCK_SIZE_MIN;
    size_t total;
    struct block *block = NULL;

    if (!__builtin_add_overflow(size, sizeof(*block), &total)) {
        block = calloc(1, total);
    }
    if (block != NULL) {
        block->size = size;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

void *kw_arena_alloc(struct kw_arena *arena, size_t size)
{
    struct block *block = arena->blocks;
    size_t need;
    void *given;

    if (__builtin_add_overflow(size, ALIGN - 1, &need)) {
        return NULL;
    }
    need &= ~(size_t)(ALIGN - 1);
    if (need > arena->budget - arena->used) {
        return NULL;
    }
    if (block == NULL || block->size - block->used < need) {
        block = block_add(arena, need);
    }
    if (block == NULL) {
        return NULL;
    }
    given = block->data + block->used;
    block->used += need;
    arena->used += need;
    return given;
}

struct kw_result kw_arena_copy(struct kw_arena *arena, struct kw_bytes bytes,
                               struct kw_bytes *ret_copy, struct kw_error *err)
{
    uint8_t *copy = kw_arena_alloc(arena, bytes.len > 0 ? bytes.len : 1);

    KW_ENSURE(copy != NULL, err, MEMORY, "request budget: %zu bytes more", bytes.len);
    kw_copy(copy, bytes.data, bytes.len);
    *ret_copy = KW_BYTES(copy, bytes.len);
    return KW_OK;
}

char *kw_arena_text(struct kw_arena *arena, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? kw_arena_alloc(arena, len + 1) : NULL;

    if (copy != NULL) {
        kw_copy(copy, text, len);
    }
    return copy;
}

char *kw_arena_printf(struct kw_arena *arena, const char *format, ...)
{
    va_list args;
    va_list again;
    int len;
    char *text = NULL;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    if (len >= 0) {
        text = kw_arena_alloc(arena, (size_t)len + 1);
    }
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)len + 1, format, again);
    }
    va_end(again);
    va_end(args);
    return text;
}

struct kw_result kw_arena_defer(struct kw_arena *arena, void (*release)(void *what), void *what,
                                struct kw_error *err)
{
    struct deferred *d = kw_arena_alloc(arena, sizeof(*d));

    KW_ENSURE(d != NULL, err, MEMORY, "request budget: a release");
    d->release = release;
    d->what = what;
    d->next = arena->deferred;
    arena->deferred = d;
    return KW_OK;
}

size_t kw_arena_used(const struct kw_arena *arena)
{
    return arena->used;
}
