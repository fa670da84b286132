/* What answers and questions share. Internal to common/feed. */
#ifndef KW_COMMON_FEED_ANSWER_CODEC_H
#define KW_COMMON_FEED_ANSWER_CODEC_H

#include "common/base/codec.h"
#include "common/feed/answer.h"

void kw_put_answer_place(struct kw_writer *w, const struct kw_answer_place *place);
void kw_get_answer_place(struct kw_reader *r, struct kw_answer_place *ret_place);

/* Could that be a place for this purpose? */
bool kw_answer_place_fits(const struct kw_answer_place *place, enum kw_ask_purpose purpose);

/* What is wrong with what is asked, or NULL. */
const char *kw_ask_fault(const struct kw_ask *ask);

#endif
