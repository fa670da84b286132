/* Second copies: how far other members hold our lane durably, and who waits until they do.
 *
 *     level     held durably, and in force                asked of
 *     CELL      here and in another cell                  every change
 *     REGION    and in every cell of our region           who wants to wait for it
 *     ALL       and in every cell of all others           who wants to wait for it
 *     FAR       here and, of those, one in another        what must outlive a region
 *               region
 *
 * A level asks for no more than there is: where no other member is, or none in another region, nobody
 * waits for one. What counts is who is a member, never who can be reached: a cell that is cut off
 * waits, and is told that it was in vain.
 *
 * Memory only: what others hold is in table feed_acks, too, but a wait does not outlive its call. Of one lane,
 * the one that is waited for: with another everybody is behind until it is heard of.
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
    KW_COPY_LOCAL, /* here: asks for nobody */
    KW_COPY_CELL,
    KW_COPY_REGION,
    KW_COPY_ALL,
    KW_COPY_FAR, /* beside the others, which each ask for more than the one before */
};

/* Another store that is a member and not fenced. Plain data. */
struct kw_copy_holder {
    struct kw_id store;
    bool far;     /* in another region */
    bool leaves;  /* its copy does not count, but it must know as long as it is there */
    uint64_t seq; /* of our lane */
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
    struct kw_id lane; /* ours, of which `seq` of the holders is */
    struct kw_copy_holder holders[KW_COPY_HOLDERS_MAX];
    size_t count;
    struct kw_copy_wait *waits;
};

/* These are the members now; what is known of those who stay is kept, in the place of what the list says. Of more than
 * KW_COPY_HOLDERS_MAX the first are taken. Wakes who has nobody left to wait for. */
void kw_copies_members(struct kw_copies *copies, const struct kw_copy_holder *members,
                       size_t count);

/* This is our lane: acknowledgements of others are passed over. Of another than before nothing is held. */
void kw_copies_lane(struct kw_copies *copies, struct kw_id lane);

/* A store holds a lane so far, durably. Nothing, if it is no member, or the lane is not the one. Wakes who waited for
 * it. */
void kw_copies_held(struct kw_copies *copies, struct kw_id store, struct kw_id lane, uint64_t seq);

/* Is number `seq` of our lane held as the level asks? */
bool kw_copies_reached(const struct kw_copies *copies, struct kw_id lane, uint64_t seq,
                       enum kw_copy_level level);

/* The most that it is held as: LOCAL, CELL, REGION or ALL. */
enum kw_copy_level kw_copies_level(const struct kw_copies *copies, struct kw_id lane, uint64_t seq);

/* Begins to wait; if it is reached (ask first), `done` comes with the next event or tick. */
void kw_copies_wait(struct kw_copies *copies, struct kw_copy_wait *wait);

/* Gives it up: `done` does not come any more. */
void kw_copies_forget(struct kw_copy_wait *wait);

/* Time has passed. Returns whether anybody still waits. */
bool kw_copies_tick(struct kw_copies *copies, uint64_t now_ns);

/* Nobody waits beyond that: what comes next is an end. */
void kw_copies_hurry(struct kw_copies *copies, uint64_t deadline_ns);

/* Everybody is told that it was in vain: nothing more will be heard. */
void kw_copies_end(struct kw_copies *copies);

#endif
