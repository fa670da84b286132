/* The simulator: a mesh of cells in one process under a virtual clock and network. Merging, feed,
 * replicator and decisions are the product's; time, links, crashes and what clients ask are drawn from
 * one seed, and the same seed is the same run.
 *
 *     load ──ask──▶ cell: store + feed ──lane grew──▶ replicator's mind ──frame──▶ net ──▶ cell …
 *       │             ▲                                                      delay, stall, cut,
 *       └──▶ truth ───┴── compared while it runs and when it is quiet         replay, corruption
 *
 * Two phases: faults, in which nothing that was promised may break; then all faults end, and what was
 * promised must come true in time.
 */
#ifndef KW_TESTS_SIM_SIM_H
#define KW_TESTS_SIM_SIM_H

#include "common/base/bytes.h"
#include "common/base/id.h"

enum {
    SIM_CELLS_MAX = 10,   /* one more than begin */
    SIM_STORES_MAX = 40,  /* of a run: a cell that lost its disk comes back with another */
    SIM_LIVES_MAX = 6,    /* of a store */
    SIM_STALE_MS = 2000,  /* strict uses are refused when a store's promise is older */
    SIM_ORDER_MS = 700,   /* within which an officer's order is heard by who is up */
    SIM_SETTLE_MS = 5000, /* within which everything is everywhere when faults have ended */
    SIM_REJOIN_MS =
        100000, /* at most, where snapshots are needed, one cell by another, or a new life is not settled */
    SIM_SKEW_MS = 200, /* clocks are off by at most this much, in good order */
};

struct sim;

/* Something that happens at a time. Whoever makes it gives `run`; the rest is for its use. */
struct sim_event {
    uint64_t due_ms;
    uint64_t order; /* events of one moment run as they were made */
    void (*run)(struct sim *sim, struct sim_event *event);
    size_t cell;
    size_t other;
    uint64_t life; /* of the cell or link; the event is void when that is over */
    void *what;
    void (*drop)(void *what); /* frees it, when the event is over or never came; may be NULL */
};

/* What was done and what went wrong, counted. */
/* clang-format off */
#define SIM_COUNTS(X)                                                                              \
    X(ops) X(acked) X(refused) X(uses) X(allowed) X(stale)                                         \
    X(frames) X(batches) X(heartbeats) X(urgents) X(urgent_frames)                                 \
    X(stalls) X(partitions) X(oneways) X(crashes) X(pauses) X(jumps)                               \
    X(lost) X(restored) X(fenced) X(added) X(absent)                                               \
    X(snapshots) X(answers) X(said) X(trimmed) X(behind) X(doubtful) X(leaks) X(repaired)                          \
    X(replays) X(corruptions)                                                                      \
    X(cuts) X(gaps) X(known) X(alarms)
/* clang-format on */

struct sim_counts {
#define SIM_COUNT(name) uint64_t name;
    SIM_COUNTS(SIM_COUNT)
#undef SIM_COUNT
};

struct sim_options {
    uint64_t seed;
    uint64_t ops;
    size_t regions;
    size_t letters;
    bool trace; /* every step to stderr */
};

/* How often what goes wrong: parts of a thousand, drawn from the seed. */
struct sim_rates {
    unsigned stall;     /* of frames: lost once, so that all behind it wait for it */
    unsigned replay;    /* of frames: they come again, later */
    unsigned corrupt;   /* of frames: a bit is another */
    unsigned forge;     /* of what a relay carries: it makes something else of it */
    unsigned partition; /* of moments */
    unsigned crash;
    unsigned pause;
    unsigned jump; /* of a clock */
    uint64_t keep; /* changes of a lane that are kept for who lacks them; 0: all */
};

struct sim {
    struct sim_options options;
    struct sim_rates rates;
    struct sim_counts counts;
    uint64_t now_ms; /* true time; cells' clocks are off */
    uint64_t random;
    uint64_t trace_hash; /* of everything that happened: two runs of a seed have the same */
    struct sim_event **heap;
    size_t heap_count;
    size_t heap_size;
    uint64_t order;
    bool faults;        /* the first phase */
    uint64_t joined_ms; /* when a cell joined last */
    struct sim_net *net;
    char dir[32];           /* of all disks */
    struct sim_cell *cells; /* SIM_CELLS_MAX */
    size_t cell_count;
    struct sim_desk *desk;
    struct sim_hostile *hostile;
    struct sim_truth *truth;
};

/* --- world.c --- */

/* A number below `end`; one that is below `permille` of a thousand. */
uint64_t sim_random(struct sim *sim, uint64_t end);
bool sim_chance(struct sim *sim, unsigned permille);

/* Has `run` happen in `after_ms`; the event is freed after it. */
struct sim_event *sim_after(struct sim *sim, uint64_t after_ms,
                            void (*run)(struct sim *sim, struct sim_event *event));

/* Has the event that is running happen once more, at `due_ms`. */
void sim_postpone(struct sim *sim, struct sim_event *event, uint64_t due_ms);

/* Runs events until none is due before `end_ms`. */
void sim_run_until(struct sim *sim, uint64_t end_ms);

void sim_world_done(struct sim *sim);

/* One line of the trace, with the time. */
void sim_note(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A promise was broken: says which, with the seed, and ends the process. */
_Noreturn void sim_violation(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What the simulator itself can't do without. */
#define SIM_MUST(expr)                                                                             \
    do {                                                                                           \
        struct kw_error must_error_ = {0};                                                         \
        struct kw_error *err = &must_error_;                                                       \
        if (!kw_ok(expr)) {                                                                        \
            sim_fatal(#expr, must_error_.message);                                                 \
        }                                                                                          \
    } while (0)

_Noreturn void sim_fatal(const char *what, const char *message);

/* --- sim.c --- */

struct sim_sum;

/* One run: both phases and all checks; what was done is added to `sum` (summary.h). Ends the process when a
 * promise was broken. */
void sim_run(const struct sim_options *options, struct sim_sum *sum, uint64_t *ret_trace_hash);

#endif
