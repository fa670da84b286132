/* Timers of the edge: thousands of deadlines behind one clock.
 *
 * A uv timer must be closed asynchronously before its memory may go, and calls come and go too fast
 * for that. So the edge keeps its deadlines in a heap of its own, and one uv timer waits for the
 * first of them.
 */
#ifndef KW_SERVICES_GATEWAY_EDGE_TIMERS_H
#define KW_SERVICES_GATEWAY_EDGE_TIMERS_H

#include "common/base/result.h"

#include <stdint.h>

/* Embedded in what it wakes. */
struct kw_edge_timer {
    void (*fire)(struct kw_edge_timer *timer); /* NULL: not added */
    uint64_t due_ns;
    size_t place; /* in the heap, from 1; 0: not set */
};

/* Zero-initialise; release with kw_edge_timers_done. */
struct kw_edge_timers {
    struct kw_edge_timer **heap; /* heap[1] is due first */
    size_t count;                /* timers that are set */
    size_t added;                /* timers that may be set: there is room for all of them */
    size_t cap;
};

void kw_edge_timers_done(struct kw_edge_timers *timers);

/* Prepares a timer, so that setting it can't fail. Fails: MEMORY. */
struct kw_result kw_edge_timers_add(struct kw_edge_timers *timers, struct kw_edge_timer *timer,
                                    void (*fire)(struct kw_edge_timer *timer),
                                    struct kw_error *err);

/* Stops and forgets the timer; its memory may go. Accepts one that was never added (zeroed). */
void kw_edge_timers_remove(struct kw_edge_timers *timers, struct kw_edge_timer *timer);

/* Sets an added timer, or moves it if it is set. */
void kw_edge_timers_set(struct kw_edge_timers *timers, struct kw_edge_timer *timer,
                        uint64_t due_ns);

/* Unsets it; nothing happens if it is not set. */
void kw_edge_timers_stop(struct kw_edge_timers *timers, struct kw_edge_timer *timer);

/* When the first is due; UINT64_MAX: none is set. */
uint64_t kw_edge_timers_next(const struct kw_edge_timers *timers);

/* Unsets and fires what is due, earliest first; at most as many as were set when it began, so that
 * a timer which sets itself for now can't hold the loop. `fire` may add, set, stop and remove any
 * timer. */
void kw_edge_timers_run(struct kw_edge_timers *timers, uint64_t now_ns);

#endif
