/* SQL of table feed_lanes. */
#include "common/feed/lane_table.h"

#include "common/base/limits.h"
#include "common/store/row.h"

#define COLUMNS                                                                                    \
    "id, store, incarnation, writer, role, seq, chain, floor_seq, floor_chain, closed,"            \
    " heard_ms, rival"

static const char select_one[] = "SELECT " COLUMNS " FROM feed_lanes WHERE id = $1";
static const char lock_one[] = "SELECT " COLUMNS " FROM feed_lanes WHERE id = $1 FOR UPDATE";
static const char lock_present[] =
    "SELECT " COLUMNS " FROM feed_lanes WHERE store = $1 AND writer = $2 AND role = 2 FOR UPDATE";
static const char select_incarnation[] =
    "SELECT incarnation FROM feed_lanes WHERE store = $1 AND role = 2 ORDER BY writer LIMIT 1";
static const char update_closed[] =
    "UPDATE feed_lanes SET closed = $3 WHERE store = $1 AND role = 2 AND closed < $2";
static const char lock_all[] = "SELECT 1 FROM feed_lanes WHERE store = $1 ORDER BY id FOR UPDATE";
static const char select_life[] =
    "SELECT 1 FROM feed_lanes WHERE store = $1 AND incarnation = $2 LIMIT 1";
static const char select_heard[] = "SELECT 1 FROM feed_lanes WHERE store = $1 AND seq > 0 LIMIT 1";
static const char insert_lane[] =
    "INSERT INTO feed_lanes (id, store, incarnation, writer, role, seq, chain, floor_seq,"
    " floor_chain, closed, heard_ms, origin)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    " ON CONFLICT DO NOTHING";
static const char update_point[] =
    "UPDATE feed_lanes SET seq = $2, chain = $3, closed = $4,"
    " heard_ms = CASE WHEN closed < $4 THEN $5 ELSE heard_ms END WHERE id = $1";
static const char update_floor[] =
    "UPDATE feed_lanes SET floor_seq = $2, floor_chain = $3 WHERE id = $1";
static const char update_head[] = "UPDATE feed_lanes SET head = $2 WHERE id = $1";
static const char update_rival[] =
    "UPDATE feed_lanes SET rival = $2 WHERE id = $1 AND rival IS NULL";
static const char count_of[] = "SELECT (SELECT count(*) FROM feed_lanes WHERE origin = $1),"
                               " (SELECT count(*) FROM feed_lanes)";
static const char update_past[] = "UPDATE feed_lanes SET role = 3 WHERE store = $1 AND role = 2";
static const char select_page[] =
    "SELECT " COLUMNS " FROM feed_lanes WHERE id > $1 ORDER BY id LIMIT $2";
static const char select_head[] = "SELECT head FROM feed_lanes WHERE id = $1 AND head IS NOT NULL";

/* Our own lane's row is written late (own_lane.h): before anybody looks. */
static struct kw_result lane_sql(struct kw_tx *tx, const char *sql, struct kw_stmt **ret_stmt,
                                 struct kw_error *err)
{
    KW_TRY(kw_tx_catch_up(tx, err));
    return kw_sql(tx, sql, ret_stmt, err);
}

static struct kw_result read_point(struct kw_stmt *stmt, int column,
                                   struct kw_lane_point *ret_point, struct kw_error *err)
{
    ret_point->seq = (uint64_t)kw_col_i64(stmt, column);
    return kw_row_fixed(stmt, column + 1, ret_point->chain, sizeof(ret_point->chain), err);
}

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_lane_row *ret_row,
                                 struct kw_error *err)
{
    struct kw_lane_row row = {0};

    KW_TRY(kw_col_id(stmt, 0, &row.id, err));
    KW_TRY(kw_col_id(stmt, 1, &row.store, err));
    KW_TRY(kw_col_id(stmt, 2, &row.incarnation, err));
    row.writer = (uint32_t)kw_col_i64(stmt, 3);
    row.role = (enum kw_lane_role)kw_col_i64(stmt, 4);
    KW_TRY(read_point(stmt, 5, &row.point, err));
    KW_TRY(read_point(stmt, 7, &row.floor, err));
    row.closed = (uint64_t)kw_col_i64(stmt, 9);
    row.heard_ms = (uint64_t)kw_col_i64(stmt, 10);
    row.forked = !kw_col_is_null(stmt, 11);
    *ret_row = row;
    return KW_OK;
}

/* The one row that the statement gives, and its end, so that it has done what it changes. */
static struct kw_result read_only_row(struct kw_stmt *stmt, struct kw_lane_row *ret_row,
                                      bool *ret_found, struct kw_error *err)
{
    bool found;

    KW_TRY(kw_step(stmt, &found, err));
    if (found) {
        KW_TRY(read_row(stmt, ret_row, err));
        KW_TRY(kw_exec(stmt, NULL, err));
    }
    *ret_found = found;
    return KW_OK;
}

struct kw_result kw_lane_row_find(struct kw_tx *tx, struct kw_id lane, struct kw_lane_row *ret_row,
                                  bool *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, select_one, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    return read_only_row(stmt, ret_row, ret_found, err);
}

struct kw_result kw_lane_row_lock(struct kw_tx *tx, struct kw_id lane, struct kw_lane_row *ret_row,
                                  bool *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, lock_one, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    return read_only_row(stmt, ret_row, ret_found, err);
}

struct kw_result kw_lane_row_lock_present(struct kw_tx *tx, struct kw_id store, uint32_t writer,
                                          struct kw_lane_row *ret_row, bool *ret_found,
                                          struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, lock_present, &stmt, err));
    kw_bind_id(stmt, 1, &store);
    kw_bind_i64(stmt, 2, writer);
    return read_only_row(stmt, ret_row, ret_found, err);
}

struct kw_result kw_lane_row_incarnation(struct kw_tx *tx, struct kw_id store,
                                         struct kw_id *ret_incarnation, bool *ret_found,
                                         struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, select_incarnation, &stmt, err));
    kw_bind_id(stmt, 1, &store);
    KW_TRY(kw_step(stmt, ret_found, err));
    return *ret_found ? kw_col_id(stmt, 0, ret_incarnation, err) : KW_OK;
}

struct kw_result kw_lane_row_close(struct kw_tx *tx, struct kw_id store, uint64_t before,
                                   uint64_t closed, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, update_closed, &stmt, err));
    kw_bind_id(stmt, 1, &store);
    kw_bind_i64(stmt, 2, (int64_t)before);
    kw_bind_i64(stmt, 3, (int64_t)closed);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_lane_row_lock_all(struct kw_tx *tx, struct kw_id store, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, lock_all, &stmt, err));
    kw_bind_id(stmt, 1, &store);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_lane_row_has_life(struct kw_tx *tx, struct kw_id store,
                                      struct kw_id incarnation, bool *ret_has, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, select_life, &stmt, err));
    kw_bind_id(stmt, 1, &store);
    kw_bind_id(stmt, 2, &incarnation);
    return kw_step(stmt, ret_has, err);
}

struct kw_result kw_lane_row_heard(struct kw_tx *tx, struct kw_id store, bool *ret_heard,
                                   struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, select_heard, &stmt, err));
    kw_bind_id(stmt, 1, &store);
    return kw_step(stmt, ret_heard, err);
}

struct kw_result kw_lane_row_insert(struct kw_tx *tx, const struct kw_lane_row *row,
                                    struct kw_bytes origin, struct kw_error *err)
{
    struct kw_stmt *stmt;
    int64_t inserted;

    KW_TRY(lane_sql(tx, insert_lane, &stmt, err));
    kw_bind_id(stmt, 1, &row->id);
    kw_bind_id(stmt, 2, &row->store);
    kw_bind_id(stmt, 3, &row->incarnation);
    kw_bind_i64(stmt, 4, row->writer);
    kw_bind_i64(stmt, 5, row->role);
    kw_bind_i64(stmt, 6, (int64_t)row->point.seq);
    kw_bind_blob(stmt, 7, KW_BYTES_OF(row->point.chain));
    kw_bind_i64(stmt, 8, (int64_t)row->floor.seq);
    kw_bind_blob(stmt, 9, KW_BYTES_OF(row->floor.chain));
    kw_bind_i64(stmt, 10, (int64_t)row->closed);
    kw_bind_i64(stmt, 11, (int64_t)row->heard_ms);
    kw_bind_blob(stmt, 12, origin);
    KW_TRY(kw_exec(stmt, &inserted, err));
    KW_ENSURE(inserted == 1, err, STORE_UNAVAILABLE, "the lane was just begun by somebody else");
    return KW_OK;
}

struct kw_result kw_lane_row_move(struct kw_tx *tx, struct kw_id lane,
                                  const struct kw_lane_point *point, uint64_t closed,
                                  uint64_t heard_ms, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, update_point, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_i64(stmt, 2, (int64_t)point->seq);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(point->chain));
    kw_bind_i64(stmt, 4, (int64_t)closed);
    kw_bind_i64(stmt, 5, (int64_t)heard_ms);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_lane_row_set_floor(struct kw_tx *tx, struct kw_id lane,
                                       const struct kw_lane_point *floor, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, update_floor, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_i64(stmt, 2, (int64_t)floor->seq);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(floor->chain));
    return kw_exec(stmt, NULL, err);
}

static struct kw_result set_bytes(struct kw_tx *tx, const char *sql, struct kw_id lane,
                                  struct kw_bytes bytes, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, sql, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_blob(stmt, 2, bytes);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_lane_row_set_head(struct kw_tx *tx, struct kw_id lane, struct kw_bytes head,
                                      struct kw_error *err)
{
    return set_bytes(tx, update_head, lane, head, err);
}

struct kw_result kw_lane_row_set_rival(struct kw_tx *tx, struct kw_id lane, struct kw_bytes head,
                                       struct kw_error *err)
{
    return set_bytes(tx, update_rival, lane, head, err);
}

struct kw_result kw_lane_row_end_all(struct kw_tx *tx, struct kw_id store, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, update_past, &stmt, err));
    kw_bind_id(stmt, 1, &store);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_lane_row_list(struct kw_tx *tx, struct kw_id after, struct kw_lane_row *rows,
                                  size_t max, size_t *ret_count, struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count = 0;

    KW_TRY(lane_sql(tx, select_page, &stmt, err));
    kw_bind_id(stmt, 1, &after);
    kw_bind_i64(stmt, 2, (int64_t)max);
    while (count < max) {
        bool found;

        KW_TRY(kw_step(stmt, &found, err));
        if (!found) {
            break;
        }
        KW_TRY(read_row(stmt, &rows[count], err));
        count++;
    }
    *ret_count = count;
    return KW_OK;
}

struct kw_result kw_lane_row_head(struct kw_tx *tx, struct kw_id lane, struct kw_buf *out,
                                  bool *ret_any, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(lane_sql(tx, select_head, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    KW_TRY(kw_step(stmt, ret_any, err));
    return *ret_any ? kw_buf_append(out, kw_col_blob(stmt, 0), err) : KW_OK;
}

struct kw_result kw_lane_row_count(struct kw_tx *tx, struct kw_bytes origin, uint64_t *ret_of,
                                   uint64_t *ret_all, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(lane_sql(tx, count_of, &stmt, err));
    kw_bind_blob(stmt, 1, origin);
    KW_TRY(kw_step(stmt, &row, err));
    *ret_of = (uint64_t)kw_col_i64(stmt, 0);
    *ret_all = (uint64_t)kw_col_i64(stmt, 1);
    return KW_OK;
}
