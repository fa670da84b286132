/* The statements of a connection: prepared once, found again by the address of their text, and put
 * back in order after each job.
 */
#include "common/store/store_internal.h"

#include <assert.h>
#include <stdlib.h>

/* $1, $2 … are names to SQLite, which numbers them in order of appearance; this finds out which is
 * which. */
static bool map_parameters(struct kw_stmt *stmt)
{
    int count = sqlite3_bind_parameter_count(stmt->handle);

    for (int slot = 1; slot <= count; slot++) {
        const char *name = sqlite3_bind_parameter_name(stmt->handle, slot);
        char *end = NULL;
        long number = name != NULL && name[0] == '$' ? strtol(name + 1, &end, 10) : 0;

        if (number < 1 || number > KW_STORE_PARAMETERS_MAX || *end != '\0') {
            return false;
        }
        stmt->slots[number] = (uint8_t)slot;
    }
    return true;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\n;")] == '\0';
}

static struct kw_result prepare(struct kw_conn *conn, const char *sql, struct kw_stmt *stmt,
                                struct kw_error *err)
{
    const char *rest = NULL;
    int code =
        sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->handle, &rest);

    if (code != SQLITE_OK) {
        return kw_conn_error(conn, code, sql, err);
    }
    if (stmt->handle == NULL || !is_blank(rest) || !map_parameters(stmt)) {
        (void)sqlite3_finalize(stmt->handle);
        *stmt = (struct kw_stmt){0};
        KW_FAIL(err, INTERNAL, "not one statement with parameters $1 to $%d: %s",
                KW_STORE_PARAMETERS_MAX, sql);
    }
    stmt->sql = sql;
    stmt->tx = &conn->tx;
    conn->cached++;
    return KW_OK;
}

/* The slot that holds `sql`, or the free one where it belongs. */
static struct kw_stmt *find_slot(struct kw_conn *conn, const char *sql)
{
    uint64_t hash =
        (uint64_t)(uintptr_t)sql * UINT64_C(0x9E3779B97F4A7C15); /* 2^64 / golden ratio */
    size_t at = (size_t)(hash >> 32) % KW_CONN_SLOTS;

    while (conn->cache[at].sql != NULL && conn->cache[at].sql != sql) {
        at = (at + 1) % KW_CONN_SLOTS;
    }
    return &conn->cache[at];
}

struct kw_result kw_conn_statement(struct kw_conn *conn, const char *sql, struct kw_stmt **ret_stmt,
                                   struct kw_error *err)
{
    struct kw_stmt *stmt = find_slot(conn, sql);

    if (stmt->sql == NULL) {
        KW_ENSURE(conn->cached < KW_STORE_STATEMENTS_MAX, err, INTERNAL, "more than %d statements",
                  KW_STORE_STATEMENTS_MAX);
        KW_TRY(prepare(conn, sql, stmt, err));
    }
    assert(strcmp(sqlite3_sql(stmt->handle), sql) == 0); /* else the text was no constant */
    *ret_stmt = stmt;
    return KW_OK;
}
