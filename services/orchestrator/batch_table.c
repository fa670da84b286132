/* SQL of table batches. */
#include "services/orchestrator/batch_table.h"

/* Each count is of an index alone: a batch may have ten thousand devices, and is read for each range of
 * it that is made. */
#define SELECT_BATCH                                                                               \
    "SELECT b.id, b.station, b.request, b.product, b.lot, b.count, b.created_ms, b.released_ms,"   \
    " (SELECT count(*) FROM (SELECT DISTINCT d.position FROM devices d WHERE d.batch = b.id) p)"   \
    " AS generated,"                                                                               \
    " (SELECT count(*) FROM devices d WHERE d.batch = b.id AND d.confirmed_ms IS NOT NULL),"       \
    " (SELECT count(*) FROM devices d WHERE d.batch = b.id AND d.released_ms IS NOT NULL),"        \
    " (SELECT coalesce(max(d.position), -1) + 1 FROM devices d WHERE d.batch = b.id)"              \
    " FROM batches b"

static const char select_by_id[] = SELECT_BATCH " WHERE b.id = $1";
static const char select_by_request[] =
    "SELECT * FROM (" SELECT_BATCH " WHERE b.station = $1 AND b.request = $2) q"
    " ORDER BY q.generated < $3, q.created_ms, q.id LIMIT 1";
static const char take_turn[] =
    "INSERT INTO batch_turns (station, request, turns) VALUES ($1, $2, 1)"
    " ON CONFLICT (station, request) DO UPDATE SET turns = batch_turns.turns + 1";
static const char upsert_batch[] =
    "INSERT INTO batches (id, station, request, product, lot, count, created_ms, released_ms)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET"
    " station = excluded.station, request = excluded.request, product = excluded.product,"
    " lot = excluded.lot, count = excluded.count, created_ms = excluded.created_ms,"
    " released_ms = excluded.released_ms";

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_batch_row *ret_row, bool *ret_found,
                                 struct kw_error *err)
{
    struct kw_batch_row row = {0};
    bool found;

    KW_TRY(kw_step(stmt, &found, err));
    if (!found) {
        *ret_found = false;
        return KW_OK;
    }
    KW_TRY(kw_col_id(stmt, 0, &row.id, err));
    KW_TRY(kw_col_id(stmt, 1, &row.station, err));
    KW_TRY(kw_col_id(stmt, 2, &row.request, err));
    KW_TRY(kw_col_id(stmt, 3, &row.product, err));
    KW_TRY(kw_row_text(stmt, 4, arena, &row.lot, err));
    row.count = (uint32_t)kw_col_i64(stmt, 5);
    row.created_ms = (uint64_t)kw_col_i64(stmt, 6);
    row.released_ms = (uint64_t)kw_col_i64(stmt, 7);
    row.generated = (uint32_t)kw_col_i64(stmt, 8);
    row.confirmed = (uint32_t)kw_col_i64(stmt, 9);
    row.released = (uint32_t)kw_col_i64(stmt, 10);
    row.end = (uint32_t)kw_col_i64(stmt, 11);
    *ret_row = row;
    *ret_found = true;
    return KW_OK;
}

struct kw_result kw_batch_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                               struct kw_batch_row *ret_row, bool *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_by_id, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    return read_row(stmt, arena, ret_row, ret_found, err);
}

struct kw_result kw_batch_find_request(struct kw_tx *tx, struct kw_id station, struct kw_id request,
                                       uint32_t first, struct kw_arena *arena,
                                       struct kw_batch_row *ret_row, bool *ret_found,
                                       struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_by_request, &stmt, err));
    kw_bind_id(stmt, 1, &station);
    kw_bind_id(stmt, 2, &request);
    kw_bind_i64(stmt, 3, first);
    return read_row(stmt, arena, ret_row, ret_found, err);
}

struct kw_result kw_batch_turn(struct kw_tx *tx, struct kw_id station, struct kw_id request,
                               struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, take_turn, &stmt, err));
    kw_bind_id(stmt, 1, &station);
    kw_bind_id(stmt, 2, &request);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_batch_put(struct kw_tx *tx, const struct kw_batch_row *row,
                              struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, upsert_batch, &stmt, err));
    kw_bind_id(stmt, 1, &row->id);
    kw_bind_id(stmt, 2, &row->station);
    kw_bind_id(stmt, 3, &row->request);
    kw_bind_id(stmt, 4, &row->product);
    kw_bind_text(stmt, 5, row->lot);
    kw_bind_i64(stmt, 6, row->count);
    kw_bind_i64(stmt, 7, (int64_t)row->created_ms);
    if (row->released_ms != 0) {
        kw_bind_i64(stmt, 8, (int64_t)row->released_ms);
    }
    return kw_exec(stmt, NULL, err);
}
