/* Lanes as they are there, against lanes as they are here. */
#include "common/feed/feed_lacks.h"

#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/feed/feed_answer.h"
#include "common/feed/feed_rows.h"
#include "common/feed/lane_check.h"
#include "common/feed/lane_table.h"
#include "common/sync/grow_set.h"

struct looking {
    const struct kw_feed *feed;
    struct kw_tx *tx;
    const struct kw_answer *answer;
    struct kw_buf *place; /* of who answers; empty: not known */
    struct kw_lane_lack *lacks;
    size_t count;
};

/* --- is there more of it? --- */

/* A life that is not known here counts, too, if a key of its store signed for it: who is new knows few of them, and who
 * lost its disk not even its own. */
static bool may_have_life(const struct kw_record *store, const struct kw_lane_head *head,
                          struct kw_id lane)
{
    return store != NULL && head->lane.writer < KW_FEED_WRITERS_MAX &&
           kw_store_record_honours(store, lane, head->point.seq);
}

static struct kw_result is_signed(const struct kw_record *store, const struct kw_lane_head *head,
                                  bool *ret_signed, struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];
    struct kw_result verified;

    KW_TRY(kw_sha256(head->key, digest, err));
    *ret_signed = kw_set_has(kw_record_value(store, KW_STORE_FIELD_SIGNERS), KW_BYTES_OF(digest));
    if (!*ret_signed) {
        return KW_OK;
    }
    verified = kw_lane_head_verify(head, err);
    *ret_signed = kw_ok(verified);
    return verified.reason == KW_E_SIGNATURE_INVALID ? KW_OK : verified;
}

/* As a batch that ends there would be judged: GAP says that it is its store's, and further than what we hold. */
static struct kw_result judge(const struct looking *l, const struct kw_lane_head *head,
                              const struct kw_lane_row *here, const struct kw_record *store,
                              enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    const struct kw_lane_held held = {.mesh = l->feed->options.mesh,
                                      .store = store,
                                      .point = here->point,
                                      .closed = here->closed};
    const struct kw_lane_batch batch = {.head = *head, .from = head->point};
    struct kw_lane_finding finding;
    bool good = false;

    KW_TRY(kw_lane_check(&held, &batch, &finding, err));
    *ret_verdict = finding.verdict;
    if (finding.verdict == KW_LANE_STRANGER && may_have_life(store, head, here->id)) {
        KW_TRY(is_signed(store, head, &good, err));
        *ret_verdict = good ? KW_LANE_GAP : KW_LANE_STRANGER;
    }
    return KW_OK;
}

/* A place has one certificate, and as many stores as it likes: they are all its own. */
static bool is_own(const struct looking *l, struct kw_id store, const struct kw_record *row)
{
    return kw_id_equal(store, l->answer->to.store) ||
           (l->place->len > 0 && row != NULL &&
            kw_bytes_equal(kw_record_value(row, KW_STORE_FIELD_PLACE), kw_buf_bytes(l->place)));
}

static struct kw_result judge_by_row(const struct looking *l, const struct kw_lane_head *head,
                                     const struct kw_lane_row *here,
                                     enum kw_lane_verdict *ret_verdict, bool *ret_own,
                                     struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_result result;
    struct kw_record store;
    bool found;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for the row of a store");
    result = kw_feed_find(l->tx, &kw_store_record, kw_id_bytes(&head->lane.store), arena, &store,
                          &found, err);
    if (kw_ok(result)) {
        *ret_own = is_own(l, head->lane.store, found ? &store : NULL);
        result = judge(l, head, here, found ? &store : NULL, ret_verdict, err);
    }
    kw_arena_free(arena);
    return result;
}

static struct kw_result find_place(const struct looking *l, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_result result;
    struct kw_record store;
    bool found;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for the row of a store");
    result = kw_feed_find(l->tx, &kw_store_record, kw_id_bytes(&l->answer->to.store), arena, &store,
                          &found, err);
    if (kw_ok(result) && found) {
        result = kw_buf_append(l->place, kw_record_value(&store, KW_STORE_FIELD_PLACE), err);
    }
    kw_arena_free(arena);
    return result;
}

/* --- what is lacked --- */

static const char *name_of(enum kw_lane_verdict verdict, const struct kw_lane_lack *lack)
{
    if (verdict != KW_LANE_GAP) {
        return kw_lane_verdict_name(verdict);
    }
    if (!lack->deleted) {
        return "there";
    }
    return lack->own ? "own" : "deleted";
}

static struct kw_result is_unheard(const struct looking *l, struct kw_id store, bool *ret_unheard,
                                   struct kw_error *err)
{
    bool heard;

    KW_TRY(kw_lane_row_heard(l->tx, store, &heard, err));
    *ret_unheard = !heard || kw_id_equal(store, l->feed->options.store);
    return KW_OK;
}

static struct kw_result note(struct looking *l, const struct kw_answer_lane *theirs,
                             const struct kw_lane_row *here, struct kw_error *err)
{
    struct kw_id store = theirs->head.lane.store;
    struct kw_lane_lack lack = {
        .lane = here->id, .seq = here->point.seq, .deleted = theirs->floor > here->point.seq};
    enum kw_lane_verdict verdict;

    KW_TRY(judge_by_row(l, &theirs->head, here, &verdict, &lack.own, err));
    kw_metric_add(KW_M_FEED_LACKS, name_of(verdict, &lack), 1);
    if (verdict == KW_LANE_GAP) {
        KW_TRY(is_unheard(l, store, &lack.unheard, err));
        l->lacks[l->count++] = lack;
    }
    return KW_OK;
}

static struct kw_result look_at_lane(struct looking *l, struct kw_bytes item, struct kw_error *err)
{
    struct kw_answer_lane theirs;
    struct kw_lane_row here = {0};
    struct kw_id lane;
    bool found;

    KW_TRY(kw_answer_lane_decode(item, &theirs, err));
    KW_TRY(kw_lane_id(&theirs.head.lane, &lane, err));
    KW_TRY(kw_lane_row_find(l->tx, lane, &here, &found, err));
    if (!found) {
        here = (struct kw_lane_row){.id = lane};
    }
    return here.forked || theirs.head.point.seq <= here.point.seq ? KW_OK
                                                                  : note(l, &theirs, &here, err);
}

static struct kw_result look_at_lanes(struct looking *l, struct kw_error *err)
{
    KW_TRY(find_place(l, err));
    for (size_t i = 0; i < l->answer->count; i++) {
        KW_TRY(look_at_lane(l, l->answer->items[i], err));
    }
    return KW_OK;
}

struct kw_result kw_feed_lacks(const struct kw_feed *feed, struct kw_tx *tx,
                               const struct kw_ask *ask, const struct kw_answer *answer,
                               enum kw_answer_verdict *ret_verdict, struct kw_lane_lack *lacks,
                               size_t *ret_count, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf place = {0};
    struct looking l = {feed, tx, answer, &place, lacks, 0};

    KW_TRY(kw_feed_judge_answer(feed, tx, ask, answer, ret_verdict, err));
    KW_TRY(*ret_verdict == KW_ANSWER_GOOD ? look_at_lanes(&l, err) : KW_OK);
    *ret_count = l.count;
    return KW_OK;
}
