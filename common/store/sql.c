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
        tx->conn->backend->unbind(stmt);
    } else {
        stmt->used = true;
        stmt->next_used = tx->used;
        tx->used = stmt;
    }
    stmt->ended = false;
    *ret_stmt = stmt;
    return KW_OK;
}

static const struct kw_backend *backend_of(const struct kw_stmt *stmt)
{
    return stmt->tx->conn->backend;
}

void kw_bind_blob(struct kw_stmt *stmt, int index, struct kw_bytes value)
{
    backend_of(stmt)->bind_blob(stmt, index, value);
}

void kw_bind_id(struct kw_stmt *stmt, int index, const struct kw_id *value)
{
    kw_bind_blob(stmt, index, kw_id_bytes(value));
}

void kw_bind_text(struct kw_stmt *stmt, int index, const char *value)
{
    backend_of(stmt)->bind_text(stmt, index, value);
}

void kw_bind_i64(struct kw_stmt *stmt, int index, int64_t value)
{
    backend_of(stmt)->bind_i64(stmt, index, value);
}

/* --- running --- */

/* A job may go on after ALREADY_EXISTS, which leaves nothing behind; after anything else it may
 * not. */
struct kw_result kw_step(struct kw_stmt *stmt, bool *ret_row, struct kw_error *err)
{
    struct kw_result result;

    if (stmt->ended) {
        *ret_row = false;
        return KW_OK;
    }
    result = backend_of(stmt)->step(stmt, ret_row, err);
    if (kw_ok(result) && *ret_row) {
        return KW_OK;
    }
    if (!kw_ok(result) && result.reason != KW_E_ALREADY_EXISTS) {
        stmt->tx->failed = true;
    }
    stmt->ended = true;
    backend_of(stmt)->rewind(stmt);
    return result;
}

struct kw_result kw_exec(struct kw_stmt *stmt, int64_t *ret_changed, struct kw_error *err)
{
    bool row = true;

    while (row) {
        KW_TRY(kw_step(stmt, &row, err));
    }
    if (ret_changed != NULL) {
        *ret_changed = backend_of(stmt)->changed(stmt);
    }
    return KW_OK;
}

/* --- columns --- */

struct kw_bytes kw_col_blob(struct kw_stmt *stmt, int column)
{
    return backend_of(stmt)->col_blob(stmt, column);
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
    const char *text = backend_of(stmt)->col_text(stmt, column);

    return text != NULL ? text : "";
}

int64_t kw_col_i64(struct kw_stmt *stmt, int column)
{
    return backend_of(stmt)->col_i64(stmt, column);
}

bool kw_col_is_null(struct kw_stmt *stmt, int column)
{
    return backend_of(stmt)->col_is_null(stmt, column);
}

/* --- one job --- */

static struct kw_result run_checked(struct kw_conn *conn, struct kw_store_job *job,
                                    struct kw_error *err)
{
    KW_TRY(job->run(job, &conn->tx, err));
    KW_TRY(kw_tx_catch_up(&conn->tx, err));
    KW_ENSURE(!conn->tx.failed, err, INTERNAL, "a job went on after a failed statement");
    return conn->backend->check_job(conn, err);
}

struct kw_result kw_store_run_job(struct kw_conn *conn, struct kw_store_job *job,
                                  struct kw_error *err)
{
    struct kw_result result = run_checked(conn, job, err);

    kw_conn_settle(conn);
    return result;
}
