/* Sums over ranges of buckets: the tree is not stored, its leaves are. */
#include "common/feed/feed_digests.h"

#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/feed/digest_sum.h"
#include "common/feed/digest_table.h"
#include "common/feed/lane_table.h"
#include "common/store/row.h"

#define LANES_AT_ONCE 16

static const char select_digests[] =
    "SELECT key, digest FROM feed_records WHERE kind = $1 AND bucket = $2 AND key > $3"
    " ORDER BY key LIMIT $4";
static const char select_digest[] = "SELECT digest FROM feed_records WHERE kind = $1 AND key = $2";
static const char select_held[] =
    "SELECT lane, seq, chain FROM feed_held ORDER BY lane, seq, chain";
/* Until we said it once more: whoever has our lane has it then, also where its own store's is refused. */
static const char select_ahead[] = "SELECT lane, seq, chain FROM feed_urgents"
                                   " WHERE due_ms IS NOT NULL ORDER BY lane, seq, chain";

/* Sums the node's buckets into `count` digests, each of as many of them. */
static struct kw_result sum_parts(struct kw_tx *tx, struct kw_digest_node node, size_t count,
                                  uint8_t (*sums)[KW_SHA256_LEN], struct kw_error *err)
{
    uint32_t buckets = kw_digest_span(node);
    uint32_t first = node.index * buckets;
    struct kw_digest_part part;
    struct kw_stmt *walk;
    bool any = true;

    KW_ENSURE(buckets >= count, err, ARGUMENT_INVALID, "there is no such node of digests");
    KW_TRY(
        kw_digest_walk(tx, node.table, (uint16_t)first, (uint16_t)(first + buckets), &walk, err));
    while (true) {
        KW_TRY(kw_digest_next(walk, &part, &any, err));
        if (!any) {
            return KW_OK;
        }
        KW_ENSURE(part.bucket >= first && part.bucket - first < buckets, err, INTERNAL,
                  "the database answers for another bucket than asked for");
        kw_sum_add(sums[(part.bucket - first) / (buckets / count)], part.sum);
    }
}

struct kw_result kw_feed_digest(struct kw_tx *tx, struct kw_digest_node node,
                                uint8_t ret_digest[KW_SHA256_LEN], struct kw_error *err)
{
    uint8_t sum[1][KW_SHA256_LEN] = {{0}};

    KW_TRY(sum_parts(tx, node, 1, sum, err));
    kw_copy(ret_digest, sum[0], KW_SHA256_LEN);
    return KW_OK;
}

struct kw_result kw_feed_digest_children(struct kw_tx *tx, struct kw_digest_node node,
                                         uint8_t ret_digests[KW_DIGEST_FAN][KW_SHA256_LEN],
                                         struct kw_error *err)
{
    uint8_t sums[KW_DIGEST_FAN][KW_SHA256_LEN] = {{0}};

    KW_TRY(sum_parts(tx, node, KW_DIGEST_FAN, sums, err));
    kw_copy(ret_digests, sums, sizeof(sums));
    return KW_OK;
}

struct kw_result kw_feed_digest_rows(struct kw_tx *tx, uint16_t table, uint16_t bucket,
                                     struct kw_bytes after, struct kw_arena *arena,
                                     struct kw_row_digest *rows, size_t max, size_t *ret_count,
                                     struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count = 0;
    bool any = true;

    KW_TRY(kw_sql(tx, select_digests, &stmt, err));
    kw_bind_i64(stmt, 1, table);
    kw_bind_i64(stmt, 2, bucket);
    kw_bind_blob(stmt, 3, after);
    kw_bind_i64(stmt, 4, (int64_t)max);
    while (count < max) {
        KW_TRY(kw_step(stmt, &any, err));
        if (!any) {
            break;
        }
        KW_TRY(kw_row_bytes(stmt, 0, arena, &rows[count].key, err));
        KW_TRY(kw_row_fixed(stmt, 1, rows[count].digest, KW_SHA256_LEN, err));
        count++;
    }
    *ret_count = count;
    return KW_OK;
}

struct kw_result kw_feed_row_digest(struct kw_tx *tx, uint16_t table, struct kw_bytes key,
                                    uint8_t ret_digest[KW_SHA256_LEN], bool *ret_found,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, select_digest, &stmt, err));
    kw_bind_i64(stmt, 1, table);
    kw_bind_blob(stmt, 2, key);
    KW_TRY(kw_step(stmt, ret_found, err));
    return *ret_found ? kw_row_fixed(stmt, 0, ret_digest, KW_SHA256_LEN, err) : KW_OK;
}

/* --- what is held of lanes --- */

static void put_place(struct kw_writer *w, const struct kw_id *lane, uint64_t seq,
                      struct kw_bytes chain)
{
    kw_put_raw(w, kw_id_bytes(lane));
    kw_put_u64(w, seq);
    kw_put_raw(w, chain);
}

static struct kw_result put_lanes(struct kw_tx *tx, struct kw_writer *w, struct kw_error *err)
{
    struct kw_lane_row rows[LANES_AT_ONCE];
    struct kw_id after = KW_ID_NONE;
    size_t count = LANES_AT_ONCE;

    while (count == LANES_AT_ONCE) {
        KW_TRY(kw_lane_row_list(tx, after, rows, LANES_AT_ONCE, &count, err));
        for (size_t i = 0; i < count; i++) {
            if (rows[i].point.seq > 0) { /* a lane that says nothing may be known to one alone */
                put_place(w, &rows[i].id, rows[i].point.seq, KW_BYTES_OF(rows[i].point.chain));
            }
            after = rows[i].id;
        }
    }
    return KW_OK;
}

static struct kw_result put_places(struct kw_tx *tx, const char *sql, struct kw_writer *w,
                                   struct kw_error *err)
{
    struct kw_stmt *stmt;
    struct kw_id lane;
    bool any = true;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    while (true) {
        KW_TRY(kw_step(stmt, &any, err));
        if (!any) {
            return KW_OK;
        }
        KW_TRY(kw_col_id(stmt, 0, &lane, err));
        put_place(w, &lane, (uint64_t)kw_col_i64(stmt, 1), kw_col_blob(stmt, 2));
    }
}

struct kw_result kw_feed_reach(struct kw_tx *tx, uint8_t ret_reach[KW_SHA256_LEN],
                               struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf all = {0};
    struct kw_writer w = KW_WRITER(&all);

    KW_TRY(put_lanes(tx, &w, err));
    kw_put_raw(&w, kw_bytes_str("held"));
    KW_TRY(put_places(tx, select_held, &w, err));
    kw_put_raw(&w, kw_bytes_str("ahead"));
    KW_TRY(put_places(tx, select_ahead, &w, err));
    KW_TRY(kw_writer_end(&w, err));
    return kw_sha256(kw_buf_bytes(&all), ret_reach, err);
}
