/* Which store this is: an id of its own, drawn when the database is made. Stamps and
 * lanes carry it; a copy of the file is the same store. */
#include "common/store/store_internal.h"

static const char create_table[] = "CREATE TABLE IF NOT EXISTS store_identity ("
                                   " only_row INTEGER PRIMARY KEY CHECK (only_row = 1),"
                                   " id BLOB NOT NULL)";
static const char insert_id[] = "INSERT INTO store_identity (only_row, id) VALUES (1, $1)"
                                " ON CONFLICT (only_row) DO NOTHING";
static const char select_id[] = "SELECT id FROM store_identity";

static struct kw_result identity(struct kw_conn *conn, struct kw_id *ret_id, struct kw_error *err)
{
    struct kw_stmt *stmt;
    struct kw_id fresh;
    bool found;

    KW_TRY(conn->backend->script(conn, "store_identity", create_table, err));
    KW_TRY(kw_id_random(&fresh, err));
    KW_TRY(kw_sql(&conn->tx, insert_id, &stmt, err));
    kw_bind_blob(stmt, 1, kw_id_bytes(&fresh));
    KW_TRY(kw_exec(stmt, NULL, err));
    KW_TRY(kw_sql(&conn->tx, select_id, &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    KW_ENSURE(found, err, INTERNAL, "the store has no identity");
    return kw_col_id(stmt, 0, ret_id, err);
}

struct kw_result kw_store_identity(struct kw_conn *conn, struct kw_id *ret_id, struct kw_error *err)
{
    struct kw_result result = identity(conn, ret_id, err);

    kw_conn_settle(conn);
    return result;
}
