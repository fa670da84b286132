/* What the owner that applies a batch makes of it: everything a hostile or mistaken peer could try
 * has a verdict of its own. Nobody else's word is taken: neither the peer's that brought it, nor the
 * relay's, nor the replicator's.
 *
 * Pure: what is held comes in, a verdict comes out.
 */
#ifndef KW_COMMON_FEED_LANE_CHECK_H
#define KW_COMMON_FEED_LANE_CHECK_H

#include "common/feed/lane_batch.h"
#include "common/feed/urgent.h"
#include "common/sync/store_record.h"

/* One row each in lane_check.c. 0 is none of them, so what nobody has judged is not let in. */
enum kw_lane_verdict {
    KW_LANE_NEWS = 1,   /* it continues what is held: apply changes from `skip` on */
    KW_LANE_KNOWN,      /* nothing in it is new: a heartbeat, a duplicate, a replay */
    KW_LANE_GAP,        /* changes before it are missing: ask from what is held on */
    KW_LANE_FORK,       /* another change under a number we hold: stop the lane, keep both */
    KW_LANE_OTHER_MESH, /* of another mesh */
    KW_LANE_STRANGER,   /* its store is no member here, or has no such incarnation, writer or key */
    KW_LANE_FENCED, /* its store is fenced, or cut off, and this lies beyond what is honoured, or held */
    KW_LANE_UNSIGNED, /* signed as by a key of its store, which did not sign it */
    KW_LANE_BROKEN,   /* its changes do not lead to its head */
    KW_LANE_STOPPED,  /* the lane has forked before */
    KW_LANE_WAITS, /* ahead of its lane, and disables nothing; one lane or one urgent change too many */
    KW_LANE_VERDICT_END_,
};

/* What is held of the lane, durably. */
struct kw_lane_held {
    struct kw_id mesh;             /* ours */
    const struct kw_record *store; /* the row of its store, or NULL: none */
    struct kw_lane_point point;    /* the start, where nothing is held */
    uint64_t closed;
    bool forked;
    /* Our chain at the number the batch's head has, where that is not beyond `point` and still kept;
     * or NULL. */
    const uint8_t *chain_there;
};

struct kw_lane_finding {
    enum kw_lane_verdict verdict;
    size_t skip;                /* NEWS: so many of its changes are held already */
    struct kw_lane_point point; /* what is held then: its head's for NEWS, else as before */
    uint64_t closed;            /* the same; NEWS and KNOWN may raise it, nothing lowers it */
    /* NEWS: a change is older than its store had promised that any would be. The store is at fault,
     * which is to be told; the change is applied all the same, since it may be one that disables. */
    bool late;
};

/* "fenced"; "unknown" for a number that is no verdict. Never NULL. */
const char *kw_lane_verdict_name(enum kw_lane_verdict verdict);

/* Is it an attack or a fault, to be told, rather than the ordinary course of things? STOPPED is not:
 * the FORK was told. */
bool kw_lane_verdict_alarms(enum kw_lane_verdict verdict);

/* What can be said of a batch, or of an urgent change, without a look at its signature: mostly of what
 * somebody without a key can bring. 0: more is to be looked at. Fails: CRYPTO, MEMORY. */
struct kw_result kw_lane_precheck(const struct kw_lane_held *held,
                                  const struct kw_lane_batch *batch,
                                  enum kw_lane_verdict *ret_verdict, struct kw_error *err);
struct kw_result kw_urgent_precheck(const struct kw_lane_held *held, const struct kw_urgent *urgent,
                                    enum kw_lane_verdict *ret_verdict, struct kw_error *err);

/* Judges a batch, from the cheap to the dear: whose it is, what of it is held, the signature, and the
 * chain of its changes. A fork is found where chains differ at `held->point`, which the batch passes,
 * or at its end, if that is before. Nothing unsigned is believed, GAP and FORK neither; what says
 * nothing new is KNOWN without a look at its signature, so that replays cost nothing. Fails: CRYPTO,
 * MEMORY. */
struct kw_result kw_lane_check(const struct kw_lane_held *held, const struct kw_lane_batch *batch,
                               struct kw_lane_finding *ret_finding, struct kw_error *err);

/* Judges an urgent change: NEWS, KNOWN (this very change is held), OTHER_MESH, STRANGER, FENCED or
 * UNSIGNED. `held->chain_there` is the chain at the change's number. A fenced store has nothing urgent to
 * say: its number is its own word, no lane leads to it, so a fence could not tell what lies within; what
 * does comes with the lane. A fork does not stop what disables:
 * if another change is held under its number, or the lane has forked, it is NEWS; the fork shows in
 * the lane. Fails: CRYPTO, MEMORY. */
struct kw_result kw_urgent_check(const struct kw_lane_held *held, const struct kw_urgent *urgent,
                                 enum kw_lane_verdict *ret_verdict, struct kw_error *err);

#endif
