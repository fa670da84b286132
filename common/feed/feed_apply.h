/* The feed, as others' changes come in: judged, merged, and logged to be relayed.
 *
 * Nothing of a lane that was taken is ever lost. What can't be applied now is kept beside the rows
 * and applied when it can be: a last-writer-wins value whose clock is ahead of ours (held), a change
 * that this release can't read (in quarantine). Neither stops its lane.
 */
#ifndef KW_COMMON_FEED_FEED_APPLY_H
#define KW_COMMON_FEED_FEED_APPLY_H

#include "common/feed/feed.h"
#include "common/feed/lane_check.h"

/* Judges a batch and applies what is new in it. `wall_ms` decides which last-writer-wins values wait
 * for their time (record_hold.h). A FORK stops the lane and keeps the other head. Whatever the
 * verdict is, the job should succeed, so that what was found is kept.
 *
 * More of our own lane than we have, be it a change, a gap or a promise, means that we are a copy of
 * an earlier life: what comes of it is taken back, and our next change begins a new incarnation. A
 * rival of our own lane means that another store runs under our id: kw_feed_write refuses.
 *
 * Write job. Fails: as the store, MEMORY, CRYPTO, INTERNAL; then nothing of the batch is applied. */
struct kw_result kw_feed_apply(struct kw_feed *feed, struct kw_tx *tx,
                               const struct kw_lane_batch *batch, uint64_t wall_ms,
                               struct kw_lane_finding *ret_finding, struct kw_error *err);

/* The same for a change ahead of its lane, whose point stays. NEWS only the first time: afterwards it
 * says nothing that is not here. */
struct kw_result kw_feed_apply_urgent(struct kw_feed *feed, struct kw_tx *tx,
                                      const struct kw_urgent *urgent, uint64_t wall_ms,
                                      enum kw_lane_verdict *ret_verdict, struct kw_error *err);

/* Applies held values whose time has come, and what is in quarantine if it can be read by now
 * (after an upgrade; tried once in each life); says what went ahead of a lane that has not come since. At most KW_FEED_RELEASE_MAX rows are looked at.
 * `ret_released`: how many were applied, at least in part. `ret_more`: it is worth calling again at
 * once. Write job. Fails: as the store, MEMORY, CRYPTO, INTERNAL. */
struct kw_result kw_feed_release(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                 size_t *ret_released, bool *ret_more, struct kw_error *err);

/* How many changes are held, and in quarantine: KW_FEED_WAITS_MAX if there are more. Read or write job. Fails:
 * as the store. */
struct kw_result kw_feed_waits(struct kw_tx *tx, uint64_t *ret_held, uint64_t *ret_quarantined,
                               struct kw_error *err);

#endif
