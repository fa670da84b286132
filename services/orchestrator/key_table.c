/* SQL of table key_versions. */
#include "services/orchestrator/key_table.h"

#define SELECT_KEY                                                                                 \
    "SELECT k.id, k.device, d.product, d.batch, k.version, w.kek_version, w.wrapped,"              \
    " w.check_value, w.mac, k.created_ms, k.delivery, k.delivery_version, d.disputed"              \
    " FROM key_versions k JOIN devices d ON d.id = k.device JOIN wrapped_keys w ON w.key = k.id"   \
    " AND (w.kek_version, w.digest) = (SELECT x.kek_version, x.digest FROM wrapped_keys x"         \
    " WHERE x.key = k.id ORDER BY length(x.wrapped) = 0, x.refused, x.kek_version DESC, x.digest " \
    "LIMIT 1)"

static const char select_by_id[] = SELECT_KEY " WHERE k.id = $1";
static const char select_newest[] =
    SELECT_KEY " WHERE k.device = $1 ORDER BY k.version DESC, k.id LIMIT 1";
static const char select_page[] = SELECT_KEY " WHERE k.id > $1 ORDER BY k.id LIMIT $2";
static const char select_page_of_device[] =
    SELECT_KEY " WHERE k.device = $3 AND k.id > $1 ORDER BY k.id LIMIT $2";
static const char upsert_key[] =
    "INSERT INTO key_versions (id, device, version, created_ms, delivery, delivery_version)"
    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET device = excluded.device,"
    " version = excluded.version, created_ms = excluded.created_ms, delivery = excluded.delivery,"
    " delivery_version = excluded.delivery_version";

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_key_row *ret_row, struct kw_error *err)
{
    struct kw_key_row row = {0};

    KW_TRY(kw_col_id(stmt, 0, &row.id, err));
    KW_TRY(kw_col_id(stmt, 1, &row.device, err));
    KW_TRY(kw_col_id(stmt, 2, &row.product, err));
    KW_TRY(kw_col_id(stmt, 3, &row.batch, err));
    row.version = (uint32_t)kw_col_i64(stmt, 4);
    row.kek_version = (uint32_t)kw_col_i64(stmt, 5);
    KW_TRY(kw_row_bytes(stmt, 6, arena, &row.wrapped, err));
    KW_TRY(kw_row_bytes(stmt, 7, arena, &row.check_value, err));
    KW_TRY(kw_row_bytes(stmt, 8, arena, &row.mac, err));
    row.created_ms = (uint64_t)kw_col_i64(stmt, 9);
    KW_TRY(kw_row_bytes(stmt, 10, arena, &row.delivery, err));
    row.delivery_version = (uint32_t)kw_col_i64(stmt, 11);
    row.disputed = kw_col_i64(stmt, 12) != 0;
    *ret_row = row;
    return KW_OK;
}

static struct kw_result read_rows(struct kw_stmt *stmt, struct kw_arena *arena,
                                  struct kw_key_row *rows, size_t max, size_t *ret_count,
                                  struct kw_error *err)
{
    size_t count = 0;
    bool found = true;

    while (count < max) {
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

static struct kw_result find_one(struct kw_tx *tx, const char *sql, const struct kw_id *id,
                                 struct kw_arena *arena, struct kw_key_row *ret_row,
                                 bool *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    kw_bind_id(stmt, 1, id);
    KW_TRY(read_rows(stmt, arena, ret_row, 1, &count, err));
    *ret_found = count == 1;
    return KW_OK;
}

struct kw_result kw_key_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                             struct kw_key_row *ret_row, bool *ret_found, struct kw_error *err)
{
    return find_one(tx, select_by_id, &id, arena, ret_row, ret_found, err);
}

struct kw_result kw_key_find_newest(struct kw_tx *tx, struct kw_id device, struct kw_arena *arena,
                                    struct kw_key_row *ret_row, bool *ret_found,
                                    struct kw_error *err)
{
    return find_one(tx, select_newest, &device, arena, ret_row, ret_found, err);
}

struct kw_result kw_key_list(struct kw_tx *tx, struct kw_id device, struct kw_id after, size_t max,
                             struct kw_arena *arena, struct kw_key_row *rows, size_t *ret_count,
                             struct kw_error *err)
{
    bool all = kw_id_is_none(device);
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, all ? select_page : select_page_of_device, &stmt, err));
    kw_bind_id(stmt, 1, &after);
    kw_bind_i64(stmt, 2, (int64_t)max);
    if (!all) {
        kw_bind_id(stmt, 3, &device);
    }
    return read_rows(stmt, arena, rows, max, ret_count, err);
}

struct kw_result kw_key_put(struct kw_tx *tx, const struct kw_key_row *row, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, upsert_key, &stmt, err));
    kw_bind_id(stmt, 1, &row->id);
    kw_bind_id(stmt, 2, &row->device);
    kw_bind_i64(stmt, 3, row->version);
    kw_bind_i64(stmt, 4, (int64_t)row->created_ms);
    if (row->delivery.len > 0) {
        kw_bind_blob(stmt, 5, row->delivery);
        kw_bind_i64(stmt, 6, row->delivery_version);
    }
    return kw_exec(stmt, NULL, err);
}
