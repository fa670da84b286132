/* An order's own row is made anew and compared: there is no other way to say it. */
#include "common/feed/feed_ordered.h"

#include "common/feed/feed_rows.h"
#include "common/feed/intent.h"
#include "common/sync/lww.h"

#define HLC_BITS 16

static void say_order(struct kw_intent *intent, const struct kw_order *order, uint8_t field,
                      struct kw_id store)
{
    KW_SCOPED(kw_buf_done) struct kw_buf value = {0};
    struct kw_writer w = KW_WRITER(&value);

    kw_put_lww(&w, &(struct kw_lww){.stamp = {.hlc = order->issued_ms << HLC_BITS, .store = store},
                                    .value = order->record});
    kw_intent_written(intent, field, &w);
}

static void say_fence(struct kw_intent *intent, const struct kw_order_store *store)
{
    kw_intent_u64(intent, KW_STORE_FIELD_STATE, KW_STORE_FENCED);
    if (store->fence.len > 0) {
        kw_intent_bytes(intent, KW_STORE_FIELD_FENCE, store->fence);
    }
}

struct kw_result kw_feed_order_row(const struct kw_order *order, const struct kw_order_store *store,
                                   struct kw_arena *arena, struct kw_record *ret_row,
                                   struct kw_error *err)
{
    struct kw_intent intent = {.kind = NULL};
    struct kw_bytes key;

    KW_TRY(kw_arena_copy(arena, kw_id_bytes(&store->store), &key, err));
    intent = kw_intent(&kw_store_record, key, arena);
    if (order->action == KW_ORDER_FENCE) {
        say_fence(&intent, store);
    }
    say_order(&intent, order, kw_order_field(order->action), store->store);
    if (!kw_ok(intent.result) && err != NULL) {
        *err = intent.error;
    }
    *ret_row = intent.record;
    return intent.result;
}

/* The order of this kind that the record has, if it is about its store and is to be believed. */
static struct kw_result find_order(const struct kw_feed *feed, const struct kw_record *record,
                                   enum kw_order_action action, struct kw_order *ret_order,
                                   const struct kw_order_store **ret_said, struct kw_error *err)
{
    struct kw_bytes written = kw_order_in(record, action);
    enum kw_lane_verdict verdict;
    struct kw_id store;

    *ret_said = NULL;
    if (feed->options.orders == NULL || written.len == 0) {
        return KW_OK;
    }
    KW_TRY(
        kw_order_read(written, feed->options.mesh, feed->options.orders, ret_order, &verdict, err));
    if (verdict == KW_LANE_NEWS && ret_order->action == action) {
        KW_TRY(kw_id_from_bytes(record->key, &store, err));
        *ret_said = kw_order_of(ret_order, store);
    }
    return KW_OK;
}

struct kw_result kw_feed_is_ordered(const struct kw_feed *feed, const struct kw_record *change,
                                    struct kw_arena *arena, bool *ret_ordered, struct kw_error *err)
{
    *ret_ordered = false;
    for (unsigned action = 1; action < KW_ORDER_ACTION_END_ && !*ret_ordered; action++) {
        const struct kw_order_store *said;
        struct kw_order order;
        struct kw_record row;

        KW_TRY(find_order(feed, change, (enum kw_order_action)action, &order, &said, err));
        if (said != NULL) {
            KW_TRY(kw_feed_order_row(&order, said, arena, &row, err));
            KW_TRY(kw_feed_say_the_same(&row, change, ret_ordered, err));
        }
    }
    return KW_OK;
}

/* --- a row that is handed over --- */

static struct kw_result add_order(const struct kw_feed *feed, const struct kw_record *row,
                                  enum kw_order_action action, struct kw_arena *arena,
                                  struct kw_record *both, struct kw_error *err)
{
    struct kw_record before = *both;
    const struct kw_order_store *said;
    struct kw_order order;
    struct kw_record ordered;

    KW_TRY(find_order(feed, row, action, &order, &said, err));
    if (said == NULL) {
        return KW_OK;
    }
    KW_TRY(kw_feed_order_row(&order, said, arena, &ordered, err));
    return kw_record_merge(&before, &ordered, arena, NULL, both, err);
}

struct kw_result kw_feed_add_ordered(const struct kw_feed *feed, const struct kw_record *row,
                                     struct kw_arena *arena, struct kw_record *both,
                                     struct kw_error *err)
{
    for (unsigned action = 1; action < KW_ORDER_ACTION_END_; action++) {
        KW_TRY(add_order(feed, row, (enum kw_order_action)action, arena, both, err));
    }
    return KW_OK;
}
