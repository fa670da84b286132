/* Urgent changes: what disables goes to every peer at once, ahead of its lane. Record `KWU1`
 * (docs/formats.md).
 *
 * Merges ask for no order, so it may; the lane's own copy arrives later and changes nothing. Its
 * lane can't vouch for it yet, so it is signed alone, with the point it makes: another change under
 * its number can't be mistaken for it.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_URGENT_H
#define KW_COMMON_FEED_URGENT_H

#include "common/base/limits.h"
#include "common/crypto/sign.h"
#include "common/feed/lane.h"

/* Plain data; everything borrows. */
struct kw_urgent {
    struct kw_lane lane;
    struct kw_lane_point point; /* after it: its number in the lane, never 0, and the chain */
    struct kw_change change;
    struct kw_bytes key; /* as in a lane head */
    struct kw_bytes signature;
    struct kw_bytes record; /* KWU1, as it came and is passed on: of one that was read */
};

/* Signs, over "KEYWARD-URGENT-v1" ‖ all fields before the signature, and appends the record. `key`,
 * `signature` and `record` are not read. Fails: ARGUMENT_INVALID (a change that is not urgent, number 0, a
 * record that is empty or too long, a number above INT64_MAX, another curve), CRYPTO, MEMORY. */
struct kw_result kw_urgent_sign(const struct kw_urgent *urgent, const struct kw_private_key *key,
                                struct kw_buf *out, struct kw_error *err);

/* Reads a record strictly; verifies nothing. Fails: ENCODING_INVALID. */
struct kw_result kw_urgent_decode(struct kw_bytes record, struct kw_urgent *ret_urgent,
                                  struct kw_error *err);

/* Is the signature that of the key in it? As kw_lane_head_verify. Fails: SIGNATURE_INVALID, CRYPTO, MEMORY. */
struct kw_result kw_urgent_verify(const struct kw_urgent *urgent, struct kw_error *err);

#endif
