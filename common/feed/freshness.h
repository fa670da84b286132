/* Freshness: how old is what we know of the other regions?
 *
 * Every store promises, time and again, that no change older than so will follow (lane_head.h). What was
 * revoked elsewhere before the oldest of these promises is known here; what was revoked since may
 * not be. So whoever must not act on what was revoked asks how old that is, and refuses when it is too old.
 *
 * Only stores of other regions count: a region is to go on without any of its cells, and acknowledges
 * nothing that only one of them has, unless it says so. Of them those that may revoke: one that drains, too, but not one
 * that joins or is fenced. One whose state or place is not understood counts, and one of which no lane is
 * known has promised nothing. Lanes of an earlier life have ended; as long as it is open what
 * was said in them (feed_settle.h), the present life promises nothing, either. Nor do we know what we said ourselves as
 * long as an earlier life of our own is open: then nothing is known at all.
 *
 * Pure.
 */
#ifndef KW_COMMON_FEED_FRESHNESS_H
#define KW_COMMON_FEED_FRESHNESS_H

#include "common/base/id.h"

/* Plain data; the bytes are borrowed. */
struct kw_freshness_store {
    struct kw_id id;
    struct kw_bytes region; /* empty: not known */
    struct kw_bytes lives;  /* as in its row: all of them, and those before which nothing is open */
    struct kw_bytes settled;
    uint64_t state; /* enum kw_store_state, as it is in the row; 0: nothing is said */
    struct kw_id
        life; /* its present incarnation; none: not known, and that of its newest promise is taken */
};

struct kw_freshness_lane {
    struct kw_id store;
    struct kw_id incarnation;
    uint64_t closed;   /* hybrid clock of its store */
    uint64_t heard_ms; /* our clock, when that was heard */
};

struct kw_freshness_mesh {
    struct kw_bytes region; /* ours; empty: not known, and all count but our own store */
    struct kw_id store;     /* ours */
    const struct kw_freshness_store *stores;
    size_t store_count;
    const struct kw_freshness_lane *lanes;
    size_t lane_count;
};

#define KW_FRESHNESS_NEVER UINT64_MAX

struct kw_freshness {
    uint64_t
        age_ms; /* of the oldest promise; 0: nobody's is waited for; NEVER: one promised nothing */
    struct kw_id store; /* whose; none: nobody's */
};

/* A clock that is ahead of ours counts as ours: it promises nothing that is to come, now or later, so a promise is as old as
 * when it came here, if not older. Such a clock hides how long its promise was on its way, by no more than it is ahead. */
struct kw_freshness kw_freshness(const struct kw_freshness_mesh *mesh, uint64_t now_ms);

#endif
