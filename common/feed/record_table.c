/* SQL of table feed_records. */
#include "common/feed/record_table.h"

#include "common/feed/digest_sum.h"
#include "common/feed/digest_table.h"
#include "common/store/row.h"

#define COLUMNS "key, record, digest"

static const char select_record[] =
    "SELECT " COLUMNS " FROM feed_records WHERE kind = $1 AND key = $2";
static const char insert_record[] =
    "INSERT INTO feed_records (kind, key, record, digest, bucket)"
    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (kind, key) DO NOTHING";
static const char update_record[] = "UPDATE feed_records SET record = $3, digest = $4"
                                    " WHERE kind = $1 AND key = $2 AND record = $5 AND digest = $6";
static const char delete_record[] = "DELETE FROM feed_records WHERE kind = $1 AND key = $2"
                                    " AND record = $3 AND digest = $4";
static const char update_digest[] =
    "UPDATE feed_records SET digest = $3 WHERE kind = $1 AND key = $2";
static const char select_page[] = "SELECT " COLUMNS " FROM feed_records"
                                  " WHERE kind = $1 AND key > $2 ORDER BY key LIMIT $3";
static const char select_bucket[] =
    "SELECT " COLUMNS " FROM feed_records WHERE kind = $1 AND bucket = $2 AND key > $3"
    " ORDER BY key LIMIT $4";

struct kw_result kw_record_row_next(struct kw_stmt *walk, struct kw_arena *arena,
                                    struct kw_record_row *ret_row, bool *ret_any,
                                    struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];
    struct kw_record_row row;

    KW_TRY(kw_step(walk, ret_any, err));
    if (!*ret_any) {
        return KW_OK;
    }
    KW_TRY(kw_row_bytes(walk, 0, arena, &row.key, err));
    KW_TRY(kw_row_bytes(walk, 1, arena, &row.record, err));
    KW_TRY(kw_row_fixed(walk, 2, row.digest, sizeof(row.digest), err));
    KW_TRY(kw_sha256(row.record, digest, err));
    row.damaged = !kw_bytes_equal(KW_BYTES_OF(digest), KW_BYTES_OF(row.digest));
    *ret_row = row;
    return KW_OK;
}

struct kw_result kw_record_row_look(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes key, struct kw_arena *arena,
                                    struct kw_record_row *ret_row, bool *ret_found,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_record, &stmt, err));
    kw_bind_i64(stmt, 1, kind->table);
    kw_bind_blob(stmt, 2, key);
    return kw_record_row_next(stmt, arena, ret_row, ret_found, err);
}

struct kw_result kw_record_row_find(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes key, struct kw_arena *arena,
                                    struct kw_record_row *ret_row, bool *ret_found,
                                    struct kw_error *err)
{
    KW_TRY(kw_record_row_look(tx, kind, key, arena, ret_row, ret_found, err));
    KW_ENSURE(!*ret_found || !ret_row->damaged, err, INTERNAL, "a stored row is damaged");
    return KW_OK;
}

/* --- storing --- */

/* The row's bucket has `digest` more (NULL: none), and less what `old` was counted as. */
static struct kw_result count(struct kw_tx *tx, uint32_t writer, const struct kw_record_kind *kind,
                              uint16_t bucket, const struct kw_record_row *old,
                              const uint8_t *digest, struct kw_error *err)
{
    uint8_t more[KW_SHA256_LEN] = {0};

    if (digest != NULL) {
        kw_sum_add(more, digest);
    }
    if (old != NULL) {
        kw_sum_take(more, old->digest);
    }
    return kw_digest_add(tx, writer, kind->table, bucket, more, err);
}

static void bind_old(struct kw_stmt *stmt, int index, const struct kw_record_row *old)
{
    kw_bind_blob(stmt, index, old->record);
    kw_bind_blob(stmt, index + 1, KW_BYTES_OF(old->digest));
}

struct kw_result kw_record_row_store(struct kw_tx *tx, uint32_t writer,
                                     const struct kw_record_kind *kind, struct kw_bytes key,
                                     const struct kw_record_row *old, struct kw_bytes record,
                                     bool *ret_done, struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];
    struct kw_stmt *stmt;
    uint16_t bucket;
    int64_t changed;

    KW_TRY(kw_sha256(record, digest, err));
    KW_TRY(kw_bucket_of(key, &bucket, err));
    KW_TRY(kw_sql(tx, old == NULL ? insert_record : update_record, &stmt, err));
    kw_bind_i64(stmt, 1, kind->table);
    kw_bind_blob(stmt, 2, key);
    kw_bind_blob(stmt, 3, record);
    kw_bind_blob(stmt, 4, KW_BYTES_OF(digest));
    if (old == NULL) {
        kw_bind_i64(stmt, 5, bucket);
    } else {
        bind_old(stmt, 5, old);
    }
    KW_TRY(kw_exec(stmt, &changed, err));
    *ret_done = changed == 1;
    return *ret_done ? count(tx, writer, kind, bucket, old, digest, err) : KW_OK;
}

struct kw_result kw_record_row_delete(struct kw_tx *tx, uint32_t writer,
                                      const struct kw_record_kind *kind,
                                      const struct kw_record_row *row, struct kw_error *err)
{
    struct kw_stmt *stmt;
    uint16_t bucket;
    int64_t deleted;

    KW_TRY(kw_bucket_of(row->key, &bucket, err));
    KW_TRY(kw_sql(tx, delete_record, &stmt, err));
    kw_bind_i64(stmt, 1, kind->table);
    kw_bind_blob(stmt, 2, row->key);
    bind_old(stmt, 3, row);
    KW_TRY(kw_exec(stmt, &deleted, err));
    KW_ENSURE(deleted == 1, err, STORE_UNAVAILABLE, "a row was just changed by somebody else");
    return count(tx, writer, kind, bucket, row, NULL, err);
}

struct kw_result kw_record_row_mark(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes key, struct kw_error *err)
{
    static const uint8_t zeros[KW_SHA256_LEN];
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, update_digest, &stmt, err));
    kw_bind_i64(stmt, 1, kind->table);
    kw_bind_blob(stmt, 2, key);
    kw_bind_blob(stmt, 3, KW_BYTES_OF(zeros));
    return kw_exec(stmt, NULL, err);
}

/* --- walking --- */

struct kw_result kw_record_row_walk(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes after, size_t max, struct kw_stmt **ret_walk,
                                    struct kw_error *err)
{
    KW_TRY(kw_sql(tx, select_page, ret_walk, err));
    kw_bind_i64(*ret_walk, 1, kind->table);
    kw_bind_blob(*ret_walk, 2, after);
    kw_bind_i64(*ret_walk, 3, (int64_t)max);
    return KW_OK;
}

struct kw_result kw_record_row_walk_bucket(struct kw_tx *tx, const struct kw_record_kind *kind,
                                           uint16_t bucket, struct kw_bytes after, size_t max,
                                           struct kw_stmt **ret_walk, struct kw_error *err)
{
    KW_TRY(kw_sql(tx, select_bucket, ret_walk, err));
    kw_bind_i64(*ret_walk, 1, kind->table);
    kw_bind_i64(*ret_walk, 2, bucket);
    kw_bind_blob(*ret_walk, 3, after);
    kw_bind_i64(*ret_walk, 4, (int64_t)max);
    return KW_OK;
}

struct kw_result kw_record_row_list(struct kw_tx *tx, const struct kw_record_kind *kind,
                                    struct kw_bytes after, struct kw_arena *arena,
                                    struct kw_record_row *rows, size_t max, size_t *ret_count,
                                    struct kw_error *err)
{
    struct kw_stmt *walk;
    size_t count = 0;
    bool any = true;

    KW_TRY(kw_record_row_walk(tx, kind, after, max, &walk, err));
    while (count < max && any) {
        KW_TRY(kw_record_row_next(walk, arena, &rows[count], &any, err));
        KW_ENSURE(!any || !rows[count].damaged, err, INTERNAL, "a stored row is damaged");
        count += any ? 1 : 0;
    }
    *ret_count = count;
    return KW_OK;
}
