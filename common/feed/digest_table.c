/* SQL of table feed_digests. */
#include "common/feed/digest_table.h"

#include "common/base/limits.h"
#include "common/feed/digest_sum.h"
#include "common/store/row.h"

#define COLUMNS "bucket, writer, digest"

static const char select_part[] = "SELECT " COLUMNS " FROM feed_digests"
                                  " WHERE kind = $1 AND bucket = $2 AND writer = $3";
static const char insert_part[] = "INSERT INTO feed_digests (kind, bucket, writer, digest)"
                                  " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
static const char update_part[] = "UPDATE feed_digests SET digest = $4 WHERE kind = $1"
                                  " AND bucket = $2 AND writer = $3 AND digest = $5";
static const char select_walk[] = "SELECT " COLUMNS " FROM feed_digests WHERE kind = $1"
                                  " AND bucket >= $2 AND bucket < $3 ORDER BY bucket, writer";
static const char lock_bucket[] = "SELECT " COLUMNS " FROM feed_digests WHERE kind = $1"
                                  " AND bucket = $2 ORDER BY bucket, writer FOR UPDATE";

struct kw_result kw_digest_next(struct kw_stmt *walk, struct kw_digest_part *ret_part,
                                bool *ret_any, struct kw_error *err)
{
    KW_TRY(kw_step(walk, ret_any, err));
    if (!*ret_any) {
        return KW_OK;
    }
    ret_part->bucket = (uint16_t)kw_col_i64(walk, 0);
    ret_part->writer = (uint32_t)kw_col_i64(walk, 1);
    return kw_row_fixed(walk, 2, ret_part->sum, KW_SHA256_LEN, err);
}

static void bind_place(struct kw_stmt *stmt, uint16_t table, uint16_t bucket)
{
    kw_bind_i64(stmt, 1, table);
    kw_bind_i64(stmt, 2, bucket);
}

static struct kw_result find(struct kw_tx *tx, uint32_t writer, uint16_t table, uint16_t bucket,
                             struct kw_digest_part *ret_part, bool *ret_found, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_part, &stmt, err));
    bind_place(stmt, table, bucket);
    kw_bind_i64(stmt, 3, writer);
    return kw_digest_next(stmt, ret_part, ret_found, err);
}

/* `*ret_done` false: the part has changed since it was read. */
static struct kw_result try_add(struct kw_tx *tx, uint32_t writer, uint16_t table, uint16_t bucket,
                                const uint8_t *more, bool *ret_done, struct kw_error *err)
{
    struct kw_digest_part old = {0};
    struct kw_digest_part new;
    struct kw_stmt *stmt;
    int64_t changed;
    bool found;

    KW_TRY(find(tx, writer, table, bucket, &old, &found, err));
    new = old;
    kw_sum_add(new.sum, more);
    KW_TRY(kw_sql(tx, found ? update_part : insert_part, &stmt, err));
    bind_place(stmt, table, bucket);
    kw_bind_i64(stmt, 3, writer);
    kw_bind_blob(stmt, 4, KW_BYTES_OF(new.sum));
    if (found) {
        kw_bind_blob(stmt, 5, KW_BYTES_OF(old.sum));
    }
    KW_TRY(kw_exec(stmt, &changed, err));
    *ret_done = changed == 1;
    return KW_OK;
}

struct kw_result kw_digest_add(struct kw_tx *tx, uint32_t writer, uint16_t table, uint16_t bucket,
                               const uint8_t more[KW_SHA256_LEN], struct kw_error *err)
{
    bool done = false;

    for (unsigned tries = 0; !done; tries++) {
        KW_ENSURE(tries < KW_FEED_TRIES_MAX, err, STORE_UNAVAILABLE,
                  "a bucket is changed by others all the time");
        KW_TRY(try_add(tx, writer, table, bucket, more, &done, err));
    }
    return KW_OK;
}

struct kw_result kw_digest_walk(struct kw_tx *tx, uint16_t table, uint16_t first, uint16_t end,
                                struct kw_stmt **ret_walk, struct kw_error *err)
{
    KW_TRY(kw_sql(tx, select_walk, ret_walk, err));
    bind_place(*ret_walk, table, first);
    kw_bind_i64(*ret_walk, 3, end);
    return KW_OK;
}

struct kw_result kw_digest_lock(struct kw_tx *tx, uint16_t table, uint16_t bucket,
                                struct kw_stmt **ret_walk, struct kw_error *err)
{
    KW_TRY(kw_sql(tx, lock_bucket, ret_walk, err));
    bind_place(*ret_walk, table, bucket);
    return KW_OK;
}
