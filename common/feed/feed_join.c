/* Joining. Where it is, is in the database alone, and moves with what was taken. */
#include "common/feed/feed_join.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/feed/feed_adopt.h"
#include "common/feed/feed_alarm.h"
#include "common/feed/feed_answer.h"
#include "common/feed/feed_take.h"
#include "common/feed/join_table.h"
#include "common/feed/lane_head.h"

struct joining {
    struct kw_feed *feed;
    struct kw_tx *tx;
    uint64_t wall_ms;
    struct kw_arena *arena;
    const struct kw_answer *answer;
};

static struct kw_result begin(struct kw_tx *tx, struct kw_id donor, bool again,
                              struct kw_error *err)
{
    struct kw_ask ask = {
        .purpose = KW_ASK_SNAPSHOT, .store = donor, .from = {.section = KW_SECTION_LANES}};

    KW_TRY(kw_id_random(&ask.nonce, err));
    KW_LOG(INFO, "the store joins", KW_F_HEX("donor", kw_id_bytes(&donor)));
    return kw_join_row_begin(tx, &ask, again, err);
}

static struct kw_result join(const struct kw_feed *feed, struct kw_tx *tx, struct kw_id donor,
                             bool again, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_ask ask = {0};
    struct kw_result found;
    bool joining;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a question");
    found = kw_join_row_find(tx, true, arena, &ask, &joining, err);
    kw_arena_free(arena);
    KW_TRY(found);
    KW_ENSURE(!kw_id_equal(donor, feed->options.store), err, ARGUMENT_INVALID,
              "a store can't join by itself");
    return joining && kw_id_equal(ask.store, donor) ? KW_OK : begin(tx, donor, again, err);
}

struct kw_result kw_feed_join(const struct kw_feed *feed, struct kw_tx *tx, struct kw_id donor,
                              struct kw_error *err)
{
    return join(feed, tx, donor, false, err);
}

struct kw_result kw_feed_join_again(const struct kw_feed *feed, struct kw_tx *tx,
                                    struct kw_id donor, struct kw_error *err)
{
    return join(feed, tx, donor, true, err);
}

struct kw_result kw_feed_join_may_end(struct kw_tx *tx, bool *ret_may, struct kw_error *err)
{
    return kw_join_row_again(tx, ret_may, err);
}

struct kw_result kw_feed_join_give_up(struct kw_tx *tx, bool *ret_given_up, struct kw_error *err)
{
    KW_TRY(kw_tx_catch_up(tx, err)); /* as when it began */
    KW_TRY(kw_join_row_again(tx, ret_given_up, err));
    return *ret_given_up ? kw_join_row_end(tx, err) : KW_OK;
}

struct kw_result kw_feed_join_ask(struct kw_tx *tx, struct kw_arena *arena, struct kw_ask *ret_ask,
                                  bool *ret_joining, struct kw_error *err)
{
    return kw_join_row_find(tx, false, arena, ret_ask, ret_joining, err);
}

/* --- taking in --- */

/* It is judged when it is adopted: the rows of its store may be yet to come. */
static struct kw_result note_head(const struct joining *j, struct kw_bytes item,
                                  struct kw_error *err)
{
    struct kw_lane_head head;
    struct kw_error why;
    struct kw_id lane;

    if (!kw_ok(kw_lane_head_decode(item, &head, &why))) {
        if (kw_feed_may_alarm(j->feed, j->wall_ms)) {
            KW_LOG(ERROR, "a lane's head can't be read", KW_F_ERR(&why));
        }
        return KW_OK;
    }
    KW_TRY(kw_lane_id(&head.lane, &lane, err));
    return kw_join_head_insert(j->tx, lane, item, err);
}

/* Who is a member, and who holds what, is said by lanes, where it is signed. Here a donor would say it, in the name of any
 * lane, ours among them: vouchers and orders come again, and so does what somebody holds. */
static bool is_hearsay(struct kw_bytes record)
{
    struct kw_bytes key;
    uint16_t table;

    return kw_record_peek(record, &table, &key) &&
           (table == KW_TABLE_STORES || table == KW_TABLE_HOLDINGS);
}

static struct kw_result take_waiting(const struct joining *j, struct kw_bytes item,
                                     struct kw_error *err)
{
    struct kw_feed_taken taken;
    struct kw_waiting waiting;
    struct kw_error why;

    if (!kw_ok(kw_waiting_decode(item, &waiting, &why))) {
        if (kw_feed_may_alarm(j->feed, j->wall_ms)) {
            KW_LOG(ERROR, "what waits elsewhere can't be read", KW_F_ERR(&why));
        }
        return KW_OK;
    }
    if (is_hearsay(waiting.record)) {
        if (kw_feed_may_alarm(j->feed, j->wall_ms)) {
            KW_LOG(WARN, "what waits elsewhere is for its lane to say",
                   KW_F_HEX("lane", kw_id_bytes(&waiting.lane)),
                   KW_F_U64("seq", waiting.point.seq));
        }
        return KW_OK;
    }
    return kw_feed_take(j->feed, j->tx, &waiting, j->wall_ms, &taken, err);
}

static struct kw_result take_item(const struct joining *j, struct kw_bytes item,
                                  struct kw_error *err)
{
    enum kw_row_news news;

    switch (j->answer->to.from.section) {
    case KW_SECTION_LANES:
        return note_head(j, item, err);
    case KW_SECTION_QUARANTINE:
    case KW_SECTION_HELD:
        return take_waiting(j, item, err);
    case KW_SECTION_ROWS:
        return kw_feed_take_row(j->feed, j->tx, j->answer->to.store, item, j->wall_ms, &news, err);
    case KW_SECTION_END:
        break;
    }
    return KW_OK;
}

/* --- the end --- */

static struct kw_result adopt_heads(const struct joining *j, struct kw_error *err)
{
    struct kw_id lane = KW_ID_NONE;
    struct kw_bytes head;
    bool any = true;

    while (true) {
        KW_TRY(kw_join_head_next(j->tx, &lane, j->arena, &head, &any, err));
        if (!any) {
            return KW_OK;
        }
        KW_TRY(kw_feed_adopt(j->feed, j->tx, head, j->wall_ms, err));
    }
}

static struct kw_result go_on(const struct joining *j, bool *ret_done, struct kw_error *err)
{
    *ret_done = j->answer->next.section == KW_SECTION_END;
    if (!*ret_done) {
        return kw_join_row_move(j->tx, &j->answer->next, err);
    }
    KW_TRY(adopt_heads(j, err));
    KW_LOG(INFO, "the store has joined", KW_F_HEX("donor", kw_id_bytes(&j->answer->to.store)));
    return kw_join_row_end(j->tx, err);
}

static struct kw_result take(const struct joining *j, enum kw_answer_verdict *ret_verdict,
                             bool *ret_done, struct kw_error *err)
{
    struct kw_ask ask;
    bool joining;

    *ret_done = false;
    KW_TRY(kw_join_row_find(j->tx, true, j->arena, &ask, &joining, err));
    KW_TRY(
        kw_feed_judge_answer(j->feed, j->tx, joining ? &ask : NULL, j->answer, ret_verdict, err));
    if (*ret_verdict != KW_ANSWER_GOOD) {
        return KW_OK;
    }
    for (size_t i = 0; i < j->answer->count; i++) {
        KW_TRY(take_item(j, j->answer->items[i], err));
    }
    return go_on(j, ret_done, err);
}

struct kw_result kw_feed_join_take(struct kw_feed *feed, struct kw_tx *tx,
                                   const struct kw_answer *answer, uint64_t wall_ms,
                                   enum kw_answer_verdict *ret_verdict, bool *ret_done,
                                   struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    const struct joining j = {feed, tx, wall_ms, arena, answer};
    struct kw_result taken;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for an answer");
    taken = take(&j, ret_verdict, ret_done, err);
    kw_arena_free(arena);
    return taken;
}
