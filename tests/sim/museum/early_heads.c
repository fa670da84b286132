/* Bug: who joins goes on with the lanes of its donor once it has heard of them, before the rows are here. A donor
 * that then goes away leaves it without them. */
#include "common/feed/feed_join.h"
#include "common/feed/join_table.h"

struct kw_result __real_kw_feed_join_take(struct kw_feed *feed, struct kw_tx *tx,
                                          const struct kw_answer *answer, uint64_t wall_ms,
                                          enum kw_answer_verdict *ret_verdict, bool *ret_done,
                                          struct kw_error *err);
struct kw_result __wrap_kw_feed_join_take(struct kw_feed *feed, struct kw_tx *tx,
                                          const struct kw_answer *answer, uint64_t wall_ms,
                                          enum kw_answer_verdict *ret_verdict, bool *ret_done,
                                          struct kw_error *err);

/* Takes the answer as if it were the last one. */
struct kw_result __wrap_kw_feed_join_take(struct kw_feed *feed, struct kw_tx *tx,
                                          const struct kw_answer *answer, uint64_t wall_ms,
                                          enum kw_answer_verdict *ret_verdict, bool *ret_done,
                                          struct kw_error *err)
{
    struct kw_answer last = *answer;

    last.next = (struct kw_answer_place){.section = KW_SECTION_END};
    return __real_kw_feed_join_take(feed, tx, &last, wall_ms, ret_verdict, ret_done, err);
}
