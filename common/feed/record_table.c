/* SQL of table feed_records. */
#include "common/feed/record_table.h"

#include "common/store/row.h"

static const char select_record[] = "SELECT record FROM feed_records WHERE kind = $1 AND key = $2";
static const char insert_record[] = "INSERT INTO feed_records (kind, key, record)"
                                    " VALUES ($1, $2, $3) ON CONFLICT (kind, key) DO NOTHING";
static const char update_record[] = "UPDATE feed_records SET record = $3"
                                    " WHERE kind = $1 AND key = $2 AND record = $4";
static const char select_page[] =
    "SELECT key, record FROM feed_records WHERE kind = $1 AND key > $2"
    " ORDER BY key LIMIT $3";

struct kw_result kw_record_row_find(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes key, struct kw_arena *arena,
                                    struct kw_bytes *ret_record, bool *ret_found,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_record, &stmt, err));
    kw_bind_i64(stmt, 1, kind->table);
    kw_bind_blob(stmt, 2, key);
    KW_TRY(kw_step(stmt, ret_found, err));
    return *ret_found ? kw_row_bytes(stmt, 0, arena, ret_record, err) : KW_OK;
}

struct kw_result kw_record_row_store(struct kw_tx *tx, const struct kw_record_kind *kind,
                                     struct kw_bytes key, struct kw_bytes old,
                                     struct kw_bytes record, bool *ret_done, struct kw_error *err)
{
    struct kw_stmt *stmt;
    int64_t changed;

    KW_TRY(kw_sql(tx, old.len == 0 ? insert_record : update_record, &stmt, err));
    kw_bind_i64(stmt, 1, kind->table);
    kw_bind_blob(stmt, 2, key);
    kw_bind_blob(stmt, 3, record);
    if (old.len > 0) {
        kw_bind_blob(stmt, 4, old);
    }
    KW_TRY(kw_exec(stmt, &changed, err));
    *ret_done = changed == 1;
    return KW_OK;
}

struct kw_result kw_record_row_list(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes after, struct kw_arena *arena,
                                    struct kw_record_row *rows, size_t max, size_t *ret_count,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count = 0;

    KW_TRY(kw_sql(tx, select_page, &stmt, err));
    kw_bind_i64(stmt, 1, kind->table);
    kw_bind_blob(stmt, 2, after);
    kw_bind_i64(stmt, 3, (int64_t)max);
    while (count < max) {
        bool found;

        KW_TRY(kw_step(stmt, &found, err));
        if (!found) {
            break;
        }
        KW_TRY(kw_row_bytes(stmt, 0, arena, &rows[count].key, err));
        KW_TRY(kw_row_bytes(stmt, 1, arena, &rows[count].record, err));
        count++;
    }
    *ret_count = count;
    return KW_OK;
}
