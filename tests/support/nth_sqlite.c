/* SQLite's allocator with one call that fails. */
#include "tests/support/nth.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>

static sqlite3_mem_methods below;
static _Atomic uint64_t fail_at;
static _Atomic uint64_t passed;
static atomic_bool has_fired;

static bool fails(void)
{
    uint64_t at = atomic_load(&fail_at);

    if (at == 0 || atomic_fetch_add(&passed, 1) + 1 != at) {
        return false;
    }
    atomic_store(&has_fired, true);
    return true;
}

static void *failing_malloc(int size)
{
    return fails() ? NULL : below.xMalloc(size);
}

static void *failing_realloc(void *memory, int size)
{
    return fails() ? NULL : below.xRealloc(memory, size);
}

void nth_sqlite_install(void)
{
    sqlite3_mem_methods above;

    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &below) != SQLITE_OK) {
        abort();
    }
    above = below;
    above.xMalloc = failing_malloc;
    above.xRealloc = failing_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &above) != SQLITE_OK) {
        abort();
    }
}

void nth_sqlite_arm(uint64_t n)
{
    atomic_store(&fail_at, 0);
    if (n != UINT64_MAX) { /* else disarmed: what has fired is remembered */
        atomic_store(&passed, 0);
        atomic_store(&has_fired, false);
        atomic_store(&fail_at, n);
    }
}

bool nth_sqlite_fired(void)
{
    return atomic_load(&has_fired);
}
