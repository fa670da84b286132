/* What a job may do: statements, parameters, rows. And the running of one job, with what is owed
 * afterwards. */
#include "common/store/store_internal.h"

/* --- statements --- */

struct kw_result kw_sql(struct kw_tx *tx, const char *sql, struct kw_stmt **ret_stmt,
                        struct kw_error *err)
{
    struct kw_stmt *stmt;
    struct kw_result result = kw_conn_statement(tx->conn, sql, &stmt, err);

    if (!kw_ok(result)) {
        tx->failed = true;
        return result;
    }
    if (stmt->used) {
        (void)sqlite3_reset(stmt->handle);
        (void)sqlite3_clear_bindings(stmt->handle);
    } else {
        stmt->used = true;
        stmt->next_used = tx->used;
        tx->used = stmt;
    }
    stmt->bind_code = SQLITE_OK;
    stmt->ended = false;
    *ret_stmt = stmt;
    return KW_OK;
}

/* SQLite's number for $index; 0, which it refuses, when the statement has no such parameter. */
static int slot_of(const struct kw_stmt *stmt, int index)
{
    return index >= 1 && index <= KW_STORE_PARAMETERS_MAX ? stmt->slots[index] : 0;
}

static void note_bind(struct kw_stmt *stmt, int code)
{
    if (stmt->bind_code == SQLITE_OK) {
        stmt->bind_code = code;
    }
}

void kw_bind_blob(struct kw_stmt *stmt, int index, struct kw_bytes value)
{
    int slot = slot_of(stmt, index);

    if (value.len == 0) { /* a null pointer would bind NULL: empty bytes are a value */
        note_bind(stmt, sqlite3_bind_zeroblob(stmt->handle, slot, 0));
        return;
    }
    note_bind(stmt, sqlite3_bind_blob64(stmt->handle, slot, value.data, value.len, SQLITE_STATIC));
}

void kw_bind_id(struct kw_stmt *stmt, int index, const struct kw_id *value)
{
    kw_bind_blob(stmt, index, kw_id_bytes(value));
}

void kw_bind_text(struct kw_stmt *stmt, int index, const char *value)
{
    note_bind(stmt,
              sqlite3_bind_text(stmt->handle, slot_of(stmt, index), value, -1, SQLITE_STATIC));
}

void kw_bind_i64(struct kw_stmt *stmt, int index, int64_t value)
{
    note_bind(stmt, sqlite3_bind_int64(stmt->handle, slot_of(stmt, index), value));
}

/* --- running --- */

/* A job may go on after ALREADY_EXISTS, which leaves nothing behind; after anything else it may
 * not. */
static struct kw_result fail_step(struct kw_stmt *stmt, int code, struct kw_error *err)
{
    struct kw_result result = kw_conn_error(stmt->tx->conn, code, stmt->sql, err);

    if (result.reason != KW_E_ALREADY_EXISTS) {
        stmt->tx->failed = true;
    }
    return result;
}

/* Between the rows of a read; within a long search for one conn.c looks at the clock. */
static int step_in_time(struct kw_stmt *stmt)
{
    return kw_conn_is_late(stmt->tx->conn) ? SQLITE_INTERRUPT : sqlite3_step(stmt->handle);
}

struct kw_result kw_step(struct kw_stmt *stmt, bool *ret_row, struct kw_error *err)
{
    struct kw_result result = KW_OK;
    int code;

    if (stmt->ended) {
        *ret_row = false;
        return KW_OK;
    }
    code = stmt->bind_code == SQLITE_OK ? step_in_time(stmt) : stmt->bind_code;
    if (code == SQLITE_ROW) {
        *ret_row = true;
        return KW_OK;
    }
    if (code != SQLITE_DONE) {
        result = fail_step(stmt, code, err);
    } else {
        *ret_row = false;
    }
    stmt->ended = true;
    (void)sqlite3_reset(stmt->handle);
    return result;
}

struct kw_result kw_exec(struct kw_stmt *stmt, int64_t *ret_changed, struct kw_error *err)
{
    bool row = true;

    while (row) {
        KW_TRY(kw_step(stmt, &row, err));
    }
    if (ret_changed != NULL) {
        *ret_changed = sqlite3_changes64(stmt->tx->conn->db);
    }
    return KW_OK;
}

/* --- columns --- */

struct kw_bytes kw_col_blob(struct kw_stmt *stmt, int column)
{
    const void *data =
        sqlite3_column_blob(stmt->handle, column); /* before its length: it may convert */

    return KW_BYTES(data, (size_t)sqlite3_column_bytes(stmt->handle, column));
}

struct kw_result kw_col_id(struct kw_stmt *stmt, int column, struct kw_id *ret_id,
                           struct kw_error *err)
{
    struct kw_bytes bytes = kw_col_blob(stmt, column);

    KW_ENSURE(bytes.len == KW_ID_LEN, err, INTERNAL, "column %d has %zu bytes, which is no id: %s",
              column, bytes.len, stmt->sql);
    return kw_id_from_bytes(bytes, ret_id, err);
}

const char *kw_col_text(struct kw_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt->handle, column);

    return text != NULL ? text : "";
}

int64_t kw_col_i64(struct kw_stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->handle, column);
}

bool kw_col_is_null(struct kw_stmt *stmt, int column)
{
    return sqlite3_column_type(stmt->handle, column) == SQLITE_NULL;
}

/* --- one job --- */

/* True when a deferred foreign key is still open. Left to COMMIT it would fail the whole group. */
static bool owes_foreign_keys(sqlite3 *db)
{
    int owed = 0;
    int high = 0;

    (void)sqlite3_db_status(db, SQLITE_DBSTATUS_DEFERRED_FKS, &owed, &high, 0);
    return owed != 0;
}

static struct kw_result run_checked(struct kw_conn *conn, struct kw_store_job *job,
                                    struct kw_error *err)
{
    KW_TRY(job->run(job, &conn->tx, err));
    KW_ENSURE(!conn->tx.failed, err, INTERNAL, "a job went on after a failed statement");
    KW_ENSURE(!owes_foreign_keys(conn->db), err, INTERNAL, "a job left a foreign key unresolved");
    return KW_OK;
}

struct kw_result kw_store_run_job(struct kw_conn *conn, struct kw_store_job *job,
                                  struct kw_error *err)
{
    struct kw_result result = run_checked(conn, job, err);

    kw_conn_settle(conn);
    return result;
}
