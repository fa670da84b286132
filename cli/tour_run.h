/* The tour's stage: commands run as children, their output taken and printed, a mesh if one is
 * needed. */
#ifndef KW_CLI_TOUR_RUN_H
#define KW_CLI_TOUR_RUN_H

#include "cli/command.h"
#include "common/base/arena.h"

#include <limits.h>
#include <sys/types.h>

#define KW_TOUR_WORDS_MAX 24

/* One line of the story. */
struct kw_tour_step {
    const char *program;                  /* NULL: keyward itself */
    const char *words[KW_TOUR_WORDS_MAX]; /* its arguments; ends with NULL */
    const char *as;     /* whose settings, the directory of cli.yaml; NULL: the operator's, from the
                           environment */
    int expected;       /* exit code */
    const char *naming; /* the output must contain this; NULL: anything */
    const char *show; /* lines to print: those that begin with one of these words, joined by commas;
                         NULL: all of them; "": none */
    const char *remark; /* printed behind it; NULL: nothing */
};

/* Zero-initialise; release with kw_tour_end. */
struct kw_tour {
    struct kw_arena *arena;
    char keyward[PATH_MAX]; /* this program */
    char dir[PATH_MAX];     /* where the story's files lie, and commands run; empty: none yet */
    bool dir_made;          /* by us */
    pid_t mesh;             /* our own; 0: another's */
    int mesh_out;           /* what it prints */
    bool mesh_ready;        /* it said so: a signal to it alone stops all of it */
    uint64_t start_ns;
    unsigned commands; /* printed */
    unsigned refusals; /* among them */
    char *output;      /* of the last command, with a NUL; in the arena */
};

/* From now on SIGINT and SIGTERM only note that they came: the command that runs still ends, and
 * then the tour fails with CANCELLED. A second one ends the process. Fails: SYSTEM. */
struct kw_result kw_tour_signals_catch(struct kw_error *err);
bool kw_tour_interrupted(void);

/* Makes the directory and starts a mesh unless KEYWARD_CONFIG names one, and says where things are.
 * Fails: CONFIG_INVALID, SYSTEM, MEMORY. */
struct kw_result kw_tour_begin(struct kw_tour *tour, const char *dir, struct kw_error *err);

/* Prints a heading, runs the step and prints command and output. Fails: STATE_CONFLICT (it ended
 * otherwise than it must), SYSTEM, MEMORY. */
struct kw_result kw_tour_step(struct kw_tour *tour, const struct kw_tour_step *step,
                              struct kw_error *err);

/* Runs it and says whether it ended as it must. Fails: SYSTEM, MEMORY, CANCELLED. */
struct kw_result kw_tour_try(struct kw_tour *tour, const struct kw_tour_step *step, bool *ret_good,
                             struct kw_error *err);

/* The two halves: to run something until it is as wanted, and only then show it. */
struct kw_result kw_tour_run(struct kw_tour *tour, const struct kw_tour_step *step,
                             struct kw_error *err);
void kw_tour_print(struct kw_tour *tour, const struct kw_tour_step *step);

/* The word behind `name` at the beginning of a line of the last output, in the arena.
 * Fails: STATE_CONFLICT (no such line), MEMORY. */
struct kw_result kw_tour_value(const struct kw_tour *tour, const char *name, const char **ret_value,
                               struct kw_error *err);

/* The first word of the last output that begins with `prefix`. Fails: likewise. */
struct kw_result kw_tour_word(const struct kw_tour *tour, const char *prefix, const char **ret_word,
                              struct kw_error *err);

/* Would a step find this program? */
bool kw_tour_program_there(const char *program);

uint64_t kw_tour_elapsed_ms(const struct kw_tour *tour);

/* Stops our mesh, if there is one. A directory that we made for it is removed when the tour was
 * `good` or was interrupted: `dir` is then empty. Fails: SYSTEM (it did not end well). */
struct kw_result kw_tour_end(struct kw_tour *tour, bool good, struct kw_error *err);

#endif
