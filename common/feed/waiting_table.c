/* SQL of that walk. */
#include "common/feed/waiting_table.h"

#include "common/store/row.h"

#define WALK(table)                                                                                \
    "SELECT lane, seq, chain, record FROM " table " WHERE (lane, seq, chain) > ($1, $2, $3)"       \
    " ORDER BY lane, seq, chain LIMIT $4"

static const char select_held[] = WALK("feed_held");
static const char select_quarantined[] = WALK("feed_quarantine");

#define COUNT(table) "SELECT count(*) FROM (SELECT 1 FROM " table " LIMIT $1) AS those"

static const char count_held[] = COUNT("feed_held");
static const char count_quarantined[] = COUNT("feed_quarantine");

struct kw_result kw_waiting_count(struct kw_tx *tx, bool held, size_t max, uint64_t *ret_count,
                                  struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, held ? count_held : count_quarantined, &stmt, err));
    kw_bind_i64(stmt, 1, (int64_t)max);
    KW_TRY(kw_step(stmt, &found, err));
    *ret_count = (uint64_t)kw_col_i64(stmt, 0);
    return KW_OK;
}

struct kw_result kw_waiting_walk(struct kw_tx *tx, bool held, const struct kw_waiting *after,
                                 size_t max, struct kw_stmt **ret_walk, struct kw_error *err)
{
    KW_TRY(kw_sql(tx, held ? select_held : select_quarantined, ret_walk, err));
    kw_bind_id(*ret_walk, 1, &after->lane);
    kw_bind_i64(*ret_walk, 2, (int64_t)after->point.seq);
    kw_bind_blob(*ret_walk, 3, KW_BYTES_OF(after->point.chain));
    kw_bind_i64(*ret_walk, 4, (int64_t)max);
    return KW_OK;
}

struct kw_result kw_waiting_next(struct kw_stmt *walk, struct kw_arena *arena,
                                 struct kw_waiting *ret_waiting, bool *ret_any,
                                 struct kw_error *err)
{
    KW_TRY(kw_step(walk, ret_any, err));
    if (!*ret_any) {
        return KW_OK;
    }
    *ret_waiting = (struct kw_waiting){0};
    KW_TRY(kw_col_id(walk, 0, &ret_waiting->lane, err));
    ret_waiting->point.seq = (uint64_t)kw_col_i64(walk, 1);
    KW_TRY(kw_row_fixed(walk, 2, ret_waiting->point.chain, KW_SHA256_LEN, err));
    return kw_row_bytes(walk, 3, arena, &ret_waiting->record, err);
}
