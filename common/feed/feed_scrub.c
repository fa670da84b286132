/* Scrubbing, bucket by bucket: a bucket's rows and its sum are of one moment in a read job, and in a
 * write job since the parts of the sum are locked first. */
#include "common/feed/feed_scrub.h"

#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/digest_sum.h"
#include "common/feed/digest_table.h"
#include "common/feed/feed_rows.h"
#include "common/feed/record_table.h"

#define MAGIC_LEN 4

/* What the rows of a bucket come to. */
struct bucket {
    uint8_t sum[KW_SHA256_LEN]; /* of the digests of those that are not damaged */
    size_t rows;
    struct kw_bytes damaged; /* the first */
    bool any_damaged;
};

static bool is_marked(const struct kw_record_row *row)
{
    static const uint8_t zeros[KW_SHA256_LEN];

    return kw_bytes_equal(KW_BYTES_OF(row->digest), KW_BYTES_OF(zeros));
}

/* Is it another row's record, or where that row is not counted? */
static struct kw_result is_out_of_place(const struct kw_record_kind *kind, uint16_t number,
                                        const struct kw_record_row *row, bool *ret_out,
                                        struct kw_error *err)
{
    struct kw_reader r = KW_READER(row->record);
    uint16_t bucket;

    (void)kw_get_raw(&r, MAGIC_LEN);
    KW_TRY(kw_bucket_of(row->key, &bucket, err));
    *ret_out = kw_get_u16(&r) != kind->table || !kw_bytes_equal(kw_get_var(&r), row->key) ||
               bucket != number;
    return KW_OK;
}

static struct kw_result look(struct kw_tx *tx, const struct kw_record_kind *kind, uint16_t number,
                             struct kw_arena *arena, struct bucket *ret_bucket,
                             struct kw_error *err)
{
    struct bucket bucket = {.rows = 0};
    struct kw_record_row row;
    struct kw_stmt *walk;
    bool out_of_place;
    bool any = true;

    KW_TRY(kw_record_row_walk_bucket(tx, kind, number, KW_BYTES_NONE, INT32_MAX, &walk, err));
    while (true) {
        KW_TRY(kw_record_row_next(walk, arena, &row, &any, err));
        if (!any) {
            break;
        }
        bucket.rows++;
        KW_TRY(is_out_of_place(kind, number, &row, &out_of_place, err));
        if (!row.damaged && !out_of_place) {
            kw_sum_add(bucket.sum, row.digest);
        } else if (!is_marked(&row) && !bucket.any_damaged) {
            bucket.any_damaged = true;
            bucket.damaged = row.key;
        }
    }
    *ret_bucket = bucket;
    return KW_OK;
}

/* --- finding --- */

static struct kw_result sum_is_right(struct kw_tx *tx, uint16_t table, uint16_t number,
                                     const struct bucket *bucket, bool *ret_right,
                                     struct kw_error *err)
{
    uint8_t sum[KW_SHA256_LEN] = {0};
    struct kw_digest_part part;
    struct kw_stmt *walk;
    bool any = true;

    KW_TRY(kw_digest_walk(tx, table, number, (uint16_t)(number + 1), &walk, err));
    while (true) {
        KW_TRY(kw_digest_next(walk, &part, &any, err));
        if (!any) {
            break;
        }
        kw_sum_add(sum, part.sum);
    }
    *ret_right = kw_bytes_equal(KW_BYTES_OF(sum), KW_BYTES_OF(bucket->sum));
    return KW_OK;
}

static struct kw_result judge(struct kw_tx *tx, const struct bucket *bucket, struct kw_scrub *scrub,
                              struct kw_error *err)
{
    bool right;

    if (bucket->any_damaged) {
        scrub->found = KW_SCRUB_ROW;
        scrub->key = bucket->damaged;
        return KW_OK;
    }
    KW_TRY(sum_is_right(tx, scrub->table, scrub->bucket, bucket, &right, err));
    scrub->found = right ? KW_SCRUB_NOTHING : KW_SCRUB_SUM;
    return KW_OK;
}

/* One bucket; `*rows` grows by its. */
static struct kw_result step(const struct kw_feed *feed, struct kw_tx *tx, struct kw_arena *arena,
                             struct kw_scrub_place *place, size_t *rows, struct kw_scrub *scrub,
                             struct kw_error *err)
{
    const struct kw_record_kind *kind = feed->options.tables[place->table].kind;
    struct bucket bucket;

    scrub->table = kind->table;
    scrub->bucket = place->bucket;
    KW_TRY(look(tx, kind, place->bucket, arena, &bucket, err));
    KW_TRY(judge(tx, &bucket, scrub, err));
    *rows += bucket.rows;
    place->bucket++;
    if (place->bucket == KW_DIGEST_BUCKETS) {
        *place = (struct kw_scrub_place){.table = place->table + 1};
    }
    return KW_OK;
}

struct kw_result kw_feed_scrub(const struct kw_feed *feed, struct kw_tx *tx, struct kw_arena *arena,
                               struct kw_scrub_place *place, struct kw_scrub *ret_scrub,
                               struct kw_error *err)
{
    struct kw_scrub scrub = {.found = KW_SCRUB_NOTHING};
    size_t rows = 0;

    for (size_t i = 0; i < KW_SCRUB_BUCKETS_MAX && rows < KW_SCRUB_ROWS_MAX &&
                       scrub.found == KW_SCRUB_NOTHING && place->table < feed->options.table_count;
         i++) {
        KW_TRY(step(feed, tx, arena, place, &rows, &scrub, err));
    }
    scrub.done = place->table >= feed->options.table_count;
    *ret_scrub = scrub;
    return KW_OK;
}

/* --- marking --- */

static struct kw_result lock_parts(struct kw_tx *tx, uint16_t table, uint16_t number,
                                   size_t *ret_count, struct kw_error *err)
{
    struct kw_digest_part part;
    struct kw_stmt *walk;
    bool any = true;

    *ret_count = 0;
    KW_TRY(kw_digest_lock(tx, table, number, &walk, err));
    while (true) {
        KW_TRY(kw_digest_next(walk, &part, &any, err));
        if (!any) {
            return KW_OK;
        }
        *ret_count += 1;
    }
}

/* Each time the first one, until there is none. */
static struct kw_result mark_rows(struct kw_tx *tx, const struct kw_record_kind *kind,
                                  uint16_t number, struct kw_arena *arena, struct bucket *bucket,
                                  size_t *ret_damaged, struct kw_error *err)
{
    size_t damaged = 0;

    KW_TRY(look(tx, kind, number, arena, bucket, err));
    while (bucket->any_damaged) {
        KW_LOG(ERROR, "a stored row is damaged", KW_F_STR("table", kind->name),
               KW_F_HEX("key", bucket->damaged), KW_F_U64("bucket", number));
        KW_TRY(kw_record_row_mark(tx, kind, bucket->damaged, err));
        damaged++;
        KW_TRY(look(tx, kind, number, arena, bucket, err));
    }
    kw_metric_add(KW_M_FEED_DAMAGED, NULL, (int64_t)damaged);
    *ret_damaged = damaged;
    return KW_OK;
}

/* What is missing from the parts, so that they add up to the rows. A writer whose first row came meanwhile has a part
 * that was not locked: then nothing can be said. */
static struct kw_result right_sum(const struct kw_feed *feed, struct kw_tx *tx, uint16_t table,
                                  uint16_t number, const struct bucket *bucket, size_t locked,
                                  struct kw_error *err)
{
    uint8_t missing[KW_SHA256_LEN];
    struct kw_digest_part part;
    struct kw_stmt *walk;
    size_t count = 0;
    bool any = true;

    kw_copy(missing, bucket->sum, sizeof(missing));
    KW_TRY(kw_digest_walk(tx, table, number, (uint16_t)(number + 1), &walk, err));
    while (true) {
        KW_TRY(kw_digest_next(walk, &part, &any, err));
        if (!any) {
            break;
        }
        kw_sum_take(missing, part.sum);
        count++;
    }
    KW_ENSURE(count == locked, err, STORE_UNAVAILABLE, "a bucket was changed by somebody else");
    return kw_digest_add(tx, feed->options.writer, table, number, missing, err);
}

struct kw_result kw_feed_scrub_mark(const struct kw_feed *feed, struct kw_tx *tx, uint16_t table,
                                    uint16_t bucket, struct kw_arena *arena, size_t *ret_damaged,
                                    struct kw_error *err)
{
    const struct kw_feed_table *ours = kw_feed_table_of(feed, table);
    struct bucket found;
    size_t locked;

    KW_ENSURE(ours != NULL, err, ARGUMENT_INVALID, "no table %u is known here", table);
    KW_TRY(lock_parts(tx, table, bucket, &locked, err));
    KW_TRY(mark_rows(tx, ours->kind, bucket, arena, &found, ret_damaged, err));
    return right_sum(feed, tx, table, bucket, &found, locked, err);
}
