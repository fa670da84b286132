/* Which store this is: an id of its own, drawn when the database is made. Stamps and
 * lanes carry it; a copy of the file is the same store. That it is a copy is known by its place. */
#include "common/store/store_internal.h"

#include <string.h>

static const char create_table[] = "CREATE TABLE IF NOT EXISTS store_identity ("
                                   " only_row INTEGER PRIMARY KEY CHECK (only_row = 1),"
                                   " id BLOB NOT NULL);"
                                   "CREATE TABLE IF NOT EXISTS store_place ("
                                   " only_row INTEGER PRIMARY KEY CHECK (only_row = 1),"
                                   " place TEXT NOT NULL)";
static const char insert_id[] = "INSERT INTO store_identity (only_row, id) VALUES (1, $1)"
                                " ON CONFLICT (only_row) DO NOTHING";
static const char select_id[] = "SELECT id FROM store_identity";
static const char select_place[] = "SELECT place FROM store_place FOR UPDATE";
static const char write_place[] = "INSERT INTO store_place (only_row, place) VALUES (1, $1)"
                                  " ON CONFLICT (only_row) DO UPDATE SET place = excluded.place";

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

struct kw_result kw_store_moved(struct kw_tx *tx, bool *ret_moved, struct kw_error *err)
{
    const char *place = tx->conn->place;
    struct kw_stmt *stmt;
    bool found;

    *ret_moved = false;
    if (place[0] == '\0') {
        return KW_OK;
    }
    KW_TRY(kw_sql(tx, select_place, &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    if (found && strcmp(kw_col_text(stmt, 0), place) == 0) {
        return KW_OK;
    }
    *ret_moved = found;
    KW_TRY(kw_sql(tx, write_place, &stmt, err));
    kw_bind_text(stmt, 1, place);
    return kw_exec(stmt, NULL, err);
}
