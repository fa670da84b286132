/* One run: found the mesh, let faults and clients loose, end the faults, and look. */
#include "tests/sim/sim.h"

#include "tests/sim/cell.h"
#include "tests/sim/chance.h"
#include "tests/sim/desk.h"
#include "tests/sim/faults.h"
#include "tests/sim/hostile.h"
#include "tests/sim/load.h"
#include "tests/sim/net.h"
#include "tests/sim/summary.h"
#include "tests/sim/truth.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    START_MS = 3000,
    ASKS_PER_S = 1000,
    KEEP_LEAST = 150, /* changes of a lane */
    KEEP_MOST = 300,
};

static void ask(struct sim *sim, struct sim_event *event)
{
    sim_load_one(sim);
    if (sim->counts.acked < sim->options.ops) {
        sim_after(sim, sim_random(sim, 2 * 1000 / ASKS_PER_S + 1), ask);
    } else {
        sim->faults = false;
    }
    (void)event;
}

/* Does a cell join, or lack what its peers have no more? */
static bool needs_snapshot(const struct sim *sim)
{
    for (size_t i = 0; i < sim->cell_count; i++) {
        if (sim->cells[i].joining || sim->cells[i].missed_count > 0) {
            return true;
        }
    }
    return false;
}

/* Who began a new life counts when all have said how far they hold its last one; they are asked ever more seldom. */
static bool needs_word(struct sim *sim)
{
    for (size_t i = 0; i < sim->cell_count; i++) {
        size_t oldest = sim_desk_find(sim, sim_cell_freshness(sim, i).store);

        if (!sim_truth_is_fresh(sim, i) && sim->desk->members[oldest].life_count > 1) {
            return true;
        }
    }
    return false;
}

/* To see whether they still lack it. */
static void forget_missed(struct sim *sim)
{
    for (size_t i = 0; i < sim->cell_count; i++) {
        sim->cells[i].missed_count = 0;
    }
}

/* True: there was something to wait for. Who joined since the faults ended has to hear what was said meanwhile, and may be
 * the only way to others. */
static bool await_joins(struct sim *sim, uint64_t ended_ms)
{
    bool waited = sim->joined_ms > ended_ms;

    for (int i = 0; i < SIM_REJOIN_MS / SIM_SETTLE_MS && (needs_snapshot(sim) || needs_word(sim));
         i++) {
        forget_missed(sim);
        sim_run_until(sim, sim->now_ms + SIM_SETTLE_MS);
        waited = true;
    }
    return waited;
}

static void run_phases(struct sim *sim)
{
    uint64_t ended_ms;

    sim->rates.keep =
        sim_chance(sim, 500) ? KEEP_LEAST + sim_random(sim, KEEP_MOST - KEEP_LEAST) : 0;
    sim_cells_init(sim);
    sim_net_init(sim);
    sim_run_until(sim, sim->now_ms + START_MS);
    sim_faults_begin(sim);
    sim_after(sim, 0, ask);
    while (sim->faults) {
        sim_run_until(sim, sim->now_ms + 100);
    }
    sim_faults_end(sim);
    ended_ms = sim->now_ms;
    sim_run_until(sim, ended_ms + SIM_SETTLE_MS);
    if (await_joins(sim, ended_ms)) {
        sim_run_until(sim, sim->now_ms + SIM_SETTLE_MS);
    }
    sim_truth_at_the_end(sim);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

static void init(struct sim *sim)
{
    static const char pattern[] = "/dev/shm/kw-sim-XXXXXX";

    memcpy(sim->dir, pattern, sizeof(pattern));
    sim->truth = calloc(1, sizeof(*sim->truth));
    sim->desk = calloc(1, sizeof(*sim->desk));
    sim->hostile = calloc(1, sizeof(*sim->hostile));
    if (sim->truth == NULL || sim->desk == NULL || sim->hostile == NULL ||
        mkdtemp(sim->dir) == NULL) {
        sim_fatal("mkdtemp", sim->dir);
    }
    /* A promise may be as old as the rule allows, by clocks that are off; it is signed every heartbeat. */
    sim->truth->window_ms = SIM_STALE_MS + 2 * SIM_SKEW_MS + 2;
}

static void done(struct sim *sim)
{
    sim_cells_done(sim);
    sim_net_done(sim);
    sim_world_done(sim);
    (void)nftw(sim->dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
    free(sim->truth);
    free(sim->desk);
    free(sim->hostile);
}

void sim_run(const struct sim_options *options, struct sim_sum *sum, uint64_t *ret_trace_hash)
{
    struct sim sim = {.options = *options,
                      .random = options->seed,
                      .now_ms = 1700000000000,
                      .trace_hash = 0xcbf29ce484222325U};

    init(&sim);
    sim_chance_of(&sim);
    run_phases(&sim);
    sim_chance_of(NULL);
    sim_summary_add(sum, &sim);
    *ret_trace_hash = sim.trace_hash;
    done(&sim);
}
