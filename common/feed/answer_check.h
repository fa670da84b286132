/* What the owner that asked makes of an answer: one verdict for each thing that whoever brought it could
 * try.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_ANSWER_CHECK_H
#define KW_COMMON_FEED_ANSWER_CHECK_H

#include "common/feed/answer.h"
#include "common/sync/store_record.h"

/* One row each in answer_check.c. 0 is none of them. */
enum kw_answer_verdict {
    KW_ANSWER_GOOD = 1,
    KW_ANSWER_OTHER_MESH, /* of another mesh */
    KW_ANSWER_UNASKED,    /* of another store, to another question, or one that has been answered */
    KW_ANSWER_STRANGER,   /* its store is no member */
    KW_ANSWER_FENCED,     /* its store is fenced */
    KW_ANSWER_UNSIGNED,   /* not signed by a key of its store */
    KW_ANSWER_VERDICT_END_,
};

/* "unasked"; "unknown" for a number that is no verdict. Never NULL. */
const char *kw_answer_verdict_name(enum kw_answer_verdict verdict);

/* `ask`: our question, NULL: none. `store`: the row of its store, NULL: none. Fails: CRYPTO, MEMORY. */
struct kw_result kw_answer_check(struct kw_id mesh, const struct kw_ask *ask,
                                 const struct kw_record *store, const struct kw_answer *answer,
                                 enum kw_answer_verdict *ret_verdict, struct kw_error *err);

#endif
