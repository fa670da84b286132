/* The edges of a transaction: the statements that begin and end it, and what is owed when a job is
 * over. */
#include "common/store/store_internal.h"

struct kw_result kw_conn_control(struct kw_conn *conn, const char *sql, struct kw_error *err)
{
    struct kw_stmt *stmt;
    struct kw_result result = KW_OK;
    int code;

    KW_TRY(kw_conn_statement(conn, sql, &stmt, err));
    code = sqlite3_step(stmt->handle);
    if (code != SQLITE_DONE) {
        result = kw_conn_error(conn, code, sql, err);
    }
    (void)sqlite3_reset(stmt->handle);
    return result;
}

void kw_conn_settle(struct kw_conn *conn)
{
    struct kw_stmt *stmt = conn->tx.used;

    while (stmt != NULL) {
        struct kw_stmt *next = stmt->next_used;

        (void)sqlite3_reset(stmt->handle);
        (void)sqlite3_clear_bindings(stmt->handle);
        stmt->used = false;
        stmt = next;
    }
    conn->tx.used = NULL;
    conn->tx.failed = false;
}

void kw_conn_rollback(struct kw_conn *conn)
{
    kw_conn_settle(conn);
    if (!sqlite3_get_autocommit(conn->db)) {
        KW_IGNORE(kw_conn_control(conn, "ROLLBACK", NULL));
    }
}
