/* The verdicts, and how one is come to. */
#include "common/feed/lane_check.h"

#include "common/base/limits.h"
#include "common/sync/grow_set.h"

static const struct {
    const char *name;
    bool alarms;
} verdicts[KW_LANE_VERDICT_END_] = {
    [0] = {"unknown", true},
    [KW_LANE_NEWS] = {"news", false},
    [KW_LANE_KNOWN] = {"known", false},
    [KW_LANE_GAP] = {"gap", false},
    [KW_LANE_FORK] = {"fork", true},
    [KW_LANE_OTHER_MESH] = {"other_mesh", true},
    [KW_LANE_STRANGER] = {"stranger", true},
    [KW_LANE_FENCED] = {"fenced", true},
    [KW_LANE_UNSIGNED] = {"unsigned", true},
    [KW_LANE_BROKEN] = {"broken", true},
    [KW_LANE_STOPPED] = {"stopped", false},
    [KW_LANE_WAITS] = {"waits", true},
};

static enum kw_lane_verdict known(enum kw_lane_verdict verdict)
{
    return verdict < KW_LANE_VERDICT_END_ ? verdict : 0;
}

const char *kw_lane_verdict_name(enum kw_lane_verdict verdict)
{
    return verdicts[known(verdict)].name;
}

bool kw_lane_verdict_alarms(enum kw_lane_verdict verdict)
{
    return verdicts[known(verdict)].alarms;
}

/* --- whose it is --- */

static bool is_member(const struct kw_record *store, const struct kw_lane *lane)
{
    return lane->writer < KW_FEED_WRITERS_MAX && store != NULL &&
           kw_bytes_equal(store->key, kw_id_bytes(&lane->store)) &&
           kw_set_has(kw_record_value(store, KW_STORE_FIELD_INCARNATIONS),
                      kw_id_bytes(&lane->incarnation));
}

/* Why nobody of that name is listened to, or 0. */
static enum kw_lane_verdict refuse_whose(const struct kw_lane_held *held,
                                         const struct kw_lane *lane)
{
    if (!kw_id_equal(held->mesh, lane->mesh)) {
        return KW_LANE_OTHER_MESH;
    }
    return is_member(held->store, lane) ? 0 : KW_LANE_STRANGER;
}

/* Why nothing of this lane is listened to at this number, or 0. */
static struct kw_result refuse(const struct kw_lane_held *held, const struct kw_lane *lane,
                               uint64_t seq, enum kw_lane_verdict *ret_verdict,
                               struct kw_error *err)
{
    struct kw_id id;

    *ret_verdict = refuse_whose(held, lane);
    if (*ret_verdict != 0) {
        return KW_OK;
    }
    KW_TRY(kw_lane_id(lane, &id, err));
    if (!kw_store_record_takes(held->store, id, seq, held->point.seq)) {
        *ret_verdict = KW_LANE_FENCED;
    }
    return KW_OK;
}

/* Why nothing by this key is listened to, or 0. One that is none of its store's here may be one there: who
 * passes it on is not to blame. */
static struct kw_result refuse_key(const struct kw_lane_held *held, struct kw_bytes key,
                                   enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];
    bool is_known;

    KW_TRY(kw_sha256(key, digest, err));
    is_known =
        kw_set_has(kw_record_value(held->store, KW_STORE_FIELD_SIGNERS), KW_BYTES_OF(digest));
    *ret_verdict = is_known ? 0 : KW_LANE_STRANGER;
    return KW_OK;
}

/* The result of looking at a signature as a verdict, or 0; want of memory is neither. */
static struct kw_result verdict_of(struct kw_result verified, enum kw_lane_verdict *ret_verdict)
{
    *ret_verdict = kw_ok(verified) ? 0 : KW_LANE_UNSIGNED;
    return verified.reason == KW_E_SIGNATURE_INVALID ? KW_OK : verified;
}

/* --- what of it is held --- */

enum place {
    BEYOND,    /* what is held does not reach so far */
    THE_SAME,  /* the very same is held */
    ANOTHER,   /* another is held */
    FORGOTTEN, /* it was, but which is not kept */
};

static enum place place_of(const struct kw_lane_held *held, const struct kw_lane_point *point)
{
    const uint8_t *chain = point->seq == held->point.seq ? held->point.chain : held->chain_there;

    if (point->seq > held->point.seq) {
        return BEYOND;
    }
    if (chain == NULL) {
        return FORGOTTEN;
    }
    return kw_bytes_equal(KW_BYTES(chain, KW_SHA256_LEN), KW_BYTES_OF(point->chain)) ? THE_SAME
                                                                                     : ANOTHER;
}

/* --- what is new --- */

/* From where the batch says that it begins, along its changes: past what is held, to its head? */
static struct kw_result follow(const struct kw_lane_held *held, const struct kw_lane_batch *batch,
                               enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    struct kw_lane_point point = batch->from;
    bool passes = kw_lane_point_equal(&point, &held->point);

    for (size_t i = 0; i < batch->count; i++) {
        KW_TRY(kw_lane_advance(&point, &batch->changes[i], err));
        passes = passes || kw_lane_point_equal(&point, &held->point);
    }
    if (!kw_lane_point_equal(&point, &batch->head.point)) {
        *ret_verdict = KW_LANE_BROKEN;
        return KW_OK;
    }
    *ret_verdict = passes ? KW_LANE_NEWS : KW_LANE_FORK;
    return KW_OK;
}

static bool is_late(const struct kw_lane_held *held, const struct kw_lane_batch *batch, size_t skip)
{
    for (size_t i = skip; i < batch->count; i++) {
        if (batch->changes[i].hlc < held->closed) {
            return true;
        }
    }
    return false;
}

static struct kw_result judge_news(const struct kw_lane_held *held,
                                   const struct kw_lane_batch *batch,
                                   struct kw_lane_finding *finding, struct kw_error *err)
{
    if (batch->from.seq > held->point.seq) {
        finding->verdict = KW_LANE_GAP;
        return KW_OK;
    }
    KW_TRY(follow(held, batch, &finding->verdict, err));
    if (finding->verdict == KW_LANE_NEWS) {
        finding->skip = (size_t)(held->point.seq - batch->from.seq);
        finding->point = batch->head.point;
        finding->late = is_late(held, batch, finding->skip);
    }
    return KW_OK;
}

/* Of a batch that is signed. */
static struct kw_result judge(const struct kw_lane_held *held, const struct kw_lane_batch *batch,
                              enum place place, struct kw_lane_finding *finding,
                              struct kw_error *err)
{
    if (place == BEYOND) {
        KW_TRY(judge_news(held, batch, finding, err));
    } else {
        finding->verdict = place == ANOTHER ? KW_LANE_FORK : KW_LANE_KNOWN;
    }
    if ((finding->verdict == KW_LANE_NEWS || finding->verdict == KW_LANE_KNOWN) &&
        batch->head.closed > finding->closed) {
        finding->closed = batch->head.closed;
    }
    return KW_OK;
}

static bool says_nothing_new(const struct kw_lane_held *held, const struct kw_lane_batch *batch,
                             enum place place)
{
    return (place == THE_SAME || place == FORGOTTEN) && batch->head.closed <= held->closed;
}

struct kw_result kw_lane_precheck(const struct kw_lane_held *held,
                                  const struct kw_lane_batch *batch,
                                  enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    KW_TRY(refuse(held, &batch->head.lane, batch->head.point.seq, ret_verdict, err));
    if (*ret_verdict != 0) {
        return KW_OK;
    }
    if (held->forked) {
        *ret_verdict = KW_LANE_STOPPED;
        return KW_OK;
    }
    if (says_nothing_new(held, batch, place_of(held, &batch->head.point))) {
        *ret_verdict = KW_LANE_KNOWN;
        return KW_OK;
    }
    return refuse_key(held, batch->head.key, ret_verdict, err);
}

struct kw_result kw_lane_check(const struct kw_lane_held *held, const struct kw_lane_batch *batch,
                               struct kw_lane_finding *ret_finding, struct kw_error *err)
{
    struct kw_lane_finding finding = {.point = held->point, .closed = held->closed};

    KW_TRY(kw_lane_precheck(held, batch, &finding.verdict, err));
    if (finding.verdict == 0) {
        KW_TRY(verdict_of(kw_lane_head_verify(&batch->head, err), &finding.verdict));
    }
    if (finding.verdict == 0) {
        KW_TRY(judge(held, batch, place_of(held, &batch->head.point), &finding, err));
    }
    *ret_finding = finding;
    return KW_OK;
}

struct kw_result kw_urgent_precheck(const struct kw_lane_held *held, const struct kw_urgent *urgent,
                                    enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    *ret_verdict = refuse_whose(held, &urgent->lane);
    if (*ret_verdict != 0) {
        return KW_OK;
    }
    if (place_of(held, &urgent->point) == THE_SAME) {
        *ret_verdict = KW_LANE_KNOWN;
        return KW_OK;
    }
    if (kw_store_record_is_out(held->store)) {
        *ret_verdict = KW_LANE_FENCED;
        return KW_OK;
    }
    return refuse_key(held, urgent->key, ret_verdict, err);
}

struct kw_result kw_urgent_check(const struct kw_lane_held *held, const struct kw_urgent *urgent,
                                 enum kw_lane_verdict *ret_verdict, struct kw_error *err)
{
    KW_TRY(kw_urgent_precheck(held, urgent, ret_verdict, err));
    if (*ret_verdict == 0) {
        KW_TRY(verdict_of(kw_urgent_verify(urgent, err), ret_verdict));
        *ret_verdict = *ret_verdict == 0 ? KW_LANE_NEWS : *ret_verdict;
    }
    return KW_OK;
}
