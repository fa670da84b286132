/* Taking in what an answer brings: the judgement, and one row. Internal. */
#ifndef KW_COMMON_FEED_FEED_ANSWER_H
#define KW_COMMON_FEED_FEED_ANSWER_H

#include "common/feed/answer_check.h"
#include "common/feed/feed.h"

/* As kw_answer_check, with what is known of its store; counted, and logged if it is not good. Fails: as
 * the store, CRYPTO, MEMORY. */
struct kw_result kw_feed_judge_answer(const struct kw_feed *feed, struct kw_tx *tx,
                                      const struct kw_ask *ask, const struct kw_answer *answer,
                                      enum kw_answer_verdict *ret_verdict, struct kw_error *err);

enum kw_row_news {
    KW_ROW_KNOWN,  /* it says nothing that is not here */
    KW_ROW_NEWS,   /* it does; or it waits now */
    KW_ROW_MENDED, /* ours was damaged, and it came in its place */
};

/* Merges a row of another store (KWM1) into ours. If ours is damaged, the other's comes in its place,
 * with all that our log says of it: what is not in there everybody has acknowledged. What can't be
 * applied now waits, as a change does. Fails: as the store, MEMORY, CRYPTO, INTERNAL. */
struct kw_result kw_feed_take_row(struct kw_feed *feed, struct kw_tx *tx, struct kw_id from,
                                  struct kw_bytes row, uint64_t wall_ms, enum kw_row_news *ret_news,
                                  struct kw_error *err);

#endif
