/* Bug: a store that is restored from a copy goes on in the life that the copy was of, and gives numbers that were
 * given. */
#include "common/feed/feed.h"

struct kw_result __wrap_kw_feed_new_life(struct kw_feed *feed, struct kw_tx *tx,
                                         struct kw_error *err);

struct kw_result __wrap_kw_feed_new_life(struct kw_feed *feed, struct kw_tx *tx,
                                         struct kw_error *err)
{
    (void)feed;
    (void)tx;
    (void)err;
    return KW_OK;
}
