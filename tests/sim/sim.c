/* One run: found the mesh, let faults and clients loose, end the faults, and look. */
#include "tests/sim/sim.h"

#include "tests/sim/chance.h"
#include "tests/sim/load.h"
#include "tests/sim/net.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    START_MS = 3000,
    ASKS_PER_S = 1000,
    MOMENT_MS = 50, /* how often something may go wrong */
    DARK_MS = 3000,
    PAUSE_MS = 3000,
    DOWN_MS = 2000,
    JUMP_MS = 3000,
    JUMPED_MS = 2000,
};

/* --- faults --- */

static void end_jump(struct sim *sim, struct sim_event *event)
{
    sim->cells[event->cell].skew_ms = (int64_t)sim_random(sim, 2 * SIM_SKEW_MS + 1) - SIM_SKEW_MS;
}

static void come_back(struct sim *sim, struct sim_event *event)
{
    if (!sim->cells[event->cell].up) {
        sim_note(sim, "%zu starts", event->cell);
        sim_cell_start(sim, event->cell);
    }
}

static void crash(struct sim *sim, size_t cell)
{
    sim->counts.crashes++;
    sim_note(sim, "%zu crashes", cell);
    sim_cell_crash(sim, cell);
    sim_after(sim, 1 + sim_random(sim, DOWN_MS), come_back)->cell = cell;
}

static void pause_cell(struct sim *sim, size_t cell)
{
    sim->counts.pauses++;
    sim_note(sim, "%zu pauses", cell);
    sim->cells[cell].paused_ms = sim->now_ms + sim_random(sim, PAUSE_MS);
}

/* A clock that is seconds ahead: what it stamps is held back elsewhere. */
static void jump(struct sim *sim, size_t cell)
{
    sim->counts.jumps++;
    sim_note(sim, "%zu jumps", cell);
    sim->cells[cell].skew_ms = (int64_t)sim_random(sim, JUMP_MS);
    sim_after(sim, sim_random(sim, JUMPED_MS), end_jump)->cell = cell;
}

/* A set of cells hears nothing from the others, and is heard by them or not. */
static void partition(struct sim *sim)
{
    uint64_t inside = sim_random(sim, 1U << sim->cell_count);
    uint64_t until = sim->now_ms + sim_random(sim, DARK_MS);
    bool oneway = sim_chance(sim, 300);

    sim->counts.partitions += !oneway;
    sim->counts.oneways += oneway;
    sim_note(sim, "partition %llx until %llu", (unsigned long long)inside,
             (unsigned long long)until);
    for (size_t a = 0; a < sim->cell_count; a++) {
        for (size_t b = 0; b < sim->cell_count; b++) {
            if ((inside >> a & 1) != 0 && (inside >> b & 1) == 0) {
                sim_net_darken(sim, a, b, until);
                if (!oneway) {
                    sim_net_darken(sim, b, a, until);
                }
            }
        }
    }
}

static void moment(struct sim *sim, struct sim_event *event)
{
    size_t cell = sim_random(sim, sim->cell_count);

    (void)event;
    if (!sim->faults) {
        return;
    }
    if (sim_chance(sim, sim->rates.partition)) {
        partition(sim);
    }
    if (sim->cells[cell].up && sim_chance(sim, sim->rates.crash)) {
        crash(sim, cell);
    } else if (sim_cell_runs(sim, cell) && sim_chance(sim, sim->rates.pause)) {
        pause_cell(sim, cell);
    } else if (sim_chance(sim, sim->rates.jump)) {
        jump(sim, cell);
    }
    sim_after(sim, MOMENT_MS, moment);
}

/* Some runs are quiet in some ways: what hides behind one fault shows without it. */
static unsigned draw_rate(struct sim *sim, unsigned most)
{
    return sim_chance(sim, 300) ? 0 : (unsigned)sim_random(sim, most + 1);
}

static void draw_rates(struct sim *sim)
{
    sim->rates = (struct sim_rates){.stall = draw_rate(sim, 300),
                                    .replay = draw_rate(sim, 500),
                                    .corrupt = draw_rate(sim, 20),
                                    .forge = draw_rate(sim, 20),
                                    .partition = draw_rate(sim, 100),
                                    .crash = draw_rate(sim, 120),
                                    .pause = draw_rate(sim, 120),
                                    .jump = draw_rate(sim, 30)};
}

/* --- phases --- */

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

static void heal(struct sim *sim)
{
    sim_net_heal(sim);
    for (size_t i = 0; i < sim->cell_count; i++) {
        struct sim_event event = {.cell = i};

        come_back(sim, &event);
        end_jump(sim, &event);
        sim->cells[i].paused_ms = 0;
    }
}

static void run_phases(struct sim *sim, const char *dir)
{
    sim_cells_init(sim, dir);
    sim_net_init(sim);
    sim_load_found(sim);
    sim_run_until(sim, sim->now_ms + START_MS);
    sim->faults = true;
    draw_rates(sim);
    sim_after(sim, 0, moment);
    sim_after(sim, 0, ask);
    while (sim->faults) {
        sim_run_until(sim, sim->now_ms + 100);
    }
    heal(sim);
    sim_run_until(sim, sim->now_ms + SIM_SETTLE_MS);
    sim_truth_at_the_end(sim);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)info;
    (void)type;
    (void)where;
    return remove(path);
}

void sim_run(const struct sim_options *options, struct sim_counts *ret_counts,
             uint64_t *ret_trace_hash)
{
    struct sim sim = {.options = *options,
                      .random = options->seed,
                      .now_ms = 1700000000000,
                      .trace_hash = 0xcbf29ce484222325U};
    char dir[] = "/dev/shm/kw-sim-XXXXXX";

    sim.truth = calloc(1, sizeof(*sim.truth));
    if (sim.truth == NULL || mkdtemp(dir) == NULL) {
        sim_fatal("mkdtemp", dir);
    }
    /* A promise may be as old as the rule allows, by clocks that are off; it is signed every heartbeat. */
    sim.truth->window_ms = SIM_STALE_MS + 2 * SIM_SKEW_MS + 2;
    sim_chance_of(&sim);
    run_phases(&sim, dir);
    sim_chance_of(NULL);
    sim_cells_done(&sim);
    sim_net_done(&sim);
    sim_world_done(&sim);
    (void)nftw(dir, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
    free(sim.truth);
    *ret_counts = sim.counts;
    *ret_trace_hash = sim.trace_hash;
}
