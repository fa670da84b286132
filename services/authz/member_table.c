/* SQL of table members: queries. What is written is in member_write.c. */
#include "services/authz/member_table.h"

#define STATE                                                                                      \
    "CASE WHEN suspended = 1 THEN 4 WHEN confirmed_version > 0 THEN 3"                             \
    " WHEN transport_version > 0 THEN 2 ELSE 1 END"

#define SELECT_MEMBER                                                                              \
    "SELECT id, kind, " STATE " AS state, display_name, contact, location, regions, products,"     \
    " epoch, transport_version, confirmed_version, certificate_expire_ms, created_ms, updated_ms," \
    " suspended, revoke_all FROM members"

static const char select_by_id[] = SELECT_MEMBER " WHERE id = $1";
static const char select_page[] =
    SELECT_MEMBER " WHERE kind = $1 AND id > $2 AND ($3 = 0 OR " STATE " = $3)"
                  " ORDER BY id LIMIT $4";

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
    KW_TRY(kw_row_bytes(stmt, 15, arena, &row.revoke_all, err));
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
