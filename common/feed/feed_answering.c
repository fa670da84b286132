/* What all answers have in common. */
#include "common/feed/feed_answering.h"

#include "common/base/limits.h"
#include "common/feed/feed_digests.h"
#include "common/feed/feed_own.h"
#include "common/feed/join_table.h"

bool kw_answering_room(const struct kw_answering *a)
{
    return a->count < KW_ANSWER_ITEMS_MAX && a->len < KW_BATCH_LEN_SOFT;
}

struct kw_result kw_answering_add(struct kw_answering *a, struct kw_bytes item, struct kw_bytes key,
                                  struct kw_error *err)
{
    KW_ENSURE(item.len <= KW_ANSWER_ITEM_LEN_MAX, err, BODY_TOO_LARGE,
              "a row of %zu bytes can't be handed over", item.len);
    a->items[a->count++] = item;
    a->len += item.len;
    a->next.key = key;
    return KW_OK;
}

struct kw_result kw_answering_head(const struct kw_answering *a, const struct kw_lane_row *lane,
                                   struct kw_buf *out, struct kw_error *err)
{
    const struct kw_lane_head head = {
        .lane = kw_feed_lane_name(a->feed, lane), .point = lane->point, .closed = lane->closed};
    bool any;

    if (kw_id_equal(lane->store, a->feed->options.store)) {
        return kw_lane_head_sign(&head, a->key, out, err);
    }
    KW_TRY(kw_lane_row_head(a->tx, lane->id, out, &any, err));
    KW_ENSURE(any, err, INTERNAL, "a lane has no head");
    return KW_OK;
}

struct kw_result kw_answering_sign(const struct kw_answering *a, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_answer answer = {.mesh = a->feed->options.mesh,
                               .to = *a->ask,
                               .next = a->next,
                               .items = a->items,
                               .count = a->count};

    KW_TRY(kw_feed_reach(a->tx, answer.reach, err));
    return kw_answer_sign(&answer, a->key, out, err);
}

struct kw_result kw_answering_begin(struct kw_answering *a, enum kw_ask_purpose purpose,
                                    struct kw_error *err)
{
    bool joining;

    KW_ENSURE(a->ask->purpose == purpose && kw_id_equal(a->ask->store, a->feed->options.store), err,
              ARGUMENT_INVALID, "this was not asked of us");
    KW_TRY(kw_join_row_any(a->tx, &joining, err));
    KW_ENSURE(!joining, err, STORE_UNAVAILABLE, "the store is joining: not all rows are here");
    a->items = kw_arena_alloc(a->arena, KW_ANSWER_ITEMS_MAX * sizeof(*a->items));
    KW_ENSURE(a->items != NULL, err, MEMORY, "the items of an answer");
    a->next = a->ask->from;
    return KW_OK;
}
