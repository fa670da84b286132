/* SQL of table quotas. */
#include "services/authz/quota_table.h"

#include "common/feed/instance.h"
#include "common/feed/intent.h"
#include "common/sync/record_value.h"
#include "common/sync/version_vector.h"
#include "services/authz/quota_merge.h"

#define KEY_LEN (KW_ID_LEN + 8)

/* A window that is over is never written again; of two rows of one grant the later one counts. */
static const char put_quota[] =
    "INSERT INTO quotas (grant_id, window_start_ms, used, counts) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (grant_id) DO UPDATE SET window_start_ms = excluded.window_start_ms,"
    " used = excluded.used, counts = excluded.counts"
    " WHERE excluded.window_start_ms >= quotas.window_start_ms";
static const char select_page[] =
    "SELECT grant_id, window_start_ms, counts FROM quotas WHERE grant_id > $1"
    " ORDER BY grant_id LIMIT $2";

/* --- a vector, from where one instance stands --- */

static void split(struct kw_bytes used, struct kw_id instance, struct kw_quota *quota)
{
    uint64_t sum = kw_vector_sum(used);

    quota->used = kw_vector_get(used, instance);
    quota->others = sum - quota->used;
}

bool kw_quota_read(const struct kw_record *record, struct kw_id instance,
                   struct kw_quota *ret_quota)
{
    struct kw_reader r = KW_READER(record->key);
    struct kw_quota quota = {0};

    kw_get_copy(&r, quota.grant.bytes, KW_ID_LEN);
    quota.window_start_ms = kw_get_u64(&r);
    if (r.failed || r.rest.len != 0 || quota.window_start_ms > INT64_MAX) {
        return false;
    }
    split(kw_record_value(record, KW_QUOTA_FIELD_USED), instance, &quota);
    *ret_quota = quota;
    return true;
}

struct kw_result kw_quota_list(struct kw_tx *tx, struct kw_id instance, struct kw_id after,
                               struct kw_quota *quotas, size_t max, size_t *ret_count,
                               struct kw_error *err)
{
    struct kw_stmt *stmt;
    size_t count = 0;

    KW_TRY(kw_sql(tx, select_page, &stmt, err));
    kw_bind_id(stmt, 1, &after);
    kw_bind_i64(stmt, 2, (int64_t)max);
    while (count < max) {
        bool found;

        KW_TRY(kw_step(stmt, &found, err));
        if (!found) {
            break;
        }
        KW_TRY(kw_col_id(stmt, 0, &quotas[count].grant, err));
        quotas[count].window_start_ms = (uint64_t)kw_col_i64(stmt, 1);
        split(kw_col_blob(stmt, 2), instance, &quotas[count]);
        count++;
    }
    *ret_count = count;
    return KW_OK;
}

/* --- saying --- */

struct kw_result kw_quota_store(const struct kw_feed_tx *feed_tx, struct kw_quota *quota,
                                struct kw_error *err)
{
    struct kw_id instance = kw_feed_instance(feed_tx->feed);
    uint8_t key[KEY_LEN];
    struct kw_intent intent = kw_intent(&kw_quota_record, KW_BYTES_OF(key), feed_tx->arena);
    struct kw_record merged;
    struct kw_quota all;

    if (quota->used == 0) {
        return KW_OK; /* taken and given back, before it was said */
    }
    kw_copy(key, quota->grant.bytes, KW_ID_LEN);
    kw_be64_store(key + KW_ID_LEN, quota->window_start_ms);
    kw_intent_count(&intent, KW_QUOTA_FIELD_USED, instance, quota->used);
    KW_TRY(kw_intent_say(&intent, feed_tx, &merged, err));
    split(kw_record_value(&merged, KW_QUOTA_FIELD_USED), instance, &all);
    quota->others = all.others;
    return KW_OK;
}

/* --- columns --- */

struct kw_result kw_quota_check(const struct kw_record *record, struct kw_error *err)
{
    struct kw_quota quota;

    KW_ENSURE(kw_quota_read(record, KW_ID_NONE, &quota), err, ENCODING_INVALID,
              "a quota of no grant or window");
    return KW_OK;
}

struct kw_result kw_quota_project(struct kw_tx *tx, const struct kw_record *merged,
                                  struct kw_arena *arena, struct kw_error *err)
{
    struct kw_quota quota = {0};
    struct kw_stmt *stmt;

    (void)arena;
    KW_TRY(kw_quota_check(merged, err));
    (void)kw_quota_read(merged, KW_ID_NONE, &quota);
    KW_TRY(kw_sql(tx, put_quota, &stmt, err));
    kw_bind_id(stmt, 1, &quota.grant);
    kw_bind_i64(stmt, 2, (int64_t)quota.window_start_ms);
    kw_bind_i64(stmt, 3, quota.others < INT64_MAX ? (int64_t)quota.others : INT64_MAX);
    kw_bind_blob(stmt, 4, kw_record_value(merged, KW_QUOTA_FIELD_USED));
    return kw_exec(stmt, NULL, err);
}
