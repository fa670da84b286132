/* Answering whatever another store asks (question.h): rows (feed_snapshot.h), how far lanes are, digests. */
#ifndef KW_COMMON_FEED_FEED_REPLY_H
#define KW_COMMON_FEED_FEED_REPLY_H

#include "common/crypto/sign.h"
#include "common/feed/feed.h"
#include "common/feed/question.h"

/* Appends KWD1. Read job. Fails: as kw_feed_snapshot; ARGUMENT_INVALID (also: of another mesh). */
struct kw_result kw_feed_reply(const struct kw_feed *feed, struct kw_tx *tx,
                               const struct kw_question *question, const struct kw_private_key *key,
                               struct kw_buf *out, struct kw_error *err);

#endif
