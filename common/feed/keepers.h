/* Keepers: which two other cells keep a copy of a cell's log. The same everywhere, for all who know the same members:
 *
 *     near   the next cell by name in its region, after the last the first
 *     far    the cell of the same name in the next region by name that has one, after the last the first
 *
 * Both are linked with the cell (same region, or same name), so no third one carries the log. Where there is no such cell
 * there is no such copy.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_KEEPERS_H
#define KW_COMMON_FEED_KEEPERS_H

#include "common/base/bytes.h"

enum kw_keeper {
    KW_KEEPER_NEAR = 1,
    KW_KEEPER_FAR,
    KW_KEEPER_END_,
};

/* "near". Never NULL. */
const char *kw_keeper_name(enum kw_keeper keeper);

/* Borrows. */
struct kw_keeper_place {
    struct kw_bytes region;
    struct kw_bytes cell;
};

/* Who of `places`, in any order, keeps the log of `origin`, which need not be among them; NULL: nobody does. */
const struct kw_keeper_place *kw_keeper_of(const struct kw_keeper_place *places, size_t count,
                                           const struct kw_keeper_place *origin,
                                           enum kw_keeper keeper);

bool kw_keeper_place_equal(const struct kw_keeper_place *a, const struct kw_keeper_place *b);

#endif
