/* Holding back: what of a record may be applied now, when another cell's clock is ahead. */
#ifndef KW_COMMON_SYNC_RECORD_HOLD_H
#define KW_COMMON_SYNC_RECORD_HOLD_H

#include "common/sync/record.h"

/* Takes a record apart: last-writer-wins values with a stamp too far ahead of `wall_ms` go to
 * `ret_held`, everything else, which needs no clock, to `ret_now`. Merged together again they are
 * the record. Both borrow. True: something is held. */
bool kw_record_hold(const struct kw_record *record, uint64_t wall_ms, struct kw_record *ret_now,
                    struct kw_record *ret_held);

#endif
