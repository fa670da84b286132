/* SQL of table requests. */
#include "services/orchestrator/request_table.h"

static const char select_request[] =
    "SELECT content, response, outcome, created_ms FROM requests"
    " WHERE caller = $1 AND method = $2 AND request = $3 AND first = $4";
static const char upsert_request[] =
    "INSERT INTO requests (caller, method, request, first, content, response, outcome, created_ms)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (caller, method, request, first)"
    " DO UPDATE SET content = excluded.content, response = excluded.response,"
    " outcome = excluded.outcome, created_ms = excluded.created_ms";

static void bind_key(struct kw_stmt *stmt, const struct kw_request_key *key)
{
    kw_bind_text(stmt, 1, key->caller);
    kw_bind_i64(stmt, 2, key->method);
    kw_bind_id(stmt, 3, &key->request);
    kw_bind_i64(stmt, 4, key->first);
}

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_request_row *ret_row, struct kw_error *err)
{
    struct kw_request_row row = {0};

    KW_TRY(kw_row_fixed(stmt, 0, row.content, sizeof(row.content), err));
    KW_TRY(kw_row_bytes(stmt, 1, arena, &row.response, err));
    KW_TRY(kw_row_bytes(stmt, 2, arena, &row.outcome, err));
    row.created_ms = (uint64_t)kw_col_i64(stmt, 3);
    *ret_row = row;
    return KW_OK;
}

struct kw_result kw_request_find(struct kw_tx *tx, const struct kw_request_key *key,
                                 struct kw_arena *arena, struct kw_request_row *ret_row,
                                 bool *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_request, &stmt, err));
    bind_key(stmt, key);
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        KW_TRY(read_row(stmt, arena, ret_row, err));
    }
    *ret_found = found;
    return KW_OK;
}

struct kw_result kw_request_put(struct kw_tx *tx, const struct kw_request_key *key,
                                const struct kw_request_row *row, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, upsert_request, &stmt, err));
    bind_key(stmt, key);
    kw_bind_blob(stmt, 5, KW_BYTES_OF(row->content));
    kw_bind_blob(stmt, 6, row->response);
    kw_bind_blob(stmt, 7, row->outcome);
    kw_bind_i64(stmt, 8, (int64_t)row->created_ms);
    return kw_exec(stmt, NULL, err);
}
