/* Questions: what one store asks another outside of lanes, answered by answer.h. Record `KWJ1`
 * (docs/formats.md). Nobody signs it: whoever could alter it makes an answer that was not asked for.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_QUESTION_H
#define KW_COMMON_FEED_QUESTION_H

#include "common/feed/answer.h"

/* Plain data; borrows. */
struct kw_question {
    struct kw_id mesh;
    struct kw_ask ask;
    const struct kw_bytes *keys; /* of rows to repair, at least one; else none */
    size_t key_count;
};

/* What a key takes in one. */
#define KW_QUESTION_KEY_LEN(key) ((key).len + 4U)

/* Keys of a question take no more than this together: the rest of it has room then. */
#define KW_QUESTION_KEYS_LEN_MAX (KW_QUESTION_LEN_MAX - 4096U)

/* Appends the record. Fails: ARGUMENT_INVALID (what a reader would refuse), MEMORY. */
struct kw_result kw_question_encode(const struct kw_question *question, struct kw_buf *out,
                                    struct kw_error *err);

/* Reads a record strictly. `ret_question` borrows from `record` and the arena. Fails: ENCODING_INVALID,
 * MEMORY. */
struct kw_result kw_question_decode(struct kw_bytes record, struct kw_arena *arena,
                                    struct kw_question *ret_question, struct kw_error *err);

#endif
