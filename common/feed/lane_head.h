/* Lane heads: how far a lane reaches, signed by the owner of its store. Record `KWL1`
 * (docs/formats.md).
 *
 * Since the chain says the same as all changes before it, one signature covers the lane up to
 * there, whoever carries it: relays cut and pass on as they like and can forge nothing.
 *
 * A head is a heartbeat too. `closed` promises that no change older than it will follow in this
 * lane, so a receiver that holds everything up to `seq` knows this store's state as of `closed`. That is
 * by the store's own clock, which may be ahead: whoever decides by it takes the earlier of it and now.
 * A relay that keeps changes back, but passes heads on, is found out by the gap; one that
 * keeps back both lets `closed` stand still.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_LANE_HEAD_H
#define KW_COMMON_FEED_LANE_HEAD_H

#include "common/crypto/sign.h"
#include "common/feed/lane.h"

/* Plain data; `key` and `signature` borrow. */
struct kw_lane_head {
    struct kw_lane lane;
    struct kw_lane_point point;
    uint64_t closed;           /* hybrid clock */
    struct kw_bytes key;       /* SubjectPublicKeyInfo of who signs, P-256 */
    struct kw_bytes signature; /* DER */
};

/* Signs, over "KEYWARD-LANE-HEAD-v1" ‖ all fields before the signature, and appends the record.
 * `head->key` and `head->signature` are not read. Fails: ARGUMENT_INVALID (a key on another curve, a
 * number above INT64_MAX, which no database holds), CRYPTO, MEMORY. */
struct kw_result kw_lane_head_sign(const struct kw_lane_head *head,
                                   const struct kw_private_key *key, struct kw_buf *out,
                                   struct kw_error *err);

/* Reads a record strictly; verifies nothing. `ret_head` borrows from `record`. Fails:
 * ENCODING_INVALID. */
struct kw_result kw_lane_head_decode(struct kw_bytes record, struct kw_lane_head *ret_head,
                                     struct kw_error *err);

/* Is the signature that of the key in the head? Whose key that is, is another question
 * (lane_check.h). Fails: SIGNATURE_INVALID (also a key that is none, or on another curve), CRYPTO,
 * MEMORY. */
struct kw_result kw_lane_head_verify(const struct kw_lane_head *head, struct kw_error *err);

#endif
