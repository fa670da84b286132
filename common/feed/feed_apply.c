/* Applying. What is refused without a look at its signature writes nothing. Else the lane's row is locked,
 * the batch judged by it, and the row moved last; all in one transaction with what the changes do, so
 * what is acknowledged is in rows, waits, or is in quarantine. */
#include "common/feed/feed_apply.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/change_table.h"
#include "common/feed/feed_adopt.h"
#include "common/feed/feed_alarm.h"
#include "common/feed/feed_own.h"
#include "common/feed/feed_settle.h"
#include "common/feed/feed_take.h"
#include "common/feed/urgent_table.h"
#include "common/sync/stamp_limits.h"

struct hearing {
    struct kw_feed *feed;
    struct kw_tx *tx;
    uint64_t wall_ms;
    struct kw_arena *arena;
    struct kw_lane_row row; /* as held, or as it will begin */
    bool is_new;
    struct kw_record store;
    struct kw_bytes origin; /* lane_table.h */
    uint8_t chain_there[KW_SHA256_LEN];
    struct kw_lane_held held;
    uint64_t latest;    /* the highest clock that the lane ever had */
    unsigned held_back; /* changes of which something waits for our clock */
    bool adopts;        /* what lies before the head is here in rows */
};

/* --- what is held --- */

/* A lane of our own store that is not known here is one of an earlier life. */
static struct kw_result first_row(struct hearing *h, const struct kw_lane *lane,
                                  struct kw_error *err)
{
    bool ours = kw_id_equal(lane->store, h->feed->options.store);

    h->is_new = true;
    h->row = (struct kw_lane_row){.id = h->row.id,
                                  .store = lane->store,
                                  .incarnation = lane->incarnation,
                                  .writer = lane->writer,
                                  .role = ours ? KW_LANE_ROLE_PAST : KW_LANE_ROLE_FOREIGN};
    KW_TRY(kw_lane_start(lane, &h->row.point, err));
    h->row.floor = h->row.point;
    return KW_OK;
}

static struct kw_result load_chain(struct hearing *h, uint64_t seq, struct kw_error *err)
{
    bool found = false;

    if (seq == h->row.floor.seq) {
        kw_copy(h->chain_there, h->row.floor.chain, KW_SHA256_LEN);
        found = true;
    } else if (seq <= h->row.point.seq) {
        KW_TRY(kw_change_chain(h->tx, h->row.id, seq, h->chain_there, &found, err));
    }
    h->held.chain_there = found ? h->chain_there : NULL;
    return KW_OK;
}

static struct kw_result load_store(struct hearing *h, struct kw_id store, struct kw_error *err)
{
    bool found;

    KW_TRY(kw_feed_find(h->tx, &kw_store_record, kw_id_bytes(&store), h->arena, &h->store, &found,
                        err));
    h->held.store = found ? &h->store : NULL;
    h->origin = found ? kw_record_value(&h->store, KW_STORE_FIELD_PLACE) : KW_BYTES_NONE;
    if (h->origin.len == 0) {
        h->origin = kw_id_bytes(&h->row.store);
    }
    return KW_OK;
}

/* What is held of this lane, and its chain at number `seq`. With its row locked the store's is read: who
 * fences the store locks all of its lanes first (feed_rows.c). */
static struct kw_result load(struct hearing *h, const struct kw_lane *lane, uint64_t seq,
                             bool locks, struct kw_error *err)
{
    bool found;

    h->is_new = false;
    KW_TRY(kw_lane_id(lane, &h->row.id, err));
    if (locks) {
        KW_TRY(kw_lane_row_lock(h->tx, h->row.id, &h->row, &found, err));
    } else {
        KW_TRY(kw_lane_row_find(h->tx, h->row.id, &h->row, &found, err));
    }
    if (!found) {
        KW_TRY(first_row(h, lane, err));
    }
    h->latest = h->row.closed;
    h->held = (struct kw_lane_held){.mesh = h->feed->options.mesh,
                                    .point = h->row.point,
                                    .closed = h->row.closed,
                                    .forked = h->row.forked};
    KW_TRY(load_store(h, lane->store, err));
    return load_chain(h, seq, err);
}

static void tell(const struct hearing *h, enum kw_lane_verdict verdict, uint64_t seq)
{
    kw_metric_add(KW_M_FEED_VERDICTS, kw_lane_verdict_name(verdict), 1);
    if (kw_lane_verdict_alarms(verdict) && kw_feed_may_alarm(h->feed, h->wall_ms)) {
        KW_LOG(ERROR, "what a lane says is not believed",
               KW_F_STR("verdict", kw_lane_verdict_name(verdict)),
               KW_F_HEX("store", kw_id_bytes(&h->row.store)),
               KW_F_HEX("lane", kw_id_bytes(&h->row.id)), KW_F_U64("seq", seq));
    }
}

static void tell_clock(const struct hearing *h, const struct kw_lane_finding *finding, uint64_t seq)
{
    if (finding->late) {
        KW_LOG(ERROR, "a store made a change that is older than it had promised",
               KW_F_HEX("store", kw_id_bytes(&h->row.store)),
               KW_F_HEX("lane", kw_id_bytes(&h->row.id)), KW_F_U64("seq", seq));
    }
    if (h->held_back > 0) {
        KW_LOG(WARN, "values wait, for their store's clock is ahead of ours",
               KW_F_HEX("store", kw_id_bytes(&h->row.store)), KW_F_U64("changes", h->held_back));
    }
}

/* --- news --- */

/* A lane's clock goes forwards. One that says otherwise is believed of nothing that was true once. */
static uint64_t advance_clock(struct hearing *h, const struct kw_change *change)
{
    h->latest = change->hlc > h->latest ? change->hlc : h->latest;
    return h->latest;
}

static struct kw_result take(struct hearing *h, const struct kw_change *change,
                             const struct kw_lane_point *point, bool *ret_news,
                             struct kw_error *err)
{
    const struct kw_waiting taken = {.lane = h->row.id,
                                     .point = *point,
                                     .record = change->record,
                                     .hlc = advance_clock(h, change)};
    const struct kw_stamp stamp = {.hlc = change->hlc, .store = h->row.store};
    struct kw_feed_taken how;

    KW_TRY(kw_feed_take(h->feed, h->tx, &taken, h->wall_ms, &how, err));
    h->held_back += how.how == KW_FEED_TAKEN_HELD;
    *ret_news = how.news;
    (void)kw_stamp_receive(&h->feed->clock, &stamp, h->wall_ms);
    return KW_OK;
}

static struct kw_result take_and_log(struct hearing *h, const struct kw_lane_batch *batch,
                                     size_t skip, struct kw_lane_point *point, struct kw_error *err)
{
    for (size_t i = skip; i < batch->count; i++) {
        struct kw_change_row row = {.change = batch->changes[i]};
        bool news;

        KW_TRY(kw_lane_advance(point, &batch->changes[i], err));
        row.point = *point;
        row.head = i + 1 == batch->count ? batch->head_record : KW_BYTES_NONE;
        KW_TRY(take(h, &row.change, point, &news, err));
        KW_TRY(kw_change_insert(h->tx, h->row.id, &row, err));
    }
    return KW_OK;
}

static struct kw_result keep_row(struct hearing *h, struct kw_error *err)
{
    bool is_new = h->is_new;

    h->is_new = false;
    return is_new ? kw_lane_row_insert(h->tx, &h->row, h->origin, err) : KW_OK;
}

/* Others know more of our lane than we do: we are a copy of an earlier life, and the numbers that we
 * would give next may have been given. */
static bool is_outrun(const struct hearing *h, uint64_t seq)
{
    return h->row.role == KW_LANE_ROLE_PRESENT && seq > h->row.point.seq;
}

static struct kw_result end_lanes(const struct hearing *h, struct kw_error *err)
{
    KW_LOG(ERROR, "others know more of our lane than we do: a new life begins",
           KW_F_HEX("lane", kw_id_bytes(&h->row.id)), KW_F_U64("seq", h->row.point.seq));
    return kw_feed_end_life(h->tx, h->row.store, err);
}

/* The lane has come as far as changes that had gone ahead of it. What was another under the same number
 * stays, for its store has said two things. */
static struct kw_result settle_urgents(const struct hearing *h, uint64_t seq, struct kw_error *err)
{
    size_t rivals;

    KW_TRY(kw_urgent_row_settle(h->tx, h->row.id, h->row.point.seq, seq, &rivals, err));
    if (rivals > 0) {
        tell(h, KW_LANE_FORK, seq);
    }
    return KW_OK;
}

/* A lane that had no row could not be locked by who fenced its store meanwhile; now it can. */
static struct kw_result keep_row_unfenced(struct hearing *h, uint64_t seq, struct kw_error *err)
{
    bool was_new = h->is_new;

    KW_TRY(keep_row(h, err));
    if (was_new) {
        KW_TRY(load_store(h, h->row.store, err));
        KW_ENSURE(h->held.store != NULL && kw_store_record_takes(&h->store, h->row.id, seq, 0), err,
                  STORE_UNAVAILABLE, "the store was fenced just now");
    }
    return KW_OK;
}

static struct kw_result apply_news(struct hearing *h, const struct kw_lane_batch *batch,
                                   const struct kw_lane_finding *finding, struct kw_error *err)
{
    struct kw_lane_point point = h->row.point;
    bool outrun = is_outrun(h, finding->point.seq);

    KW_TRY(keep_row_unfenced(h, finding->point.seq, err));
    KW_TRY(take_and_log(h, batch, finding->skip, &point, err));
    KW_ENSURE(kw_lane_point_equal(&point, &finding->point), err, INTERNAL,
              "a batch was judged otherwise than it is");
    KW_TRY(kw_lane_row_move(h->tx, h->row.id, &point, finding->closed, h->wall_ms, err));
    kw_feed_lane_grew(h->feed, h->tx);
    KW_TRY(kw_lane_row_set_head(h->tx, h->row.id, batch->head_record, err));
    KW_TRY(settle_urgents(h, point.seq, err));
    tell_clock(h, finding, point.seq);
    return outrun ? end_lanes(h, err) : KW_OK;
}

/* --- everything else --- */

/* A heartbeat: nothing new, but for how far the promise reaches. A promise is kept here before it
 * leaves, so one of ours that we do not know is of a life that went on without us. Nobody waits for one:
 * who listens is told of all of them with our own next, and not waked for each. */
static struct kw_result note_closed(struct hearing *h, const struct kw_lane_batch *batch,
                                    uint64_t closed, struct kw_error *err)
{
    if (closed <= h->row.closed) {
        return KW_OK;
    }
    KW_TRY(keep_row(h, err));
    KW_TRY(kw_lane_row_move(h->tx, h->row.id, &h->row.point, closed, h->wall_ms, err));
    if (batch->head.point.seq == h->row.point.seq) {
        KW_TRY(kw_lane_row_set_head(h->tx, h->row.id, batch->head_record, err));
    }
    return h->row.role == KW_LANE_ROLE_PRESENT ? end_lanes(h, err) : KW_OK;
}

/* The lane goes on from there. What was kept of it before is not joined to what will be. */
static struct kw_result begin_at(struct hearing *h, const struct kw_lane_head *head,
                                 struct kw_error *err)
{
    h->row.point = head->point;
    h->row.floor = head->point;
    if (head->closed > h->row.closed) {
        h->row.closed = head->closed;
        h->row.heard_ms = h->wall_ms;
    }
    kw_feed_lane_grew(h->feed, h->tx);
    if (h->is_new) {
        return keep_row(h, err);
    }
    KW_TRY(kw_change_delete(h->tx, h->row.id, head->point.seq, err));
    KW_TRY(kw_lane_row_move(h->tx, h->row.id, &h->row.point, h->row.closed, h->row.heard_ms, err));
    return kw_lane_row_set_floor(h->tx, h->row.id, &h->row.floor, err);
}

static struct kw_result adopt(struct hearing *h, const struct kw_lane_batch *batch,
                              struct kw_error *err)
{
    const struct kw_stamp closed = {.hlc = batch->head.closed, .store = h->row.store};
    bool outrun = is_outrun(h, batch->head.point.seq);

    KW_TRY(begin_at(h, &batch->head, err));
    KW_TRY(kw_lane_row_set_head(h->tx, h->row.id, batch->head_record, err));
    KW_TRY(kw_urgent_row_delete(h->tx, h->row.id, h->row.point.seq, err));
    (void)kw_stamp_receive(&h->feed->clock, &closed, h->wall_ms);
    return outrun ? end_lanes(h, err) : KW_OK;
}

static struct kw_result note_gap(struct hearing *h, const struct kw_lane_batch *batch,
                                 struct kw_error *err)
{
    if (h->adopts) {
        return adopt(h, batch, err);
    }
    return is_outrun(h, batch->head.point.seq) ? end_lanes(h, err) : KW_OK;
}

static struct kw_result act(struct hearing *h, const struct kw_lane_batch *batch,
                            const struct kw_lane_finding *finding, struct kw_error *err)
{
    switch (finding->verdict) {
    case KW_LANE_NEWS:
        return apply_news(h, batch, finding, err);
    case KW_LANE_KNOWN:
        return note_closed(h, batch, finding->closed, err);
    case KW_LANE_FORK:
        KW_TRY(keep_row(h, err));
        kw_feed_lane_grew(h->feed, h->tx);
        return kw_lane_row_set_rival(h->tx, h->row.id, batch->head_record, err);
    case KW_LANE_GAP:
        return note_gap(h, batch, err);
    case KW_LANE_OTHER_MESH:
    case KW_LANE_STRANGER:
    case KW_LANE_FENCED:
    case KW_LANE_UNSIGNED:
    case KW_LANE_BROKEN:
    case KW_LANE_STOPPED:
    case KW_LANE_WAITS:
    case KW_LANE_VERDICT_END_:
        break;
    }
    return KW_OK;
}

/* Would acting on it begin a row? */
static bool begins_row(const struct hearing *h, const struct kw_lane_finding *finding)
{
    return h->is_new &&
           (finding->verdict == KW_LANE_NEWS || finding->verdict == KW_LANE_KNOWN ||
            finding->verdict == KW_LANE_FORK || (finding->verdict == KW_LANE_GAP && h->adopts));
}

/* One place does not fill our table of lanes, nor the replicator's; and whatever comes, all that are in it are
 * told of, ours among them. */
static const char *limit_of_lanes(uint64_t of_origin, uint64_t all)
{
    if (of_origin >= KW_FEED_PLACE_LANES_MAX) {
        return "feed_lanes_of_place";
    }
    return all >= KW_FEED_LANES_MAX - KW_FEED_OWN_LANES ? "feed_lanes" : NULL;
}

static struct kw_result bound_lanes(const struct hearing *h, struct kw_lane_finding *finding,
                                    struct kw_error *err)
{
    const char *limit;
    uint64_t of_origin;
    uint64_t all;

    if (!begins_row(h, finding)) {
        return KW_OK;
    }
    KW_TRY(kw_lane_row_count(h->tx, h->origin, &of_origin, &all, err));
    limit = limit_of_lanes(of_origin, all);
    if (limit != NULL) {
        kw_metric_add(KW_M_LIMITS_REACHED, limit, 1);
        *finding = (struct kw_lane_finding){.verdict = KW_LANE_WAITS, .point = h->row.point};
    }
    return KW_OK;
}

static struct kw_result hear(struct hearing *h, const struct kw_lane_batch *batch,
                             struct kw_lane_finding *ret_finding, struct kw_error *err)
{
    const struct kw_lane *lane = &batch->head.lane;
    enum kw_lane_verdict verdict;

    KW_TRY(load(h, lane, batch->head.point.seq, false, err));
    KW_TRY(kw_lane_precheck(&h->held, batch, &verdict, err));
    *ret_finding = (struct kw_lane_finding){
        .verdict = verdict, .point = h->row.point, .closed = h->row.closed};
    if (verdict == 0) {
        KW_TRY(load(h, lane, batch->head.point.seq, true, err));
        KW_TRY(kw_lane_check(&h->held, batch, ret_finding, err));
        KW_TRY(bound_lanes(h, ret_finding, err));
        KW_TRY(act(h, batch, ret_finding, err));
    }
    tell(h, ret_finding->verdict, batch->head.point.seq);
    return KW_OK;
}

static struct kw_result hear_in(struct hearing *h, const struct kw_lane_batch *batch,
                                struct kw_lane_finding *ret_finding, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_result heard;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a batch");
    h->arena = arena;
    heard = hear(h, batch, ret_finding, err);
    kw_arena_free(arena);
    return heard;
}

struct kw_result kw_feed_apply(struct kw_feed *feed, struct kw_tx *tx,
                               const struct kw_lane_batch *batch, uint64_t wall_ms,
                               struct kw_lane_finding *ret_finding, struct kw_error *err)
{
    struct hearing h = {.feed = feed, .tx = tx, .wall_ms = wall_ms};

    return hear_in(&h, batch, ret_finding, err);
}

struct kw_result kw_feed_adopt(struct kw_feed *feed, struct kw_tx *tx, struct kw_bytes head,
                               uint64_t wall_ms, struct kw_error *err)
{
    struct hearing h = {.feed = feed, .tx = tx, .wall_ms = wall_ms, .adopts = true};
    struct kw_lane_batch batch = {.head_record = head};
    struct kw_lane_finding finding;
    struct kw_error why;

    if (!kw_ok(kw_lane_head_decode(head, &batch.head, &why))) {
        KW_LOG(ERROR, "a lane's head can't be read", KW_F_ERR(&why));
        return KW_OK;
    }
    batch.from = batch.head.point;
    return hear_in(&h, &batch, &finding, err);
}

/* --- ahead of the lane --- */

/* What was kept was judged, so a copy costs no signature, and no lock. */
static struct kw_result prejudge_urgent(struct hearing *h, const struct kw_urgent *urgent,
                                        enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    bool is_kept;

    KW_TRY(load(h, &urgent->lane, urgent->point.seq, false, err));
    KW_TRY(kw_urgent_row_has(h->tx, h->row.id, &urgent->point, &is_kept, err));
    if (is_kept) {
        *ret_verdict = KW_LANE_KNOWN;
        return KW_OK;
    }
    return kw_urgent_precheck(&h->held, urgent, ret_verdict, err);
}

static struct kw_result judge_urgent(struct hearing *h, const struct kw_urgent *urgent,
                                     enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    bool is_full;

    KW_TRY(load(h, &urgent->lane, urgent->point.seq, true, err));
    KW_TRY(kw_urgent_check(&h->held, urgent, ret_verdict, err));
    if (*ret_verdict != KW_LANE_NEWS) {
        return KW_OK;
    }
    KW_TRY(kw_urgent_row_full(h->tx, h->origin, &is_full, err));
    if (is_full || !kw_feed_may_hurry(h->feed, urgent->change.record)) {
        *ret_verdict = KW_LANE_WAITS;
    }
    return KW_OK;
}

/* It is kept until its lane is here, so that it is passed on; for good, if its lane has another change
 * there. One that its lane had, and that is trimmed, looks like that too, but says nothing new. */
static struct kw_result take_urgent(struct hearing *h, const struct kw_urgent *urgent,
                                    enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    bool is_ahead = urgent->point.seq > h->row.point.seq;
    bool is_rival = !is_ahead && h->held.chain_there != NULL;
    bool news;

    KW_TRY(take(h, &urgent->change, &urgent->point, &news, err));
    KW_TRY(is_outrun(h, urgent->point.seq) ? end_lanes(h, err) : KW_OK);
    if (news || is_ahead || is_rival) {
        KW_TRY(kw_urgent_row_insert(h->tx, h->row.id, h->origin, &urgent->point, urgent->record,
                                    h->wall_ms + h->feed->options.orphan_ms, err));
    }
    if (is_rival) {
        tell(h, KW_LANE_FORK, urgent->point.seq);
    }
    /* Whoever passes on what is news would never come to an end. */
    *ret_verdict = news ? KW_LANE_NEWS : KW_LANE_KNOWN;
    return KW_OK;
}

static struct kw_result hear_urgent(struct hearing *h, const struct kw_urgent *urgent,
                                    enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    KW_TRY(prejudge_urgent(h, urgent, ret_verdict, err));
    if (*ret_verdict == 0) {
        KW_TRY(judge_urgent(h, urgent, ret_verdict, err));
    }
    if (*ret_verdict == KW_LANE_NEWS) {
        KW_TRY(take_urgent(h, urgent, ret_verdict, err));
    }
    tell(h, *ret_verdict, urgent->point.seq);
    return KW_OK;
}

struct kw_result kw_feed_apply_urgent(struct kw_feed *feed, struct kw_tx *tx,
                                      const struct kw_urgent *urgent, uint64_t wall_ms,
                                      enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct hearing h = {.feed = feed, .tx = tx, .wall_ms = wall_ms, .arena = arena};
    struct kw_result heard;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for an urgent change");
    heard = hear_urgent(&h, urgent, ret_verdict, err);
    kw_arena_free(arena);
    return heard;
}
