/* SQLite's allocator with one call that fails. */
#include "tests/support/nth.h"

#include <sqlite3.h>
#include <stdlib.h>

static sqlite3_mem_methods below;

static void *failing_malloc(int size)
{
    return nth_fails("xMalloc") ? NULL : below.xMalloc(size);
}

static void *failing_realloc(void *memory, int size)
{
    return nth_fails("xRealloc") ? NULL : below.xRealloc(memory, size);
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
