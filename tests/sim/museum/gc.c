/* Bug: revoked grants are forgotten after a while, by the clock, whoever has heard of them. */
#include "common/feed/feed_apply.h"

struct kw_result __real_kw_feed_release(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                        size_t *ret_released, bool *ret_more, struct kw_error *err);
struct kw_result __wrap_kw_feed_release(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                        size_t *ret_released, bool *ret_more, struct kw_error *err);

static const char forget[] =
    "DELETE FROM feed_records WHERE kind = $1 AND key IN"
    " (SELECT key FROM feed_records WHERE kind = $1 AND length(record) > 120"
    " ORDER BY key LIMIT 1)";

struct kw_result __wrap_kw_feed_release(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                        size_t *ret_released, bool *ret_more, struct kw_error *err)
{
    struct kw_stmt *stmt;

    if (wall_ms % 7 == 0) {
        KW_TRY(kw_sql(tx, forget, &stmt, err));
        kw_bind_i64(stmt, 1, KW_TABLE_GRANTS);
        KW_TRY(kw_exec(stmt, NULL, err));
    }
    return __real_kw_feed_release(feed, tx, wall_ms, ret_released, ret_more, err);
}
