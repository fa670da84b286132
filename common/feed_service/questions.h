/* Asking an owner in another cell: one question at a time, by the replicators of both cells.
 *
 *     kw_feed_question_ask ──subscription──▶ replicator ─▶ … ─▶ FEED_ANSWERED, piece by piece ──▶ answered
 *
 * What is not answered in KW_QUESTION_MS is over. Nobody but who asks waits for it.
 */
#ifndef KW_COMMON_FEED_SERVICE_QUESTIONS_H
#define KW_COMMON_FEED_SERVICE_QUESTIONS_H

#include "common/base/id.h"
#include "common/rpc/hop.h"

struct kw_feed_service;

enum kw_feed_answered {
    KW_FEED_ANSWERED,      /* it is here, and was not looked at */
    KW_FEED_ANSWER_NONE,   /* whom we asked has none now, or there is no link */
    KW_FEED_ANSWER_LATE,   /* nothing came */
    KW_FEED_ANSWER_FAILED, /* it came, and could not be looked at */
};

struct kw_feed_questions {
    uint64_t number;     /* of the last one */
    struct kw_id store;  /* whom it asks */
    struct kw_buf asked; /* KWJ1 */
    bool unsent;
    bool open; /* it is not answered yet */
    uint64_t until_ns;
    struct kw_buf answer;
    uint32_t parts; /* of it that came */
};

/* Asks. kw_feed_errands_answered follows, not before this returns. Fails: MEMORY. */
struct kw_result kw_feed_question_ask(struct kw_feed_service *service, struct kw_id store,
                                      struct kw_bytes question, struct kw_error *err);

/* Now and then: is it too late for an answer? */
void kw_feed_question_tend(struct kw_feed_service *service);

/* The call by which an answer comes. */
void kw_feed_answered_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                           const struct kw_hop_open *open);

#endif
