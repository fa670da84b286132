/* Bug: an answer is taken whoever signed it, and to whichever question: a relay makes up rows. */
#include "common/feed/answer_check.h"

struct kw_result __wrap_kw_answer_check(struct kw_id mesh, const struct kw_ask *ask,
                                        const struct kw_record *store,
                                        const struct kw_answer *answer,
                                        enum kw_answer_verdict *ret_verdict, struct kw_error *err);

struct kw_result __wrap_kw_answer_check(struct kw_id mesh, const struct kw_ask *ask,
                                        const struct kw_record *store,
                                        const struct kw_answer *answer,
                                        enum kw_answer_verdict *ret_verdict, struct kw_error *err)
{
    (void)mesh;
    (void)store;
    (void)answer;
    (void)err;
    *ret_verdict = ask != NULL ? KW_ANSWER_GOOD : KW_ANSWER_UNASKED;
    return KW_OK;
}
