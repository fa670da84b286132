/* Bug: what disables and is known is not said again: who is told so relies on a store that may be lost, or fenced at less.
 * It was so until seed 1831. */
#include "common/feed/feed_rows.h"

struct kw_result __wrap_kw_feed_write(struct kw_feed *feed, struct kw_tx *tx,
                                      const struct kw_record *intent, bool urgent, uint64_t wall_ms,
                                      struct kw_arena *arena, struct kw_record *ret_merged,
                                      struct kw_error *err);

/* Whether a store may write at all is looked at by who asks it: sim_load_one. */
struct kw_result __wrap_kw_feed_write(struct kw_feed *feed, struct kw_tx *tx,
                                      const struct kw_record *intent, bool urgent, uint64_t wall_ms,
                                      struct kw_arena *arena, struct kw_record *ret_merged,
                                      struct kw_error *err)
{
    struct kw_feed_merged merged;

    KW_TRY(kw_feed_put(feed, tx, intent, urgent, wall_ms, arena, &merged, err));
    if (ret_merged != NULL) {
        *ret_merged = merged.record;
    }
    return KW_OK;
}
