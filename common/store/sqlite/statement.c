/* Statements of SQLite: parameters by number, rows as they are found. */
#include "common/store/sqlite/sqlite.h"

#include <stdlib.h>

/* What PostgreSQL needs to hear, and SQLite neither needs nor knows: its one writer has all rows to
 * itself. */
static const char for_update[] = " FOR UPDATE";

/* $1, $2 … are names to SQLite, which numbers them in order of appearance; this finds out which is
 * which. */
static bool map_parameters(struct kw_sqlite_stmt *stmt)
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

/* Nothing more than what is left out. */
static bool is_end(const char *text)
{
    return strcmp(text, for_update) == 0 || text[strspn(text, " \t\n;")] == '\0';
}

static bool locks_rows(const char *sql)
{
    size_t length = strlen(sql);
    size_t tail = sizeof(for_update) - 1;

    return length > tail && strcmp(sql + length - tail, for_update) == 0;
}

struct kw_result kw_sqlite_prepare(struct kw_conn *conn, const char *sql, struct kw_stmt *stmt,
                                   struct kw_error *err)
{
    struct kw_sqlite_stmt *own = &stmt->sqlite;
    bool locks = locks_rows(sql);
    int length = locks ? (int)(strlen(sql) - (sizeof(for_update) - 1)) : -1; /* -1: all */
    const char *rest = NULL;
    int code;

    KW_ENSURE(!locks || conn->role == KW_CONN_WRITER, err, INTERNAL,
              "a read job can't lock rows: %s", sql);
    code =
        sqlite3_prepare_v3(conn->db, sql, length, SQLITE_PREPARE_PERSISTENT, &own->handle, &rest);
    if (code != SQLITE_OK) {
        return kw_sqlite_error(conn, code, sql, err);
    }
    if (own->handle == NULL || !is_end(rest) || !map_parameters(own)) {
        (void)sqlite3_finalize(own->handle);
        *own = (struct kw_sqlite_stmt){0};
        KW_FAIL(err, INTERNAL, "not one statement with parameters $1 to $%d: %s",
                KW_STORE_PARAMETERS_MAX, sql);
    }
    return KW_OK;
}

void kw_sqlite_finalize(struct kw_stmt *stmt)
{
    (void)sqlite3_finalize(stmt->sqlite.handle);
}

void kw_sqlite_rewind(struct kw_stmt *stmt)
{
    (void)sqlite3_reset(stmt->sqlite.handle);
}

void kw_sqlite_unbind(struct kw_stmt *stmt)
{
    (void)sqlite3_reset(stmt->sqlite.handle);
    (void)sqlite3_clear_bindings(stmt->sqlite.handle);
    stmt->sqlite.bind_code = SQLITE_OK;
}

/* --- parameters --- */

/* SQLite's number for $index; 0, which it refuses, when the statement has no such parameter. */
static int slot_of(const struct kw_stmt *stmt, int index)
{
    return index >= 1 && index <= KW_STORE_PARAMETERS_MAX ? stmt->sqlite.slots[index] : 0;
}

static void note_bind(struct kw_stmt *stmt, int code)
{
    if (stmt->sqlite.bind_code == SQLITE_OK) {
        stmt->sqlite.bind_code = code;
    }
}

void kw_sqlite_bind_blob(struct kw_stmt *stmt, int index, struct kw_bytes value)
{
    sqlite3_stmt *handle = stmt->sqlite.handle;
    int slot = slot_of(stmt, index);

    if (value.len == 0) { /* a null pointer would bind NULL: empty bytes are a value */
        note_bind(stmt, sqlite3_bind_zeroblob(handle, slot, 0));
        return;
    }
    note_bind(stmt, sqlite3_bind_blob64(handle, slot, value.data, value.len, SQLITE_STATIC));
}

void kw_sqlite_bind_text(struct kw_stmt *stmt, int index, const char *value)
{
    note_bind(stmt, sqlite3_bind_text(stmt->sqlite.handle, slot_of(stmt, index), value, -1,
                                      SQLITE_STATIC));
}

void kw_sqlite_bind_i64(struct kw_stmt *stmt, int index, int64_t value)
{
    note_bind(stmt, sqlite3_bind_int64(stmt->sqlite.handle, slot_of(stmt, index), value));
}

/* --- running --- */

/* Between the rows of a read; within a long search for one conn.c looks at the clock. */
static int step_in_time(struct kw_stmt *stmt)
{
    return kw_conn_is_late(stmt->tx->conn) ? SQLITE_INTERRUPT : sqlite3_step(stmt->sqlite.handle);
}

struct kw_result kw_sqlite_step(struct kw_stmt *stmt, bool *ret_row, struct kw_error *err)
{
    int code = stmt->sqlite.bind_code == SQLITE_OK ? step_in_time(stmt) : stmt->sqlite.bind_code;

    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return kw_sqlite_error(stmt->tx->conn, code, stmt->sql, err);
    }
    *ret_row = code == SQLITE_ROW;
    return KW_OK;
}

int64_t kw_sqlite_changed(const struct kw_stmt *stmt)
{
    return sqlite3_changes64(stmt->tx->conn->db);
}

/* --- columns --- */

struct kw_bytes kw_sqlite_col_blob(struct kw_stmt *stmt, int column)
{
    sqlite3_stmt *handle = stmt->sqlite.handle;
    const void *data = sqlite3_column_blob(handle, column); /* before its length: it may convert */

    return KW_BYTES(data, (size_t)sqlite3_column_bytes(handle, column));
}

const char *kw_sqlite_col_text(struct kw_stmt *stmt, int column)
{
    return (const char *)sqlite3_column_text(stmt->sqlite.handle, column);
}

int64_t kw_sqlite_col_i64(struct kw_stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->sqlite.handle, column);
}

bool kw_sqlite_col_is_null(struct kw_stmt *stmt, int column)
{
    return sqlite3_column_type(stmt->sqlite.handle, column) == SQLITE_NULL;
}
