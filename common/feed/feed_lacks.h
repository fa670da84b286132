/* What a store makes of another's answer about lanes (feed_reply.h): which are held further there, and whether what
 * comes next can still be had.
 *
 * That a lane goes on is believed by its own store's signature alone: nobody makes up what we lack in another's lane. What is
 * kept of it there is the word of who answers. So there are two kinds of lacks, and who joins by them has to tell them
 * apart:
 *
 *     of another's lane    that it is missing here is proven, and whoever holds it can say whether it is kept
 *     of its own lane      it can sign any head it likes: nothing is proven (`own`). So of any store of its place
 *
 * A read job.
 */
#ifndef KW_COMMON_FEED_FEED_LACKS_H
#define KW_COMMON_FEED_FEED_LACKS_H

#include "common/feed/answer_check.h"
#include "common/feed/feed.h"

/* A lane that is held further there. */
struct kw_lane_lack {
    struct kw_id lane;
    uint64_t seq; /* how far it is held here */
    bool deleted; /* what comes next is not kept there any more */
    bool own;     /* it is the lane of who answers, or of its place: nobody else signed for it */
    bool unheard; /* nothing was ever here of its store; or it is ours, and forgotten */
};

/* At most KW_ANSWER_ITEMS_MAX lacks. The answer is judged first (answer_check.h), and what is not GOOD says nothing. Nothing
 * is lacked of a lane whose head is not its store's (lane_check.h), which is counted, and of one that has forked here: it
 * would not be taken. Fails: as the store, MEMORY, CRYPTO. */
struct kw_result kw_feed_lacks(const struct kw_feed *feed, struct kw_tx *tx,
                               const struct kw_ask *ask, const struct kw_answer *answer,
                               enum kw_answer_verdict *ret_verdict, struct kw_lane_lack *lacks,
                               size_t *ret_count, struct kw_error *err);

#endif
