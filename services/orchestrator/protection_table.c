/* SQL of table protections. */
#include "services/orchestrator/protection_table.h"

#include "common/lifecycle/fact.h"

static const char insert_row[] = "INSERT INTO protections (key, lane, seq, since_ms, record, mac)"
                                 " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (key) DO NOTHING";
static const char delete_row[] = "DELETE FROM protections WHERE key = $1";
static const char select_lane[] =
    "SELECT lane FROM protections WHERE lane > $1 ORDER BY lane LIMIT 1";
static const char select_rows[] =
    "SELECT key, lane, seq, since_ms, record, mac FROM protections WHERE lane = $1"
    " ORDER BY seq, key LIMIT $2";
static const char count_rows[] = "SELECT count(*), coalesce(min(since_ms), 0) FROM protections";
static const char count_protected[] =
    "SELECT count(DISTINCT d.position) FROM devices d"
    " JOIN key_versions k ON k.device = d.id JOIN facts f ON f.key = k.id AND f.kind = $2"
    " WHERE d.batch = $1";

struct kw_result kw_protection_put(struct kw_tx *tx, const struct kw_protection_row *row,
                                   struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_row, &stmt, err));
    kw_bind_id(stmt, 1, &row->key);
    kw_bind_id(stmt, 2, &row->lane);
    kw_bind_i64(stmt, 3, (int64_t)row->seq);
    kw_bind_i64(stmt, 4, (int64_t)row->since_ms);
    kw_bind_blob(stmt, 5, row->record);
    kw_bind_blob(stmt, 6, row->mac);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_protection_delete(struct kw_tx *tx, struct kw_id key, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, delete_row, &stmt, err));
    kw_bind_id(stmt, 1, &key);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_protection_lane(struct kw_tx *tx, struct kw_id after, struct kw_id *ret_lane,
                                    bool *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_lane, &stmt, err));
    kw_bind_id(stmt, 1, &after);
    KW_TRY(kw_step(stmt, ret_found, err));
    return *ret_found ? kw_col_id(stmt, 0, ret_lane, err) : KW_OK;
}

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_protection_row *ret_row, struct kw_error *err)
{
    KW_TRY(kw_col_id(stmt, 0, &ret_row->key, err));
    KW_TRY(kw_col_id(stmt, 1, &ret_row->lane, err));
    ret_row->seq = (uint64_t)kw_col_i64(stmt, 2);
    ret_row->since_ms = (uint64_t)kw_col_i64(stmt, 3);
    KW_TRY(kw_row_bytes(stmt, 4, arena, &ret_row->record, err));
    return kw_row_bytes(stmt, 5, arena, &ret_row->mac, err);
}

struct kw_result kw_protection_list(struct kw_tx *tx, struct kw_id lane, size_t max,
                                    struct kw_arena *arena, struct kw_protection_row *rows,
                                    size_t *ret_count, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found = true;

    KW_TRY(kw_sql(tx, select_rows, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_i64(stmt, 2, (int64_t)max);
    for (*ret_count = 0; *ret_count < max; (*ret_count)++) {
        KW_TRY(kw_step(stmt, &found, err));
        if (!found) {
            break;
        }
        KW_TRY(read_row(stmt, arena, &rows[*ret_count], err));
    }
    return KW_OK;
}

struct kw_result kw_protection_count(struct kw_tx *tx, uint64_t *ret_count, uint64_t *ret_since_ms,
                                     struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, count_rows, &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    *ret_count = found ? (uint64_t)kw_col_i64(stmt, 0) : 0;
    *ret_since_ms = found ? (uint64_t)kw_col_i64(stmt, 1) : 0;
    return KW_OK;
}

struct kw_result kw_protected_count(struct kw_tx *tx, struct kw_id batch, uint32_t *ret_count,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, count_protected, &stmt, err));
    kw_bind_id(stmt, 1, &batch);
    kw_bind_i64(stmt, 2, KW_FACT_PROTECTED);
    KW_TRY(kw_step(stmt, &found, err));
    *ret_count = found ? (uint32_t)kw_col_i64(stmt, 0) : 0;
    return KW_OK;
}
