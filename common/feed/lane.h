/* Lanes: the changes of one writer, numbered 1, 2, 3, … without a hole, each chained to the one
 * before.
 *
 *     point 0          point 1              point 2
 *     start ──change 1──▶ digest ──change 2──▶ digest ── …
 *
 * A number is given in the transaction that makes the change, so a lane's order is the order of its
 * commits, a rolled-back change leaves no hole, and whoever holds numbers 1 … n holds everything.
 * The chain at n says the same as all n changes: two different changes under one number, a fork,
 * can never be continued alike.
 *
 * A store has a lane for each of its writers. Its incarnation is drawn anew whenever the store can't
 * prove that it continues its last life (restored, copied, promoted): numbers that may have been
 * given out before are then never given out again.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_LANE_H
#define KW_COMMON_FEED_LANE_H

#include "common/base/id.h"
#include "common/crypto/digest.h"

/* What a lane is called everywhere. Its id is a digest of the name: no two lanes, of no two meshes,
 * have the same start. */
struct kw_lane {
    struct kw_id mesh;
    struct kw_id store;
    struct kw_id incarnation;
    uint32_t writer; /* 0, 1, …: one lane for each instance that writes */
};

/* How far. `seq` 0 is the start of the lane. */
struct kw_lane_point {
    uint64_t seq;
    uint8_t chain[KW_SHA256_LEN];
};

/* One change. Plain data; `record` borrows. */
struct kw_change {
    uint64_t hlc;           /* when, by its store's hybrid clock; never falls within a lane */
    bool urgent;            /* it disables: it also goes ahead of its lane (urgent.h) */
    struct kw_bytes record; /* KWM1: what is new of one row, or all of it */
};

/* The start of a lane: point 0, whose chain is SHA-256("KEYWARD-LANE-v1" ‖ name). Fails: CRYPTO,
 * MEMORY. */
struct kw_result kw_lane_start(const struct kw_lane *lane, struct kw_lane_point *ret_start,
                               struct kw_error *err);

/* The lane's id: the first 16 bytes of its start's chain. Fails: CRYPTO, MEMORY. */
struct kw_result kw_lane_id(const struct kw_lane *lane, struct kw_id *ret_id, struct kw_error *err);

/* One step: `point` becomes the one after `change`, whose chain is SHA-256("KEYWARD-CHANGE-v1" ‖
 * chain before ‖ seq ‖ hlc ‖ urgent ‖ record). On failure it stays. Fails: CRYPTO, MEMORY. */
struct kw_result kw_lane_advance(struct kw_lane_point *point, const struct kw_change *change,
                                 struct kw_error *err);

bool kw_lane_point_equal(const struct kw_lane_point *a, const struct kw_lane_point *b);

#endif
