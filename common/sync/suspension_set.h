/* Suspension sets: which suspensions were ever set, and which of them are lifted.
 *
 * A suspension has an id of its own, and lifting names it. So who lifts the one he knows leaves
 * alone the one that somebody else sets at the same moment elsewhere. A counter (odd: suspended)
 * can't tell the two apart, and loses the second. The lifting may be heard before the suspension. In
 * the literature: a two-phase set of unique ids.
 *
 * A full set (KW_SUSPENSIONS_MAX) may miss one: it is suspended, whatever is lifted.
 */
#ifndef KW_COMMON_SYNC_SUSPENSION_SET_H
#define KW_COMMON_SYNC_SUSPENSION_SET_H

#include "common/base/codec.h"
#include "common/sync/packed.h"

/* The encoding is the set: suspension (16) ‖ marks u8, ascending. Empty: never suspended. */
#define KW_SUSPENSION_ENTRY_LEN (KW_ID_LEN + 1)

enum kw_suspension_mark {
    KW_SUSPENSION_SET = 1,
    KW_SUSPENSION_LIFTED = 2,
};

bool kw_suspensions_valid(struct kw_bytes set);

/* Fails: MEMORY. */
struct kw_result kw_suspensions_join(struct kw_bytes a, struct kw_bytes b, struct kw_arena *arena,
                                     struct kw_bytes *ret_set, struct kw_error *err);

/* Is one set that is not lifted, or is the set full? */
bool kw_suspensions_in_force(struct kw_bytes set);

/* Was this one ever set, or lifted? */
bool kw_suspensions_has(struct kw_bytes set, struct kw_id suspension);

/* Appends, for each suspension of `set` that is in force, that it is lifted: what a reinstatement says that
 * saw this set. */
void kw_put_lifted(struct kw_writer *w, struct kw_bytes set);

/* Appends the suspensions of `set` that are in force, and what is lifted not. */
void kw_put_in_force(struct kw_writer *w, struct kw_bytes set);

/* Appends an entry with `marks` of enum kw_suspension_mark; the caller appends them in the order of
 * their ids. */
void kw_put_suspension(struct kw_writer *w, struct kw_id suspension, unsigned marks);

#endif
