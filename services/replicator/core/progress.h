/* Progress: how far one peer has come in one lane, and what is on its way to it.
 *
 *      known ≤ sent ≤ ours
 *        │       │      └ what our owner holds
 *        │       └ handed to the link
 *        └ the peer said that it holds this durably
 *
 * Pure.
 */
#ifndef KW_SERVICES_REPLICATOR_CORE_PROGRESS_H
#define KW_SERVICES_REPLICATOR_CORE_PROGRESS_H

#include "common/base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How far a lane reaches somewhere: changes, and the promise that nothing older follows. */
struct kw_extent {
    uint64_t seq;
    uint64_t closed; /* hybrid clock */
};

/* Zeroed: the peer has nothing and nothing is on its way. */
struct kw_progress {
    struct kw_extent known;
    struct kw_extent sent;
    uint64_t flights[KW_LINK_BATCHES_MAX]; /* last numbers of batches not yet acknowledged */
    size_t flight_count;
    uint64_t flown_ms;  /* when the oldest of them was sent, or the last acknowledgement came */
    size_t beats;       /* heartbeats sent since it last said that it has a promise */
    uint64_t beaten_ms; /* when the first of them was */
    uint64_t behind_ms; /* since when it comes no closer, seen by a backup; 0: it is not behind */
    uint64_t carry_ms;  /* a backup that stepped in goes on until then */
    bool reading;       /* a batch for it is being read */
    bool held_back; /* there was less to be had than there should be: not asked for again at once */
    struct kw_extent asked; /* what our owner held when that was asked */
};

/* The link is new: what was on its way is not, and the peer will say what it holds; that may be less than
 * before, if it was restored. */
void kw_progress_restart(struct kw_progress *progress);

/* The peer holds this much, it says. True: more changes than was known. */
bool kw_progress_known(struct kw_progress *progress, struct kw_extent known, uint64_t now_ms);

/* The peer misses what comes after `seq`: go on from there. */
void kw_progress_need(struct kw_progress *progress, uint64_t seq);

/* A batch up to here was sent. */
void kw_progress_sent(struct kw_progress *progress, struct kw_extent sent, uint64_t now_ms);

/* What was sent was not acknowledged in KW_LINK_RESEND_MS: it starts again from what is known. Who says
 * nothing of heartbeats gets some more all the same, at that pace. */
void kw_progress_resend(struct kw_progress *progress, uint64_t now_ms);

/* May we send now, being number `turn` (place.h)? A backup waits until the peer has been behind for
 * turn × KW_RELAY_WAIT_MS without coming closer, and then carries for KW_RELAY_KEEP_MS. Called
 * whenever time has passed. */
bool kw_progress_due(struct kw_progress *progress, struct kw_extent ours, unsigned turn,
                     uint64_t now_ms);

/* Is there something to send, and room for it on the way? Of batches and of heartbeats there are at most
 * KW_LINK_BATCHES_MAX. A peer that holds more of the lane than we do needs nothing from us. */
bool kw_progress_wants(const struct kw_progress *progress, struct kw_extent ours);

#endif
