/* What a store answers about its log (feed_log.h). Internal. */
#ifndef KW_COMMON_FEED_FEED_LOG_ANSWER_H
#define KW_COMMON_FEED_FEED_LOG_ANSWER_H

#include "common/feed/feed_answering.h"

/* The items of KW_ASK_CHAINS, KW_ASK_SEGMENT. Fails: ARGUMENT_INVALID (there is no log), as its owner. */
struct kw_result kw_answering_log(struct kw_answering *a, struct kw_error *err);

#endif
