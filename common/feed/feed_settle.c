/* Our past lanes against what others said of them since our present life began. */
#include "common/feed/feed_settle.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/ack_table.h"
#include "common/feed/feed_members.h"
#include "common/feed/feed_own.h"
#include "common/feed/feed_rows.h"
#include "common/feed/intent.h"
#include "common/feed/join_table.h"
#include "common/sync/grow_set.h"
#include "common/sync/store_record.h"

#include <stdio.h>
#include <string.h>

#define ROWS_AT_ONCE 16

struct settling {
    struct kw_feed *feed;
    struct kw_tx *tx;
    struct kw_arena *arena;
    struct kw_lane_row own;
    struct kw_feed_member *members;
    size_t member_count;
    const struct kw_feed_member *awaited; /* who has not said it, or otherwise; NULL: nobody */
};

static bool is_other(const struct settling *s, const struct kw_feed_member *member)
{
    return !kw_id_equal(member->store, s->feed->options.store);
}

/* More than we hold of it may be held somewhere as long as one of them has not spoken. */
static struct kw_result is_settled(struct settling *s, const struct kw_lane_row *past,
                                   bool *ret_settled, struct kw_error *err)
{
    *ret_settled = true;
    for (size_t i = 0; i < s->member_count && *ret_settled; i++) {
        uint64_t told;

        if (is_other(s, &s->members[i])) {
            KW_TRY(kw_ack_told(s->tx, past->id, s->members[i].store, &told, err));
            *ret_settled = told == past->point.seq;
            s->awaited = *ret_settled ? NULL : &s->members[i];
        }
    }
    return KW_OK;
}

static struct kw_result is_past_settled(struct settling *s, bool *ret_settled, struct kw_error *err)
{
    struct kw_lane_row rows[ROWS_AT_ONCE];
    struct kw_id after = KW_ID_NONE;
    size_t count = ROWS_AT_ONCE;

    *ret_settled = true;
    while (count == ROWS_AT_ONCE && *ret_settled) {
        KW_TRY(kw_lane_row_list(s->tx, after, rows, ROWS_AT_ONCE, &count, err));
        for (size_t i = 0; i < count && *ret_settled; i++) {
            if (rows[i].role == KW_LANE_ROLE_PAST) {
                KW_TRY(is_settled(s, &rows[i], ret_settled, err));
            }
            after = rows[i].id;
        }
    }
    return KW_OK;
}

/* What was said on a link from before this life began may still be on its way: who has something of this life has
 * answered to it. */
static struct kw_result have_answered(struct settling *s, bool *ret_answered, struct kw_error *err)
{
    *ret_answered = s->own.point.seq > 0;
    for (size_t i = 0; i < s->member_count && *ret_answered; i++) {
        uint64_t seq;

        if (is_other(s, &s->members[i])) {
            KW_TRY(kw_ack_find(s->tx, s->own.id, s->members[i].store, &seq, err));
            *ret_answered = seq > 0;
            s->awaited = *ret_answered ? NULL : &s->members[i];
        }
    }
    return KW_OK;
}

/* Our present life, as one of a set of them. */
static struct kw_intent of_life(const struct settling *s, uint8_t field)
{
    struct kw_intent intent =
        kw_intent(&kw_store_record, kw_id_bytes(&s->feed->options.store), s->arena);

    kw_intent_element(&intent, field, kw_id_bytes(&s->own.incarnation));
    return intent;
}

static struct kw_result say_settled(const struct settling *s, uint64_t wall_ms,
                                    struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = {s->feed, s->tx, s->arena, wall_ms};
    struct kw_intent intent = of_life(s, KW_STORE_FIELD_SETTLED);

    return kw_intent_say(&intent, &feed_tx, NULL, err);
}

static bool is_time(struct kw_feed *feed, uint64_t wall_ms)
{
    uint64_t wait = 2 * feed->settle_wait_ms;

    if (wall_ms < feed->settle_ask_ms) {
        return false;
    }
    wait = wait > KW_FEED_SETTLE_ASK_MS ? wait : KW_FEED_SETTLE_ASK_MS;
    feed->settle_wait_ms = wait < KW_FEED_SETTLE_ASK_MS_MAX ? wait : KW_FEED_SETTLE_ASK_MS_MAX;
    feed->settle_ask_ms = wall_ms + feed->settle_wait_ms;
    return true;
}

/* Who has nothing new to say may have said it before we could hear. Whatever comes in our lane makes him say it again
 * (feed_holdings.h): this is nothing new, but a change. */
static struct kw_result ask(const struct settling *s, uint64_t wall_ms, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};
    struct kw_intent intent = of_life(s, KW_STORE_FIELD_INCARNATIONS);

    if (!is_time(s->feed, wall_ms)) {
        return KW_OK;
    }
    KW_ENSURE(kw_ok(intent.result), err, MEMORY, "a life to say");
    KW_TRY(kw_record_encode(&intent.record, &encoded, err));
    return kw_feed_say(s->feed, s->tx, kw_buf_bytes(&encoded), false, wall_ms, err);
}

static struct kw_result judge(struct settling *s, bool *ret_settled, struct kw_error *err)
{
    KW_TRY(kw_feed_members(s->tx, s->arena, &s->members, &s->member_count, err));
    KW_TRY(is_past_settled(s, ret_settled, err));
    return *ret_settled ? have_answered(s, ret_settled, err) : KW_OK;
}

/* --- for whom we wait --- */

/* As long as it is open strict grants are refused elsewhere, and who stays away, or says what is not so, is to be fenced. */
static void tell(struct settling *s, uint64_t wall_ms)
{
    struct kw_unsettled *unsettled = &s->feed->unsettled;

    kw_metric_set(KW_M_FEED_UNSETTLED_AGE, unsettled->cell,
                  wall_ms > unsettled->since_ms ? (int64_t)(wall_ms - unsettled->since_ms) : 0);
    if (wall_ms < unsettled->told_ms + KW_FEED_SETTLE_TOLD_MS) {
        return;
    }
    unsettled->told_ms = wall_ms;
    KW_LOG(WARN,
           "our new life does not count yet: a cell has not said that it holds as much of the last "
           "as we",
           KW_F_STR("cell", unsettled->cell), KW_F_HEX("store", kw_id_bytes(&s->awaited->store)),
           KW_F_U64("for_ms", wall_ms - unsettled->since_ms));
}

static void forget(struct kw_feed *feed)
{
    if (feed->unsettled.cell[0] != '\0') {
        kw_metric_set(KW_M_FEED_UNSETTLED_AGE, feed->unsettled.cell, 0);
    }
    feed->unsettled = (struct kw_unsettled){.since_ms = 0};
}

/* Its present life has not begun to say anything, or one of them has not spoken. */
static void note_awaited(struct settling *s, uint64_t wall_ms)
{
    struct kw_unsettled now = {.since_ms = wall_ms, .told_ms = wall_ms};

    if (s->awaited == NULL) {
        forget(s->feed);
        return;
    }
    (void)snprintf(now.cell, sizeof(now.cell), "%.*s/%.*s", (int)s->awaited->region.len,
                   (const char *)s->awaited->region.data, (int)s->awaited->cell.len,
                   (const char *)s->awaited->cell.data);
    if (strcmp(now.cell, s->feed->unsettled.cell) != 0) {
        forget(s->feed);
        s->feed->unsettled = now;
    }
    tell(s, wall_ms);
}

/* The voucher is made by who has the certificate's key (feed_admit.h). */
static struct kw_result settle(struct settling *s, uint64_t wall_ms, struct kw_error *err)
{
    bool settled;

    KW_TRY(judge(s, &settled, err));
    note_awaited(s, wall_ms);
    if (!settled) {
        return ask(s, wall_ms, err);
    }
    if (s->feed->options.vouchers == NULL) {
        return say_settled(s, wall_ms, err);
    }
    s->feed->unvouched = true;
    return KW_OK;
}

/* Whose only life it is has nothing to settle. Who is not known yet, or joins, has no voice for it. */
static struct kw_result look(struct settling *s, uint64_t wall_ms, struct kw_error *err)
{
    struct kw_record row;
    bool found;
    bool joining;

    KW_TRY(kw_join_row_any(s->tx, &joining, err));
    KW_TRY(kw_feed_find(s->tx, &kw_store_record, kw_id_bytes(&s->feed->options.store), s->arena,
                        &row, &found, err));
    if (!found || joining) {
        return KW_OK;
    }
    if (kw_store_settled(kw_record_value(&row, KW_STORE_FIELD_INCARNATIONS),
                         kw_record_value(&row, KW_STORE_FIELD_SETTLED), s->own.incarnation)) {
        s->feed->settled = s->own.incarnation;
        forget(s->feed);
        return KW_OK;
    }
    return settle(s, wall_ms, err);
}

struct kw_result kw_feed_settle(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                struct kw_error *err)
{
    struct settling s = {.feed = feed, .tx = tx};
    struct kw_result looked;

    KW_TRY(kw_feed_own_voice(feed, tx, &s.own, err));
    if (feed->fenced) {
        forget(feed);
        return KW_OK;
    }
    if (kw_id_equal(feed->settled, s.own.incarnation)) {
        return KW_OK;
    }
    s.arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    KW_ENSURE(s.arena != NULL, err, MEMORY, "an arena for the members");
    looked = look(&s, wall_ms, err);
    kw_arena_free(s.arena);
    return looked;
}

static struct kw_result judge_unless_joining(struct settling *s, bool *ret_is, struct kw_error *err)
{
    bool joining;

    *ret_is = false;
    KW_TRY(kw_join_row_any(s->tx, &joining, err));
    return joining ? KW_OK : judge(s, ret_is, err);
}

struct kw_result kw_feed_is_settled(struct kw_feed *feed, struct kw_tx *tx,
                                    const struct kw_lane_row *own, const struct kw_record *row,
                                    bool *ret_is, struct kw_error *err)
{
    struct settling s = {.feed = feed, .tx = tx, .own = *own};
    struct kw_result judged;

    *ret_is = false;
    if (row == NULL || kw_set_count(kw_record_value(row, KW_STORE_FIELD_INCARNATIONS)) <= 1) {
        return KW_OK;
    }
    s.arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    KW_ENSURE(s.arena != NULL, err, MEMORY, "an arena for the members");
    judged = judge_unless_joining(&s, ret_is, err);
    kw_arena_free(s.arena);
    return judged;
}

struct kw_result kw_feed_end_life(struct kw_tx *tx, struct kw_id store, struct kw_error *err)
{
    KW_TRY(kw_lane_row_end_all(tx, store, err));
    return kw_ack_forget_told(tx, err);
}
