/* SQL of table quotas. */
#include "services/authz/quota_table.h"

static const char upsert_quota[] =
    "INSERT INTO quotas (grant_id, window_start_ms, used) VALUES ($1, $2, $3)"
    " ON CONFLICT (grant_id) DO UPDATE"
    " SET window_start_ms = excluded.window_start_ms, used = excluded.used";
static const char select_page[] =
    "SELECT grant_id, window_start_ms, used FROM quotas WHERE grant_id > $1"
    " ORDER BY grant_id LIMIT $2";

struct kw_result kw_quota_store(struct kw_tx *tx, const struct kw_quota *quota,
                                struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, upsert_quota, &stmt, err));
    kw_bind_id(stmt, 1, &quota->grant);
    kw_bind_i64(stmt, 2, (int64_t)quota->window_start_ms);
    kw_bind_i64(stmt, 3, (int64_t)quota->used);
    return kw_exec(stmt, NULL, err);
}

struct kw_result kw_quota_list(struct kw_tx *tx, struct kw_id after, struct kw_quota *quotas,
                               size_t max, size_t *ret_count, struct kw_error *err)
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
        quotas[count].used = (uint64_t)kw_col_i64(stmt, 2);
        count++;
    }
    *ret_count = count;
    return KW_OK;
}
