/* SQL of table feed_urgents. */
#include "common/feed/urgent_table.h"

#include "common/base/limits.h"
#include "common/store/row.h"

static const char insert_urgent[] =
    "INSERT INTO feed_urgents (lane, origin, seq, chain, record, due_ms)"
    " VALUES ($1, $2, $3, $4, $5, $6)"
    " ON CONFLICT (lane, seq, chain) DO NOTHING";
static const char select_next[] = "SELECT seq, chain, record FROM feed_urgents"
                                  " WHERE lane = $1 AND (seq, chain) > ($2, $3)"
                                  " ORDER BY seq, chain LIMIT 1";
static const char take_due[] =
    "UPDATE feed_urgents SET due_ms = NULL WHERE (lane, seq, chain) ="
    " (SELECT u.lane, u.seq, u.chain FROM feed_urgents u WHERE u.due_ms <= $1"
    " ORDER BY u.due_ms, u.lane, u.seq, u.chain LIMIT 1) RETURNING record";
static const char select_one[] =
    "SELECT 1 FROM feed_urgents WHERE lane = $1 AND seq = $2 AND chain = $3";
static const char count_of[] = "SELECT count(*) FROM feed_urgents WHERE origin = $1";
static const char delete_had[] =
    "DELETE FROM feed_urgents WHERE lane = $1 AND seq > $2 AND seq <= $3 AND chain ="
    " (SELECT c.chain FROM feed_changes c WHERE c.lane = feed_urgents.lane"
    " AND c.seq = feed_urgents.seq)";
static const char count_between[] =
    "SELECT count(*) FROM feed_urgents WHERE lane = $1 AND seq > $2 AND seq <= $3";
static const char delete_urgents[] = "DELETE FROM feed_urgents WHERE lane = $1 AND seq <= $2";

struct kw_result kw_urgent_row_insert(struct kw_tx *tx, struct kw_id lane, struct kw_bytes origin,
                                      const struct kw_lane_point *point, struct kw_bytes record,
                                      uint64_t due_ms, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_urgent, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_blob(stmt, 2, origin);
    kw_bind_i64(stmt, 3, (int64_t)point->seq);
    kw_bind_blob(stmt, 4, KW_BYTES_OF(point->chain));
    kw_bind_blob(stmt, 5, record);
    kw_bind_i64(stmt, 6, (int64_t)due_ms);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_urgent_row_due(struct kw_tx *tx, uint64_t wall_ms, struct kw_arena *arena,
                                   struct kw_bytes *ret_record, bool *ret_any, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, take_due, &stmt, err));
    kw_bind_i64(stmt, 1, (int64_t)wall_ms);
    KW_TRY(kw_step(stmt, ret_any, err));
    return *ret_any ? kw_row_bytes(stmt, 0, arena, ret_record, err) : KW_OK;
}

struct kw_result kw_urgent_row_next(struct kw_tx *tx, struct kw_id lane,
                                    const struct kw_lane_point *after, struct kw_buf *out,
                                    struct kw_lane_point *ret_at, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, select_next, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_i64(stmt, 2, (int64_t)after->seq);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(after->chain));
    KW_TRY(kw_step(stmt, &found, err));
    if (!found) {
        return KW_OK;
    }
    ret_at->seq = (uint64_t)kw_col_i64(stmt, 0);
    KW_TRY(kw_row_fixed(stmt, 1, ret_at->chain, sizeof(ret_at->chain), err));
    return kw_buf_append(out, kw_col_blob(stmt, 2), err);
}

struct kw_result kw_urgent_row_has(struct kw_tx *tx, struct kw_id lane,
                                   const struct kw_lane_point *point, bool *ret_has,
                                   struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_one, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_i64(stmt, 2, (int64_t)point->seq);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(point->chain));
    return kw_step(stmt, ret_has, err);
}

struct kw_result kw_urgent_row_full(struct kw_tx *tx, struct kw_bytes origin, bool *ret_full,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, count_of, &stmt, err));
    kw_bind_blob(stmt, 1, origin);
    KW_TRY(kw_step(stmt, &row, err));
    *ret_full = kw_col_i64(stmt, 0) >= KW_FEED_URGENTS_MAX;
    return KW_OK;
}

static void bind_between(struct kw_stmt *stmt, const struct kw_id *lane, uint64_t from, uint64_t to)
{
    kw_bind_id(stmt, 1, lane);
    kw_bind_i64(stmt, 2, (int64_t)from);
    kw_bind_i64(stmt, 3, (int64_t)to);
}

struct kw_result kw_urgent_row_settle(struct kw_tx *tx, struct kw_id lane, uint64_t from,
                                      uint64_t to, size_t *ret_rivals, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, delete_had, &stmt, err));
    bind_between(stmt, &lane, from, to);
    KW_TRY(kw_exec(stmt, NULL, err));
    KW_TRY(kw_sql(tx, count_between, &stmt, err));
    bind_between(stmt, &lane, from, to);
    KW_TRY(kw_step(stmt, &row, err));
    *ret_rivals = (size_t)kw_col_i64(stmt, 0);
    return KW_OK;
}

struct kw_result kw_urgent_row_delete(struct kw_tx *tx, struct kw_id lane, uint64_t up_to,
                                      struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, delete_urgents, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_i64(stmt, 2, (int64_t)up_to);
    return kw_exec(stmt, NULL, err);
}
