/* Second copies: how far other members hold our lane durably, and who waits until they do.
 *
 *     level     durable                                    asked of
 *     CELL      here and in another cell                   every change
 *     REGION    and, of those, one in another region       what must outlive a region
 *
 * A level asks for no more than there is: where no other member is, or none in another region, nobody
 * waits for one. What counts is who is a member, never who can be reached: a cell that is cut off
 * waits, and is told that it was in vain.
 *
 * Memory only: what others hold is in table feed_acks, too, but a wait does not outlive its call.
 *
 * Pure, one thread.
 */
#ifndef KW_COMMON_FEED_COPIES_H
#define KW_COMMON_FEED_COPIES_H

#include "common/base/id.h"
#include "common/base/limits.h"

#include <stdbool.h>
#include <stddef.h>

enum kw_copy_level {
    KW_COPY_CELL = 1,
    KW_COPY_REGION,
    KW_COPY_LEVEL_END_,
};

/* Another store that is a member and not fenced. Plain data. */
struct kw_copy_holder {
    struct kw_id store;
    bool far; /* in another region */
    struct kw_id lane;
    uint64_t seq; /* of that lane of ours */
};

/* Somebody who waits: part of what the caller owns, which must stay until `done`. */
struct kw_copy_wait {
    struct kw_copy_wait *next; /* set here */
    struct kw_copy_wait **link;
    struct kw_id lane; /* ours */
    uint64_t seq;
    enum kw_copy_level level;
    uint64_t deadline_ns; /* by the caller's clock */
    /* Once, never before kw_copies_wait has returned. `reached` false: the time is over. */
    void (*done)(struct kw_copy_wait *wait, bool reached);
};

/* Zero-initialise. Until the members are known, nothing counts as held. */
struct kw_copies {
    bool known;
    struct kw_copy_holder holders[KW_COPY_HOLDERS_MAX];
    size_t count;
    struct kw_copy_wait *waits;
};

/* These are the members now; what is known of those who stay is kept, in the place of what the list says. Of more than
 * KW_COPY_HOLDERS_MAX the first are taken. Wakes who has nobody left to wait for. */
void kw_copies_members(struct kw_copies *copies, const struct kw_copy_holder *members,
                       size_t count);

/* A store holds our lane so far, durably. Nothing, if it is no member. Wakes who waited for it. */
void kw_copies_held(struct kw_copies *copies, struct kw_id store, struct kw_id lane, uint64_t seq);

/* Is number `seq` of our lane held as the level asks? */
bool kw_copies_reached(const struct kw_copies *copies, struct kw_id lane, uint64_t seq,
                       enum kw_copy_level level);

/* Begins to wait; if it is reached (ask first), `done` comes with the next event or tick. */
void kw_copies_wait(struct kw_copies *copies, struct kw_copy_wait *wait);

/* Gives it up: `done` does not come any more. */
void kw_copies_forget(struct kw_copy_wait *wait);

/* Time has passed. Returns whether anybody still waits. */
bool kw_copies_tick(struct kw_copies *copies, uint64_t now_ns);

/* Everybody is told that it was in vain: nothing more will be heard. */
void kw_copies_end(struct kw_copies *copies);

#endif
