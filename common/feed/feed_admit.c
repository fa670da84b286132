/* Admitting: from the cheap to the dear, so that a voucher we have costs no signature. */
#include "common/feed/feed_admit.h"

#include "common/feed/feed_own.h"
#include "common/feed/feed_room.h"
#include "common/feed/feed_rows.h"
#include "common/feed/feed_settle.h"
#include "common/feed/feed_vouched.h"
#include "common/feed/intent.h"
#include "common/sync/grow_set.h"
#include "common/sync/stamp_limits.h"

struct admitting {
    struct kw_feed *feed;
    struct kw_tx *tx;
    uint64_t wall_ms;
    struct kw_arena *arena;
    struct kw_voucher voucher;
    struct kw_record row;
    const struct kw_record *held; /* the row, if there is one */
};

static struct kw_result load(struct admitting *a, struct kw_error *err)
{
    bool found;

    KW_TRY(kw_feed_find(a->tx, &kw_store_record, kw_id_bytes(&a->voucher.store), a->arena, &a->row,
                        &found, err));
    a->held = found ? &a->row : NULL;
    return KW_OK;
}

/* What the row alone says of it, or 0. */
static enum kw_lane_verdict judge_by_row(const struct admitting *a)
{
    if (a->held == NULL) {
        return 0;
    }
    if (kw_store_record_state(a->held) == KW_STORE_FENCED) {
        return KW_LANE_FENCED;
    }
    return kw_bytes_equal(kw_voucher_of(a->held), a->voucher.record) ? KW_LANE_KNOWN : 0;
}

static struct kw_result write_row(const struct admitting *a, enum kw_lane_verdict *ret_verdict,
                                  struct kw_error *err)
{
    struct kw_feed_merged merged;
    struct kw_record change;
    bool has_room;

    KW_TRY(kw_voucher_row(&a->voucher, a->arena, &change, err));
    KW_TRY(kw_feed_has_room(a->tx, &change, a->held, &has_room, err));
    if (!has_room) {
        *ret_verdict = KW_LANE_WAITS;
        return KW_OK;
    }
    KW_TRY(kw_feed_put(a->feed, a->tx, &change, false, a->wall_ms, a->arena, &merged, err));
    *ret_verdict = merged.changed ? KW_LANE_NEWS : KW_LANE_KNOWN;
    return KW_OK;
}

static struct kw_result judge(struct admitting *a, enum kw_lane_verdict *ret_verdict,
                              struct kw_error *err)
{
    bool is_other_self;

    KW_TRY(load(a, err));
    *ret_verdict = judge_by_row(a);
    if (*ret_verdict != 0) {
        return KW_OK;
    }
    KW_TRY(kw_voucher_check(&a->voucher, a->feed->options.mesh, a->feed->options.vouchers,
                            a->wall_ms, ret_verdict, err));
    if (*ret_verdict != KW_LANE_NEWS) {
        return KW_OK;
    }
    KW_TRY(kw_feed_is_other_self(a->feed, a->tx, &a->voucher, a->held, &is_other_self, err));
    if (is_other_self) {
        *ret_verdict = KW_LANE_FORK;
        return KW_OK;
    }
    return write_row(a, ret_verdict, err);
}

struct kw_result kw_feed_admit(struct kw_feed *feed, struct kw_tx *tx, struct kw_bytes voucher,
                               uint64_t wall_ms, struct kw_arena *arena,
                               enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    struct admitting a = {.feed = feed, .tx = tx, .wall_ms = wall_ms, .arena = arena};
    struct kw_result read = kw_voucher_decode(voucher, &a.voucher, err);

    if (read.reason == KW_E_ENCODING_INVALID) {
        *ret_verdict = KW_LANE_BROKEN;
    } else if (!kw_ok(read)) {
        return read;
    } else if (feed->options.vouchers == NULL) {
        *ret_verdict = KW_LANE_STRANGER;
    } else {
        KW_TRY(judge(&a, ret_verdict, err));
    }
    kw_feed_tell_voucher(feed, &a.voucher, *ret_verdict, wall_ms);
    return KW_OK;
}

/* --- our own --- */

/* Is the one in our row by this certificate, and of what we are now, and were? */
static struct kw_result is_still_true(const struct admitting *a, const struct kw_voucher_plan *plan,
                                      const struct kw_credentials *credentials, bool *ret_is,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf leaf = {0};
    struct kw_voucher voucher;

    *ret_is = a->held != NULL && kw_ok(kw_voucher_decode(kw_voucher_of(a->held), &voucher, NULL));
    if (*ret_is) {
        KW_TRY(kw_certificate_to_der(&credentials->leaf, &leaf, err));
        *ret_is = kw_bytes_equal(voucher.chain[0], kw_buf_bytes(&leaf)) &&
                  kw_bytes_equal(voucher.key, kw_spki_bytes(&plan->trust->key)) &&
                  kw_id_equal(voucher.incarnation, plan->incarnation) &&
                  kw_voucher_covers(&voucher, a->held) &&
                  kw_bytes_equal(voucher.settled, plan->settled);
    }
    return KW_OK;
}

/* A life that is settled, by what members have said until now. */
static struct kw_result add_settled(const struct admitting *a, const struct kw_lane_row *lane,
                                    struct kw_voucher_plan *plan, struct kw_error *err)
{
    struct kw_intent intent = kw_intent(&kw_store_record, a->held->key, a->arena);
    bool is;

    KW_TRY(kw_feed_is_settled(a->feed, a->tx, lane, a->held, &is, err));
    if (!is) {
        return KW_OK;
    }
    kw_intent_element(&intent, KW_STORE_FIELD_SETTLED, kw_id_bytes(&lane->incarnation));
    KW_ENSURE(kw_ok(intent.result), err, MEMORY, "a life");
    return kw_set_join(plan->settled, kw_record_value(&intent.record, KW_STORE_FIELD_SETTLED),
                       KW_SET_ELEMENTS_MAX, a->arena, &plan->settled, err);
}

/* All that our row has. A later voucher is the one that counts, whatever our clock says meanwhile. */
static struct kw_result add_past(const struct admitting *a, const struct kw_lane_row *lane,
                                 struct kw_voucher_plan *plan, struct kw_error *err)
{
    struct kw_voucher before;

    if (a->held == NULL) {
        return KW_OK;
    }
    plan->signers = kw_record_value(a->held, KW_STORE_FIELD_SIGNERS);
    plan->lives = kw_record_value(a->held, KW_STORE_FIELD_INCARNATIONS);
    plan->settled = kw_record_value(a->held, KW_STORE_FIELD_SETTLED);
    if (kw_ok(kw_voucher_decode(kw_voucher_of(a->held), &before, NULL)) &&
        before.issued_ms >= plan->issued_ms &&
        before.issued_ms < plan->issued_ms + KW_STAMP_AHEAD_MS_MAX) {
        plan->issued_ms = before.issued_ms + 1;
    }
    return add_settled(a, lane, plan, err);
}

static struct kw_result own_voucher(const struct admitting *a, const struct kw_voucher_plan *plan,
                                    const struct kw_credentials *credentials,
                                    struct kw_buf *ret_record, struct kw_error *err)
{
    bool is_true;

    KW_TRY(is_still_true(a, plan, credentials, &is_true, err));
    return is_true ? kw_buf_append(ret_record, kw_voucher_of(a->held), err)
                   : kw_voucher_make(plan, credentials, ret_record, err);
}

struct kw_result kw_feed_vouch(struct kw_feed *feed, struct kw_tx *tx,
                               const struct kw_credentials *credentials, uint64_t wall_ms,
                               struct kw_arena *arena, struct kw_buf *out,
                               enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    struct admitting a = {.feed = feed, .tx = tx, .wall_ms = wall_ms, .arena = arena};
    struct kw_voucher_plan plan = {.mesh = feed->options.mesh,
                                   .seed = feed->seed,
                                   .trust = feed->options.vouchers,
                                   .issued_ms = wall_ms};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_lane_row lane;

    KW_ENSURE(plan.trust != NULL, err, ARGUMENT_INVALID, "no vouchers are believed here");
    KW_TRY(kw_feed_own_voice(feed, tx, &lane, err));
    plan.incarnation = lane.incarnation;
    a.voucher.store = feed->options.store;
    KW_TRY(load(&a, err));
    KW_TRY(add_past(&a, &lane, &plan, err));
    KW_TRY(own_voucher(&a, &plan, credentials, &record, err));
    KW_TRY(kw_feed_admit(feed, tx, kw_buf_bytes(&record), wall_ms, arena, ret_verdict, err));
    return kw_buf_append(out, kw_buf_bytes(&record), err);
}
