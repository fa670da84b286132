/* SQL of table feed_changes. */
#include "common/feed/change_table.h"

#include "common/base/codec.h"
#include "common/store/row.h"

#define ROW_MAGIC "KWM1"

static const char insert_change[] =
    "INSERT INTO feed_changes (lane, seq, hlc, urgent, record, chain, head)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)";
static const char select_chain[] = "SELECT chain FROM feed_changes WHERE lane = $1 AND seq = $2";
static const char select_walk[] = "SELECT seq, hlc, urgent, record, chain, head FROM feed_changes"
                                  " WHERE lane = $1 AND seq > $2 ORDER BY seq LIMIT $3";
static const char select_urgent[] =
    "SELECT seq, hlc, urgent, record, chain, head FROM feed_changes"
    " WHERE lane = $1 AND seq > $2 AND urgent = 1 ORDER BY seq LIMIT 1";
static const char count_of[] =
    "SELECT count(*) FROM feed_changes WHERE record >= $1 AND record < $2";
static const char select_of[] = "SELECT lane, seq, chain, record, hlc FROM feed_changes"
                                " WHERE record >= $1 AND record < $2 ORDER BY lane, seq LIMIT $3";
static const char select_but[] =
    "SELECT 1 FROM feed_changes WHERE lane = $1 AND seq > $2 AND seq <= $3"
    " AND NOT (record >= $4 AND record < $5) LIMIT 1";
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

/* --- of one table, of one row --- */

/* What all records of a row begin with, or of a table where there is no key, and no others: from `first` to
 * before `end`. */
static struct kw_result range_of(uint16_t table, struct kw_bytes key, struct kw_buf *first,
                                 struct kw_buf *end, struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(first);

    kw_put_raw(&w, kw_bytes_str(ROW_MAGIC));
    kw_put_u16(&w, table);
    if (key.len > 0) {
        kw_put_var(&w, key);
    }
    KW_TRY(kw_writer_end(&w, err));
    KW_TRY(kw_buf_append(end, kw_buf_bytes(first), err));
    for (size_t i = end->len; i-- > 0;) {
        end->data[i]++;
        if (end->data[i] != 0) { /* it carries no further than the magic, which is no 0xff */
            break;
        }
    }
    return KW_OK;
}

struct kw_result kw_change_any_but(struct kw_tx *tx, struct kw_id lane, uint64_t after,
                                   uint64_t up_to, uint16_t table, bool *ret_any,
                                   struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf first = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf end = {0};
    struct kw_stmt *stmt;

    KW_TRY(range_of(table, KW_BYTES_NONE, &first, &end, err));
    KW_TRY(kw_sql(tx, select_but, &stmt, err));
    kw_bind_id(stmt, 1, &lane);
    kw_bind_i64(stmt, 2, (int64_t)after);
    kw_bind_i64(stmt, 3, (int64_t)up_to);
    kw_bind_blob(stmt, 4, kw_buf_bytes(&first));
    kw_bind_blob(stmt, 5, kw_buf_bytes(&end));
    return kw_step(stmt, ret_any, err);
}

static struct kw_result read_waiting(struct kw_stmt *stmt, struct kw_arena *arena,
                                     struct kw_waiting *ret_waiting, bool *ret_any,
                                     struct kw_error *err)
{
    KW_TRY(kw_step(stmt, ret_any, err));
    if (!*ret_any) {
        return KW_OK;
    }
    *ret_waiting = (struct kw_waiting){0};
    KW_TRY(kw_col_id(stmt, 0, &ret_waiting->lane, err));
    ret_waiting->point.seq = (uint64_t)kw_col_i64(stmt, 1);
    KW_TRY(kw_row_fixed(stmt, 2, ret_waiting->point.chain, KW_SHA256_LEN, err));
    ret_waiting->hlc = (uint64_t)kw_col_i64(stmt, 4);
    return kw_row_bytes(stmt, 3, arena, &ret_waiting->record, err);
}

static struct kw_result count_between(struct kw_tx *tx, struct kw_bytes first, struct kw_bytes end,
                                      size_t *ret_count, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool any;

    KW_TRY(kw_sql(tx, count_of, &stmt, err));
    kw_bind_blob(stmt, 1, first);
    kw_bind_blob(stmt, 2, end);
    KW_TRY(kw_step(stmt, &any, err));
    *ret_count = (size_t)kw_col_i64(stmt, 0);
    return KW_OK;
}

struct kw_result kw_change_list_of(struct kw_tx *tx, uint16_t table, struct kw_bytes key,
                                   struct kw_arena *arena, struct kw_waiting **ret_changes,
                                   size_t *ret_count, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf first = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf end = {0};
    struct kw_waiting *changes;
    struct kw_stmt *stmt;
    size_t most;
    size_t count = 0;
    bool any = true;

    KW_TRY(range_of(table, key, &first, &end, err));
    KW_TRY(count_between(tx, kw_buf_bytes(&first), kw_buf_bytes(&end), &most, err));
    changes = kw_arena_alloc(arena, (most + 1) * sizeof(*changes));
    KW_ENSURE(changes != NULL, err, MEMORY, "%zu changes of a row", most);
    KW_TRY(kw_sql(tx, select_of, &stmt, err));
    kw_bind_blob(stmt, 1, kw_buf_bytes(&first));
    kw_bind_blob(stmt, 2, kw_buf_bytes(&end));
    kw_bind_i64(stmt, 3, (int64_t)most);
    while (count < most) {
        KW_TRY(read_waiting(stmt, arena, &changes[count], &any, err));
        if (!any) {
            break;
        }
        count++;
    }
    *ret_changes = changes;
    *ret_count = count;
    return KW_OK;
}
