/* A binary min-heap by due time; each timer knows its place, so moving one costs log n. */
#include "services/gateway/edge/timers.h"

#include <assert.h>
#include <stdlib.h>

#define CAP_FIRST 64

void kw_edge_timers_done(struct kw_edge_timers *timers)
{
    free(timers->heap);
    *timers = (struct kw_edge_timers){0};
}

/* The heap has place for every added timer, and slot 0 is not used. */
static struct kw_result make_room(struct kw_edge_timers *timers, struct kw_error *err)
{
    size_t cap = timers->cap == 0 ? CAP_FIRST : timers->cap * 2;
    struct kw_edge_timer **heap;

    if (timers->added + 1 < timers->cap) {
        return KW_OK;
    }
    heap = realloc(timers->heap, cap * sizeof(struct kw_edge_timer *));
    KW_ENSURE(heap != NULL, err, MEMORY, "%zu timers", cap);
    timers->heap = heap;
    timers->cap = cap;
    return KW_OK;
}

struct kw_result kw_edge_timers_add(struct kw_edge_timers *timers, struct kw_edge_timer *timer,
                                    void (*fire)(struct kw_edge_timer *timer), struct kw_error *err)
{
    KW_TRY(make_room(timers, err));
    *timer = (struct kw_edge_timer){.fire = fire};
    timers->added++;
    return KW_OK;
}

void kw_edge_timers_remove(struct kw_edge_timers *timers, struct kw_edge_timer *timer)
{
    if (timer->fire == NULL) {
        return;
    }
    kw_edge_timers_stop(timers, timer);
    timer->fire = NULL;
    timers->added--;
}

static void put(struct kw_edge_timers *timers, size_t place, struct kw_edge_timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

/* Finds the place of `timer`, which belongs at `place` or nearer to the root. */
static void sift_up(struct kw_edge_timers *timers, size_t place, struct kw_edge_timer *timer)
{
    while (place > 1 && timers->heap[place / 2]->due_ns > timer->due_ns) {
        put(timers, place, timers->heap[place / 2]);
        place /= 2;
    }
    put(timers, place, timer);
}

/* The same, away from the root. */
static void sift_down(struct kw_edge_timers *timers, size_t place, struct kw_edge_timer *timer)
{
    for (;;) {
        size_t child = place * 2;

        if (child < timers->count &&
            timers->heap[child + 1]->due_ns < timers->heap[child]->due_ns) {
            child++;
        }
        if (child > timers->count || timers->heap[child]->due_ns >= timer->due_ns) {
            break;
        }
        put(timers, place, timers->heap[child]);
        place = child;
    }
    put(timers, place, timer);
}

void kw_edge_timers_set(struct kw_edge_timers *timers, struct kw_edge_timer *timer, uint64_t due_ns)
{
    assert(timer->fire != NULL);
    kw_edge_timers_stop(timers, timer);
    timer->due_ns = due_ns;
    sift_up(timers, ++timers->count, timer);
}

void kw_edge_timers_stop(struct kw_edge_timers *timers, struct kw_edge_timer *timer)
{
    size_t place = timer->place;
    struct kw_edge_timer *last;

    if (place == 0) {
        return;
    }
    last = timers->heap[timers->count--];
    timer->place = 0;
    if (last == timer) {
        return;
    }
    sift_down(timers, place, last);
    sift_up(timers, last->place, last);
}

uint64_t kw_edge_timers_next(const struct kw_edge_timers *timers)
{
    return timers->count == 0 ? UINT64_MAX : timers->heap[1]->due_ns;
}

void kw_edge_timers_run(struct kw_edge_timers *timers, uint64_t now_ns)
{
    for (size_t left = timers->count; left > 0 && kw_edge_timers_next(timers) <= now_ns; left--) {
        struct kw_edge_timer *timer = timers->heap[1];

        kw_edge_timers_stop(timers, timer);
        timer->fire(timer);
    }
}
