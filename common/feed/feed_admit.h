/* How stores become members: by vouchers (voucher.h), judged by each owner for itself. What was
 * admitted here travels in our lane, voucher and all, to whoever is not linked with that store. */
#ifndef KW_COMMON_FEED_FEED_ADMIT_H
#define KW_COMMON_FEED_FEED_ADMIT_H

#include "common/feed/feed.h"

/* Judges a voucher (KWV1) that was handed to us, and writes what it says into the row of its store,
 * also while we join.
 *
 *     NEWS, KNOWN    it is a member; it was, by this or a later voucher, and nothing was written
 *     BROKEN         it can't be read
 *     OTHER_MESH, STRANGER, UNSIGNED    see kw_voucher_check
 *     FENCED         its store is, and stays it
 *     FORK           it is of our own store, with a life or a key that is not ours: another runs under our
 *                    id, or did, and we are a copy. It is told, and nothing is written
 *     WAITS          its store has had as many keys or lives as a row holds; or there are
 *                    KW_FEED_PLACE_STORES_MAX other stores of its place that are not fenced
 *
 * Write job. Fails: as kw_feed_write, CRYPTO. */
struct kw_result kw_feed_admit(struct kw_feed *feed, struct kw_tx *tx, struct kw_bytes voucher,
                               uint64_t wall_ms, struct kw_arena *arena,
                               enum kw_lane_verdict *ret_verdict, struct kw_error *err);

/* Our own voucher, appended to `out`: made and admitted, or the one in our row, if it is by this certificate, of our
 * present key and our present life, and names all keys and lives of our row, and that this one is settled, if it is.
 * For the start, after a renewal, after a new life began, and when `unvouched` of the feed says so. `*ret_verdict`: of
 * what was made; FENCED where we are. Write job. Fails: as kw_voucher_make, kw_feed_admit; ARGUMENT_INVALID (`vouchers`
 * is NULL). */
struct kw_result kw_feed_vouch(struct kw_feed *feed, struct kw_tx *tx,
                               const struct kw_credentials *credentials, uint64_t wall_ms,
                               struct kw_arena *arena, struct kw_buf *out,
                               enum kw_lane_verdict *ret_verdict, struct kw_error *err);

#endif
