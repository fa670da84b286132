/* SQL of table feed_quarantine. */
#include "common/feed/quarantine_table.h"

#include "common/store/row.h"

static const char select_life[] = "SELECT coalesce(max(life), 0) + 1 FROM feed_quarantine";
static const char insert_change[] =
    "INSERT INTO feed_quarantine (lane, seq, chain, record, reason, time_ms, life)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (lane, seq, chain) DO NOTHING";
static const char update_tried[] = "UPDATE feed_quarantine SET life = $4, reason = $5"
                                   " WHERE lane = $1 AND seq = $2 AND chain = $3";
static const char select_untried[] = "SELECT lane, seq, chain, record FROM feed_quarantine"
                                     " WHERE life < $1 ORDER BY life, lane, seq LIMIT 1";
static const char delete_change[] = "DELETE FROM feed_quarantine"
                                    " WHERE lane = $1 AND seq = $2 AND chain = $3";

struct kw_result kw_quarantine_life(struct kw_tx *tx, int64_t *ret_life, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_life, &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    *ret_life = kw_col_i64(stmt, 0);
    return KW_OK;
}

static struct kw_result mark_tried(struct kw_tx *tx, const struct kw_waiting *change,
                                   const char *reason, int64_t life, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, update_tried, &stmt, err));
    kw_bind_id(stmt, 1, &change->lane);
    kw_bind_i64(stmt, 2, (int64_t)change->point.seq);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(change->point.chain));
    kw_bind_i64(stmt, 4, life);
    kw_bind_text(stmt, 5, reason);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_quarantine_put(struct kw_tx *tx, const struct kw_waiting *change,
                                   const char *reason, int64_t life, uint64_t wall_ms,
                                   bool *ret_new, struct kw_error *err)
{
    struct kw_stmt *stmt;
    int64_t inserted;

    KW_TRY(kw_sql(tx, insert_change, &stmt, err));
    kw_bind_id(stmt, 1, &change->lane);
    kw_bind_i64(stmt, 2, (int64_t)change->point.seq);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(change->point.chain));
    kw_bind_blob(stmt, 4, change->record);
    kw_bind_text(stmt, 5, reason);
    kw_bind_i64(stmt, 6, (int64_t)wall_ms);
    kw_bind_i64(stmt, 7, life);
    KW_TRY(kw_exec(stmt, &inserted, err));
    *ret_new = inserted == 1;
    return *ret_new ? KW_OK : mark_tried(tx, change, reason, life, err);
}

struct kw_result kw_quarantine_next(struct kw_tx *tx, int64_t life, struct kw_arena *arena,
                                    struct kw_waiting *ret_change, bool *ret_any,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_untried, &stmt, err));
    kw_bind_i64(stmt, 1, life);
    KW_TRY(kw_step(stmt, ret_any, err));
    if (!*ret_any) {
        return KW_OK;
    }
    *ret_change = (struct kw_waiting){0};
    KW_TRY(kw_col_id(stmt, 0, &ret_change->lane, err));
    ret_change->point.seq = (uint64_t)kw_col_i64(stmt, 1);
    KW_TRY(kw_row_fixed(stmt, 2, ret_change->point.chain, KW_SHA256_LEN, err));
    return kw_row_bytes(stmt, 3, arena, &ret_change->record, err);
}

struct kw_result kw_quarantine_delete(struct kw_tx *tx, const struct kw_waiting *change,
                                      struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, delete_change, &stmt, err));
    kw_bind_id(stmt, 1, &change->lane);
    kw_bind_i64(stmt, 2, (int64_t)change->point.seq);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(change->point.chain));
    return kw_exec(stmt, NULL, err);
}
