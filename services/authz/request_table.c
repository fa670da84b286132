/* SQL of table requests. */
#include "services/authz/request_table.h"

static const char select_request[] = "SELECT body_hash, response, created_ms FROM requests"
                                     " WHERE caller = $1 AND method = $2 AND request = $3";
static const char insert_request[] =
    "INSERT INTO requests (caller, method, request, body_hash, response, created_ms)"
    " VALUES ($1, $2, $3, $4, $5, $6)";

static void bind_key(struct kw_stmt *stmt, const struct kw_request_key *key)
{
    kw_bind_id(stmt, 1, &key->caller);
    kw_bind_i64(stmt, 2, key->method);
    kw_bind_id(stmt, 3, &key->request);
}

struct kw_result kw_request_find(struct kw_tx *tx, const struct kw_request_key *key,
                                 struct kw_arena *arena, struct kw_request_row *ret_row,
                                 bool *ret_found, struct kw_error *err)
{
    struct kw_request_row row = {0};
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_request, &stmt, err));
    bind_key(stmt, key);
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        KW_TRY(kw_row_fixed(stmt, 0, row.body_hash, sizeof(row.body_hash), err));
        KW_TRY(kw_row_bytes(stmt, 1, arena, &row.response, err));
        row.created_ms = (uint64_t)kw_col_i64(stmt, 2);
        *ret_row = row;
    }
    *ret_found = found;
    return KW_OK;
}

struct kw_result kw_request_insert(struct kw_tx *tx, const struct kw_request_key *key,
                                   const struct kw_request_row *row, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_request, &stmt, err));
    bind_key(stmt, key);
    kw_bind_blob(stmt, 4, KW_BYTES_OF(row->body_hash));
    kw_bind_blob(stmt, 5, row->response);
    kw_bind_i64(stmt, 6, (int64_t)row->created_ms);
    return kw_exec(stmt, NULL, err);
}
