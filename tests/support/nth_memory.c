/* The allocator's calls of our own objects, by the linker's --wrap: malloc, calloc, realloc. Libraries
 * of others are not wrapped. */
#include "tests/support/nth.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static _Atomic uint64_t fail_at;
static _Atomic uint64_t passed;
static atomic_bool has_fired;

void nth_memory_arm(uint64_t n)
{
    atomic_store(&fail_at, 0);
    if (n != UINT64_MAX) { /* else disarmed: what has fired is remembered */
        atomic_store(&passed, 0);
        atomic_store(&has_fired, false);
        atomic_store(&fail_at, n);
    }
}

bool nth_memory_fired(void)
{
    return atomic_load(&has_fired);
}

static bool fails(void)
{
    uint64_t at = atomic_load(&fail_at);

    if (at == 0 || atomic_fetch_add(&passed, 1) + 1 != at) {
        return false;
    }
    atomic_store(&has_fired, true);
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}
