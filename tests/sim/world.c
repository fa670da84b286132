/* The virtual world: chance, time, what happens next, and the trace of it. */
#include "tests/sim/sim.h"

#include "tests/support/dice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t sim_random(struct sim *sim, uint64_t end)
{
    return end == 0 ? 0 : dice_roll(&sim->random) % end;
}

bool sim_chance(struct sim *sim, unsigned permille)
{
    return sim_random(sim, 1000) < permille;
}

/* --- events --- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void swap(struct sim_event **a, struct sim_event **b)
{
    struct sim_event *kept = *a;

    *a = *b;
    *b = kept;
}

static void push(struct sim *sim, struct sim_event *event)
{
    size_t i = sim->heap_count;

    if (sim->heap_count == sim->heap_size) {
        sim->heap_size = sim->heap_size == 0 ? 1024 : 2 * sim->heap_size;
        sim->heap = realloc(sim->heap, sim->heap_size * sizeof(*sim->heap));
        if (sim->heap == NULL) {
            sim_fatal("memory", "events");
        }
    }
    sim->heap[sim->heap_count++] = event;
    while (i > 0 && before(sim->heap[i], sim->heap[(i - 1) / 2])) {
        swap(&sim->heap[i], &sim->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static struct sim_event *pop(struct sim *sim)
{
    struct sim_event *first = sim->heap[0];
    size_t i = 0;

    sim->heap[0] = sim->heap[--sim->heap_count];
    for (;;) {
        size_t least = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < sim->heap_count; child++) {
            if (before(sim->heap[child], sim->heap[least])) {
                least = child;
            }
        }
        if (least == i) {
            return first;
        }
        swap(&sim->heap[i], &sim->heap[least]);
        i = least;
    }
}

static void event_free(struct sim_event *event)
{
    if (event->drop != NULL) {
        event->drop(event->what);
    }
    free(event);
}

struct sim_event *sim_after(struct sim *sim, uint64_t after_ms,
                            void (*run)(struct sim *sim, struct sim_event *event))
{
    struct sim_event *event = calloc(1, sizeof(*event));

    if (event == NULL) {
        sim_fatal("memory", "an event");
    }
    event->due_ms = sim->now_ms + after_ms;
    event->order = sim->order++;
    event->run = run;
    push(sim, event);
    return event;
}

void sim_postpone(struct sim *sim, struct sim_event *event, uint64_t due_ms)
{
    struct sim_event *again = sim_after(sim, due_ms - sim->now_ms, event->run);

    again->cell = event->cell;
    again->other = event->other;
    again->life = event->life;
    again->what = event->what;
    again->drop = event->drop;
    event->drop = NULL;
}

void sim_run_until(struct sim *sim, uint64_t end_ms)
{
    while (sim->heap_count > 0 && sim->heap[0]->due_ms < end_ms) {
        struct sim_event *event = pop(sim);

        sim->now_ms = event->due_ms;
        event->run(sim, event);
        event_free(event);
    }
    sim->now_ms = end_ms;
}

void sim_world_done(struct sim *sim)
{
    while (sim->heap_count > 0) {
        event_free(pop(sim));
    }
    free(sim->heap);
}

/* --- the trace --- */

static void hash(struct sim *sim, const char *text)
{
    for (; *text != '\0'; text++) {
        sim->trace_hash = (sim->trace_hash ^ (uint8_t)*text) * 0x100000001b3U;
    }
}

void sim_note(struct sim *sim, const char *format, ...)
{
    char line[512];
    int used = snprintf(line, sizeof(line), "%llu ", (unsigned long long)sim->now_ms);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line + used, sizeof(line) - (size_t)used, format, args);
    va_end(args);
    hash(sim, line);
    if (sim->options.trace) {
        fprintf(stderr, "%s\n", line);
    }
}

_Noreturn void sim_violation(struct sim *sim, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "sim: seed %llu, %llu ms: VIOLATION: ", (unsigned long long)sim->options.seed,
            (unsigned long long)sim->now_ms);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(1);
}

_Noreturn void sim_fatal(const char *what, const char *message)
{
    fprintf(stderr, "sim: %s: %s\n", what, message);
    exit(2);
}
