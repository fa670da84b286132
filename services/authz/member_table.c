/* SQL of table members. */
#include "services/authz/member_table.h"

#define STATE                                                                                      \
    "CASE WHEN suspended = 1 THEN 4 WHEN confirmed_version > 0 THEN 3"                             \
    " WHEN transport_version > 0 THEN 2 ELSE 1 END"

#define SELECT_MEMBER                                                                              \
    "SELECT id, kind, " STATE " AS state, display_name, contact, location, regions, products,"     \
    " epoch, transport_version, confirmed_version, certificate_expire_ms, created_ms, updated_ms," \
    " suspended FROM members"

static const char select_by_id[] = SELECT_MEMBER " WHERE id = $1";
static const char select_page[] =
    SELECT_MEMBER " WHERE kind = $1 AND id > $2 AND ($3 = 0 OR " STATE " = $3)"
                  " ORDER BY id LIMIT $4";
static const char insert_member[] =
    "INSERT INTO members (id, kind, display_name, contact, location, regions, products, epoch,"
    " created_ms, updated_ms, standing_hlc, standing_store, keys_hlc, keys_store)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $10, $11)";
static const char update_standing[] =
    "UPDATE members SET suspended = $2, updated_ms = $3, standing_hlc = $4, standing_store = $5"
    " WHERE id = $1";
static const char update_keys[] =
    "UPDATE members SET"
    " transport_version = CASE WHEN $2 > transport_version THEN $2 ELSE transport_version END,"
    " confirmed_version = CASE WHEN $3 > confirmed_version THEN $3 ELSE confirmed_version END,"
    " certificate_expire_ms ="
    "  CASE WHEN $4 > certificate_expire_ms THEN $4 ELSE certificate_expire_ms END,"
    " updated_ms = $5, keys_hlc = $6, keys_store = $7"
    " WHERE id = $1"
    " AND ($2 > transport_version OR $3 > confirmed_version OR $4 > certificate_expire_ms)";

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_member_row *ret_row, struct kw_error *err)
{
    struct kw_member_row row = {0};

    KW_TRY(kw_col_id(stmt, 0, &row.id, err));
    row.kind = (enum kw_member_kind)kw_col_i64(stmt, 1);
    row.state = (enum kw_member_state)kw_col_i64(stmt, 2);
    KW_TRY(kw_row_text(stmt, 3, arena, &row.display_name, err));
    KW_TRY(kw_row_text(stmt, 4, arena, &row.contact, err));
    KW_TRY(kw_row_text(stmt, 5, arena, &row.location, err));
    KW_TRY(kw_row_text(stmt, 6, arena, &row.regions, err));
    KW_TRY(kw_row_bytes(stmt, 7, arena, &row.products, err));
    row.epoch = (uint32_t)kw_col_i64(stmt, 8);
    row.transport_version = (uint32_t)kw_col_i64(stmt, 9);
    row.confirmed_version = (uint32_t)kw_col_i64(stmt, 10);
    row.certificate_expire_ms = (uint64_t)kw_col_i64(stmt, 11);
    row.created_ms = (uint64_t)kw_col_i64(stmt, 12);
    row.updated_ms = (uint64_t)kw_col_i64(stmt, 13);
    row.suspended = kw_col_i64(stmt, 14) != 0;
    *ret_row = row;
    return KW_OK;
}

struct kw_result kw_member_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                struct kw_member_row *ret_row, bool *ret_found,
                                struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_by_id, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        KW_TRY(read_row(stmt, arena, ret_row, err));
    }
    *ret_found = found;
    return KW_OK;
}

struct kw_result kw_member_insert(struct kw_tx *tx, const struct kw_member_row *row,
                                  const struct kw_stamp *stamp, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_member, &stmt, err));
    kw_bind_id(stmt, 1, &row->id);
    kw_bind_i64(stmt, 2, row->kind);
    kw_bind_text(stmt, 3, row->display_name);
    kw_bind_text(stmt, 4, row->contact);
    kw_bind_text(stmt, 5, row->location);
    kw_bind_text(stmt, 6, row->regions);
    kw_bind_blob(stmt, 7, row->products);
    kw_bind_i64(stmt, 8, row->epoch);
    kw_bind_i64(stmt, 9, (int64_t)row->created_ms);
    kw_bind_i64(stmt, 10, (int64_t)stamp->hlc);
    kw_bind_id(stmt, 11, &stamp->store);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_member_set_suspended(struct kw_tx *tx, struct kw_id id, bool suspended,
                                         uint64_t now_ms, const struct kw_stamp *stamp,
                                         struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, update_standing, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    kw_bind_i64(stmt, 2, suspended);
    kw_bind_i64(stmt, 3, (int64_t)now_ms);
    kw_bind_i64(stmt, 4, (int64_t)stamp->hlc);
    kw_bind_id(stmt, 5, &stamp->store);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_member_raise_keys(struct kw_tx *tx, struct kw_id id,
                                      const struct kw_member_keys *keys, uint64_t now_ms,
                                      const struct kw_stamp *stamp, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, update_keys, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    kw_bind_i64(stmt, 2, keys->transport_version);
    kw_bind_i64(stmt, 3, keys->confirmed_version);
    kw_bind_i64(stmt, 4, (int64_t)keys->certificate_expire_ms);
    kw_bind_i64(stmt, 5, (int64_t)now_ms);
    kw_bind_i64(stmt, 6, (int64_t)stamp->hlc);
    kw_bind_id(stmt, 7, &stamp->store);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_member_list(struct kw_tx *tx, const struct kw_member_query *query,
                                struct kw_arena *arena, struct kw_member_row *rows,
                                size_t *ret_count, struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count = 0;

    KW_TRY(kw_sql(tx, select_page, &stmt, err));
    kw_bind_i64(stmt, 1, query->kind);
    kw_bind_id(stmt, 2, &query->after);
    kw_bind_i64(stmt, 3, query->state);
    kw_bind_i64(stmt, 4, (int64_t)query->max);
    while (count < query->max) {
        bool found;

        KW_TRY(kw_step(stmt, &found, err));
        if (!found) {
            break;
        }
        KW_TRY(read_row(stmt, arena, &rows[count], err));
        count++;
    }
    *ret_count = count;
    return KW_OK;
}
