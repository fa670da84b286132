/* SQL of table devices. */
#include "services/orchestrator/device_table.h"

#define SELECT_DEVICE                                                                              \
    "SELECT d.id, d.batch, b.station, d.position, d.product, k.id, d.created_ms, d.serial,"        \
    " d.confirmed_ms, d.released_ms, d.disputed"                                                   \
    " FROM devices d JOIN batches b ON b.id = d.batch JOIN key_versions k ON k.id ="               \
    " (SELECT n.id FROM key_versions n WHERE n.device = d.id"                                      \
    " ORDER BY n.version DESC, n.id LIMIT 1)"

#define STATE_OF_DEVICE                                                                            \
    "CASE WHEN d.released_ms IS NOT NULL THEN 3 WHEN d.confirmed_ms IS NOT NULL THEN 2 ELSE 1 END"

/* $1 after, $2 limit, $3 station, $4 product, $5 state; $6 and $7 are what picks the index. */
#define PAGE_OF_DEVICES                                                                            \
    " d.id > $1 AND (b.station = $3 OR $3 IS NULL) AND (d.product = $4 OR $4 IS NULL)"             \
    " AND (" STATE_OF_DEVICE " = $5 OR $5 IS NULL)"
#define IN_ORDER " ORDER BY d.id LIMIT $2"

static const char select_by_id[] = SELECT_DEVICE " WHERE d.id = $1";
static const char select_range[] =
    SELECT_DEVICE " WHERE d.batch = $1 AND d.position >= $2 AND d.position < $3"
                  " ORDER BY d.position, d.created_ms, d.id LIMIT $4";
static const char select_page[] = SELECT_DEVICE " WHERE" PAGE_OF_DEVICES IN_ORDER;
static const char select_page_of_batch[] = SELECT_DEVICE
    " WHERE d.batch = $6 AND (d.serial = $7 OR $7 IS NULL) AND" PAGE_OF_DEVICES IN_ORDER;
static const char select_page_of_serial[] =
    SELECT_DEVICE " WHERE d.serial = $7 AND" PAGE_OF_DEVICES IN_ORDER;
static const char upsert_device[] =
    "INSERT INTO devices (id, batch, position, product, created_ms, serial, confirmed_ms,"
    " released_ms, disputed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    " ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, position = excluded.position,"
    " product = excluded.product, created_ms = excluded.created_ms, serial = excluded.serial,"
    " confirmed_ms = excluded.confirmed_ms, released_ms = excluded.released_ms,"
    " disputed = excluded.disputed";

enum kw_device_state kw_device_state(const struct kw_device_row *row)
{
    if (row->released_ms != 0) {
        return KW_DEVICE_RELEASED;
    }
    return row->confirmed_ms != 0 ? KW_DEVICE_CONFIRMED : KW_DEVICE_PROVISIONED;
}

static struct kw_result read_row(struct kw_stmt *stmt, struct kw_arena *arena,
                                 struct kw_device_row *ret_row, struct kw_error *err)
{
    struct kw_device_row row = {0};

    KW_TRY(kw_col_id(stmt, 0, &row.id, err));
    KW_TRY(kw_col_id(stmt, 1, &row.batch, err));
    KW_TRY(kw_col_id(stmt, 2, &row.station, err));
    row.position = (uint32_t)kw_col_i64(stmt, 3);
    KW_TRY(kw_col_id(stmt, 4, &row.product, err));
    KW_TRY(kw_col_id(stmt, 5, &row.key, err));
    row.created_ms = (uint64_t)kw_col_i64(stmt, 6);
    KW_TRY(kw_row_text(stmt, 7, arena, &row.serial, err));
    row.confirmed_ms = (uint64_t)kw_col_i64(stmt, 8);
    row.released_ms = (uint64_t)kw_col_i64(stmt, 9);
    row.disputed = kw_col_i64(stmt, 10) != 0;
    *ret_row = row;
    return KW_OK;
}

static struct kw_result read_rows(struct kw_stmt *stmt, struct kw_arena *arena,
                                  struct kw_device_row *rows, size_t max, size_t *ret_count,
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

struct kw_result kw_device_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                struct kw_device_row *ret_row, bool *ret_found,
                                struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count;

    KW_TRY(kw_sql(tx, select_by_id, &stmt, err));
    kw_bind_id(stmt, 1, &id);
    KW_TRY(read_rows(stmt, arena, ret_row, 1, &count, err));
    *ret_found = count == 1;
    return KW_OK;
}

static const char *select_for(const struct kw_device_filter *filter)
{
    if (!kw_id_is_none(filter->batch)) {
        return select_page_of_batch;
    }
    return filter->serial[0] != '\0' ? select_page_of_serial : select_page;
}

struct kw_result kw_device_list(struct kw_tx *tx, const struct kw_device_filter *filter,
                                struct kw_id after, size_t max, struct kw_arena *arena,
                                struct kw_device_row *rows, size_t *ret_count, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_for(filter), &stmt, err));
    kw_bind_id(stmt, 1, &after);
    kw_bind_i64(stmt, 2, (int64_t)max);
    if (!kw_id_is_none(filter->station)) {
        kw_bind_id(stmt, 3, &filter->station);
    }
    if (!kw_id_is_none(filter->product)) {
        kw_bind_id(stmt, 4, &filter->product);
    }
    if (filter->state != KW_DEVICE_ANY) {
        kw_bind_i64(stmt, 5, filter->state);
    }
    if (!kw_id_is_none(filter->batch)) {
        kw_bind_id(stmt, 6, &filter->batch);
    }
    if (filter->serial[0] != '\0') {
        kw_bind_text(stmt, 7, filter->serial);
    }
    return read_rows(stmt, arena, rows, max, ret_count, err);
}

struct kw_result kw_device_range(struct kw_tx *tx, const struct kw_device_span *span, size_t max,
                                 struct kw_arena *arena, struct kw_device_row *rows,
                                 size_t *ret_count, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_range, &stmt, err));
    kw_bind_id(stmt, 1, &span->batch);
    kw_bind_i64(stmt, 2, span->first);
    kw_bind_i64(stmt, 3, (int64_t)span->first + span->count);
    kw_bind_i64(stmt, 4, (int64_t)max);
    return read_rows(stmt, arena, rows, max, ret_count, err);
}

static void bind_unless_0(struct kw_stmt *stmt, int index, uint64_t time_ms)
{
    if (time_ms != 0) {
        kw_bind_i64(stmt, index, (int64_t)time_ms);
    }
}

struct kw_result kw_device_put(struct kw_tx *tx, const struct kw_device_row *row,
                               struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, upsert_device, &stmt, err));
    kw_bind_id(stmt, 1, &row->id);
    kw_bind_id(stmt, 2, &row->batch);
    kw_bind_i64(stmt, 3, row->position);
    kw_bind_id(stmt, 4, &row->product);
    kw_bind_i64(stmt, 5, (int64_t)row->created_ms);
    if (row->serial[0] != '\0') {
        kw_bind_text(stmt, 6, row->serial);
    }
    bind_unless_0(stmt, 7, row->confirmed_ms);
    bind_unless_0(stmt, 8, row->released_ms);
    kw_bind_i64(stmt, 9, row->disputed);
    return kw_exec(stmt, NULL, err);
}
