/* Bug: an urgent change that is known is passed on again. It was so for an hour. */
#include "common/feed/feed_apply.h"

struct kw_result __real_kw_feed_apply_urgent(struct kw_feed *feed, struct kw_tx *tx,
                                             const struct kw_urgent *urgent, uint64_t wall_ms,
                                             enum kw_lane_verdict *ret_verdict,
                                             struct kw_error *err);
struct kw_result __wrap_kw_feed_apply_urgent(struct kw_feed *feed, struct kw_tx *tx,
                                             const struct kw_urgent *urgent, uint64_t wall_ms,
                                             enum kw_lane_verdict *ret_verdict,
                                             struct kw_error *err);

struct kw_result __wrap_kw_feed_apply_urgent(struct kw_feed *feed, struct kw_tx *tx,
                                             const struct kw_urgent *urgent, uint64_t wall_ms,
                                             enum kw_lane_verdict *ret_verdict,
                                             struct kw_error *err)
{
    KW_TRY(__real_kw_feed_apply_urgent(feed, tx, urgent, wall_ms, ret_verdict, err));
    *ret_verdict = *ret_verdict == KW_LANE_KNOWN ? KW_LANE_NEWS : *ret_verdict;
    return KW_OK;
}
