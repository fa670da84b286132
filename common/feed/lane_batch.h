/* Batches: a run of one lane's changes that ends at a signed head. Record `KWN1`
 * (docs/formats.md). Without changes it is a heartbeat.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_LANE_BATCH_H
#define KW_COMMON_FEED_LANE_BATCH_H

#include "common/base/arena.h"
#include "common/base/limits.h"
#include "common/feed/lane_head.h"

/* Plain data; everything borrows. The numbers of the changes are head.point.seq - count + 1 …
 * head.point.seq, and `from` is the point before the first. */
struct kw_lane_batch {
    struct kw_lane_point from;
    struct kw_lane_head head;
    struct kw_bytes head_record; /* KWL1, as it is passed on and kept */
    const struct kw_change *changes;
    size_t count; /* 0 … KW_BATCH_CHANGES_MAX */
};

/* Appends the record, from `from`, `head_record` and the changes; `head` is not read. Fails:
 * ARGUMENT_INVALID (what a reader would refuse: see kw_lane_batch_decode), MEMORY. */
struct kw_result kw_lane_batch_encode(const struct kw_lane_batch *batch, struct kw_buf *out,
                                      struct kw_error *err);

/* Reads a record strictly, head included; verifies nothing. `ret_batch` borrows from `record` and
 * from the arena. Fails: ENCODING_INVALID (also: longer than KW_BATCH_LEN_MAX, more than
 * KW_BATCH_CHANGES_MAX, a change without a record or above KW_CHANGE_LEN_MAX, an hlc that falls, one
 * later than `closed`, numbers or points that do not meet), MEMORY. */
struct kw_result kw_lane_batch_decode(struct kw_bytes record, struct kw_arena *arena,
                                      struct kw_lane_batch *ret_batch, struct kw_error *err);

#endif
