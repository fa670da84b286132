/* Pace: how long a call of this method will wait, from how many are before it and what a place in
 * that queue has cost lately. A call that will not be answered in time is refused at the door: what
 * was done for it inside would be lost, and others would wait for it. Pure: the time comes in. */
#ifndef KW_SERVICES_GATEWAY_PACE_H
#define KW_SERVICES_GATEWAY_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialise. */
struct kw_pace {
    uint32_t in_flight;
    uint64_t place_ns; /* what a place costs, smoothed; 0: nothing is known */
    uint64_t seen_ns;  /* when that was last seen */
};

/* What the wait of a call that comes now is expected to be. 0: nothing is known, because nobody was
 * answered lately; whoever comes then finds out. */
uint64_t kw_pace_wait_ns(const struct kw_pace *pace, uint64_t now_ns);

/* May a call come that waits for `left_ns` at most? With a margin, since places are not alike. */
bool kw_pace_admits(const struct kw_pace *pace, uint64_t left_ns, uint64_t now_ns);

/* A call comes. Returns how many are before it, for kw_pace_leave. */
uint32_t kw_pace_enter(struct kw_pace *pace);

/* It ended `took_ns` later, answered or given up: it was late, or whoever asked went away, as
 * clients do when their time is over. One that was given up would have waited longer still, so it
 * counts when it waited longer than expected already. */
void kw_pace_leave(struct kw_pace *pace, uint32_t ahead, bool answered, uint64_t took_ns,
                   uint64_t now_ns);

#endif
