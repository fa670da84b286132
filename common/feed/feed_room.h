/* Is there room in the mesh for what a voucher says? Internal. */
#ifndef KW_COMMON_FEED_FEED_ROOM_H
#define KW_COMMON_FEED_FEED_ROOM_H

#include "common/feed/feed.h"

/* `change`: what a voucher says of its store. In the `row` of that, for its keys and lives; where that has no
 * voucher yet, or there is none (NULL), for one more store at its place that is not fenced. Fails: as the store,
 * MEMORY, INTERNAL (what is stored is damaged). */
struct kw_result kw_feed_has_room(struct kw_tx *tx, const struct kw_record *change,
                                  const struct kw_record *row, bool *ret_has, struct kw_error *err);

#endif
