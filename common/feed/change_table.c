/* SQL of table feed_changes. */
#include "common/feed/change_table.h"

#include "common/store/row.h"

static const char insert_change[] =
    "INSERT INTO feed_changes (lane, seq, hlc, urgent, record, chain, head)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)";
static const char select_chain[] = "SELECT chain FROM feed_changes WHERE lane = $1 AND seq = $2";
static const char select_walk[] = "SELECT seq, hlc, urgent, record, chain, head FROM feed_changes"
                                  " WHERE lane = $1 AND seq > $2 ORDER BY seq LIMIT $3";
static const char select_urgent[] =
    "SELECT seq, hlc, urgent, record, chain, head FROM feed_changes"
    " WHERE lane = $1 AND seq > $2 AND urgent = 1 ORDER BY seq LIMIT 1";
static const char delete_changes[] = "DELETE FROM feed_changes WHERE lane = $1 AND seq <= $2";

struct kw_result kw_change_insert(struct kw_tx *tx, struct kw_id lane,
                                  const struct kw_change_row *row, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, insert_change, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_i64(stmt, 2, (int64_t)row->point.seq);
    kw_bind_i64(stmt, 3, (int64_t)row->change.hlc);
    kw_bind_i64(stmt, 4, row->change.urgent);
    kw_bind_blob(stmt, 5, row->change.record);
    kw_bind_blob(stmt, 6, KW_BYTES_OF(row->point.chain));
    if (row->head.len > 0) { /* else it stays NULL */
        kw_bind_blob(stmt, 7, row->head);
    }
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_change_chain(struct kw_tx *tx, struct kw_id lane, uint64_t seq,
                                 uint8_t ret_chain[KW_SHA256_LEN], bool *ret_found,
                                 struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_chain, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_i64(stmt, 2, (int64_t)seq);
    KW_TRY(kw_step(stmt, ret_found, err));
    return *ret_found ? kw_row_fixed(stmt, 0, ret_chain, KW_SHA256_LEN, err) : KW_OK;
}

struct kw_result kw_change_walk(struct kw_tx *tx, const struct kw_id *lane, uint64_t after,
                                size_t max, struct kw_stmt **ret_walk, struct kw_error *err)
{
    KW_TRY(kw_sql(tx, select_walk, ret_walk, err));
    kw_bind_id(*ret_walk, 1, lane);
    kw_bind_i64(*ret_walk, 2, (int64_t)after);
    kw_bind_i64(*ret_walk, 3, (int64_t)max);
    return KW_OK;
}

struct kw_result kw_change_next(struct kw_stmt *walk, struct kw_arena *arena,
                                struct kw_change_row *ret_row, bool *ret_any, struct kw_error *err)
{
    struct kw_change_row row = {0};

    KW_TRY(kw_step(walk, ret_any, err));
    if (!*ret_any) {
        return KW_OK;
    }
    row.point.seq = (uint64_t)kw_col_i64(walk, 0);
    row.change.hlc = (uint64_t)kw_col_i64(walk, 1);
    row.change.urgent = kw_col_i64(walk, 2) != 0;
    KW_TRY(kw_row_bytes(walk, 3, arena, &row.change.record, err));
    KW_TRY(kw_row_fixed(walk, 4, row.point.chain, sizeof(row.point.chain), err));
    KW_TRY(kw_row_bytes(walk, 5, arena, &row.head, err));
    *ret_row = row;
    return KW_OK;
}

struct kw_result kw_change_next_urgent(struct kw_tx *tx, struct kw_id lane, uint64_t after,
                                       struct kw_arena *arena, struct kw_change_row *ret_row,
                                       bool *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_urgent, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_i64(stmt, 2, (int64_t)after);
    return kw_change_next(stmt, arena, ret_row, ret_found, err);
}

struct kw_result kw_change_delete(struct kw_tx *tx, struct kw_id lane, uint64_t up_to,
                                  struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, delete_changes, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_i64(stmt, 2, (int64_t)up_to);
    return kw_exec(stmt, NULL, err);
}
