/* Limits of the hybrid clock: how far others may move ours.
 *
 * A hybrid clock believes the highest stamp it hears. Unbounded, one cell with a wrong clock would
 * drag all others ahead with it, for good. So a stamp too far ahead of our own wall clock is not
 * adopted: what it stamps is held back, with an alarm, until our clock is near. It is never dropped,
 * since its cell was told that we have it. Only last-writer-wins values wait; everything that merges
 * without a clock, revocations above all, is applied at once (record_hold.h).
 */
#ifndef KW_COMMON_SYNC_STAMP_LIMITS_H
#define KW_COMMON_SYNC_STAMP_LIMITS_H

#include "common/sync/stamp.h"

/* The wall time in a stamp. */
uint64_t kw_stamp_ms(const struct kw_stamp *stamp);

/* Is the stamp more than KW_STAMP_AHEAD_MS_MAX ahead of our wall clock? */
bool kw_stamp_ahead(const struct kw_stamp *stamp, uint64_t wall_ms);

/* Takes note of another store's stamp, so that our next one is later. False: it is too far ahead,
 * and the clock is as before. */
bool kw_stamp_receive(struct kw_stamp_clock *clock, const struct kw_stamp *stamp, uint64_t wall_ms);

#endif
