/* The tour's look at another cell of the mesh: how soon what one says is true in the other. */
#ifndef KW_CLI_TOUR_CELLS_H
#define KW_CLI_TOUR_CELLS_H

#include "cli/tour_run.h"

/* Another cell than the one the operator's settings name. Texts are in the tour's arena. */
struct kw_tour_other {
    const char *cell;   /* "r2/a"; NULL: there is none, and nothing else is set */
    const char *config; /* "--config=FILE": the operator's settings for it */
    const char *target; /* "--target=…" and "--peer=…": for who has settings of their own */
    const char *peer;
    const char *keys; /* "--checkpoint-key=…": both regions' */
    bool is_ours;     /* it can be stopped and started from here */
};

/* Looks beside the settings file in KEYWARD_CONFIG, preferring another region, and the cell of the same name there.
 * Fails: CONFIG_INVALID (a file that is not as `up` writes it), SYSTEM, MEMORY. */
struct kw_result kw_tour_other_find(const struct kw_tour *tour, struct kw_tour_other *ret_other,
                                    struct kw_error *err);

/* Runs the step again and again until it ends as it must, prints it, and says after what time since
 * `since_ns` (kw_clock_mono_ns) that was, as "WORDS at most 41 ms later". Fails: as kw_tour_step, when
 * that takes too long. */
struct kw_result kw_tour_until(struct kw_tour *tour, const struct kw_tour_step *step,
                               uint64_t since_ns, const char *words, struct kw_error *err);

#endif
