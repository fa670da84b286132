/* SQL of table feed_held. */
#include "common/feed/held_table.h"

#include "common/store/row.h"

static const char insert_held[] = "INSERT INTO feed_held (lane, seq, chain, due_ms, record)"
                                  " VALUES ($1, $2, $3, $4, $5)"
                                  " ON CONFLICT (lane, seq, chain) DO NOTHING";
static const char select_due[] = "SELECT lane, seq, chain, record FROM feed_held WHERE due_ms <= $1"
                                 " ORDER BY due_ms LIMIT 1";
static const char delete_held[] =
    "DELETE FROM feed_held WHERE lane = $1 AND seq = $2 AND chain = $3";

struct kw_result kw_held_insert(struct kw_tx *tx, const struct kw_waiting *held, uint64_t due_ms,
                                struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_held, &stmt, err));
    kw_bind_id(stmt, 1, &held->lane);
    kw_bind_i64(stmt, 2, (int64_t)held->point.seq);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(held->point.chain));
    kw_bind_i64(stmt, 4, (int64_t)due_ms);
    kw_bind_blob(stmt, 5, held->record);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_held_next(struct kw_tx *tx, uint64_t wall_ms, struct kw_arena *arena,
                              struct kw_waiting *ret_held, bool *ret_any, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_due, &stmt, err));
    kw_bind_i64(stmt, 1, (int64_t)wall_ms);
    KW_TRY(kw_step(stmt, ret_any, err));
    if (!*ret_any) {
        return KW_OK;
    }
    *ret_held = (struct kw_waiting){0};
    KW_TRY(kw_col_id(stmt, 0, &ret_held->lane, err));
    ret_held->point.seq = (uint64_t)kw_col_i64(stmt, 1);
    KW_TRY(kw_row_fixed(stmt, 2, ret_held->point.chain, KW_SHA256_LEN, err));
    return kw_row_bytes(stmt, 3, arena, &ret_held->record, err);
}

struct kw_result kw_held_delete(struct kw_tx *tx, const struct kw_waiting *held,
                                struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, delete_held, &stmt, err));
    kw_bind_id(stmt, 1, &held->lane);
    kw_bind_i64(stmt, 2, (int64_t)held->point.seq);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(held->point.chain));
    return kw_exec(stmt, NULL, err);
}
