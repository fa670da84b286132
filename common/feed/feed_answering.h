/* Making an answer: items are gathered in an arena, then signed. Internal. */
#ifndef KW_COMMON_FEED_FEED_ANSWERING_H
#define KW_COMMON_FEED_FEED_ANSWERING_H

#include "common/feed/answer.h"
#include "common/feed/feed.h"
#include "common/feed/lane_table.h"

struct kw_answering {
    const struct kw_feed *feed;
    struct kw_tx *tx;
    const struct kw_ask *ask;
    const struct kw_private_key *key;
    struct kw_arena *arena;
    struct kw_bytes *items; /* KW_ANSWER_ITEMS_MAX */
    size_t count;
    size_t len;
    struct kw_answer_place next;
};

/* First; `next` is where it was asked. Fails: ARGUMENT_INVALID (not asked of us, or for something else),
 * STORE_UNAVAILABLE (we are joining: not all is here), the store, MEMORY. */
struct kw_result kw_answering_begin(struct kw_answering *a, enum kw_ask_purpose purpose,
                                    struct kw_error *err);

bool kw_answering_room(const struct kw_answering *a);

/* `item` is in the arena; `key` is what it is found by, from where to ask on. Fails: BODY_TOO_LARGE. */
struct kw_result kw_answering_add(struct kw_answering *a, struct kw_bytes item, struct kw_bytes key,
                                  struct kw_error *err);

/* Appends the head (KWL1) of a lane that something is held of: as its store signed it, of our own as we do. Fails: as the
 * store, CRYPTO, MEMORY, INTERNAL (there is none). */
struct kw_result kw_answering_head(const struct kw_answering *a, const struct kw_lane_row *lane,
                                   struct kw_buf *out, struct kw_error *err);

/* Appends KWD1. Fails: as the store, as kw_answer_sign. */
struct kw_result kw_answering_sign(const struct kw_answering *a, struct kw_buf *out,
                                   struct kw_error *err);

#endif
