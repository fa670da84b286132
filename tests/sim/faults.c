/* Faults. */
#include "tests/sim/faults.h"

#include "tests/sim/disk.h"
#include "tests/sim/hostile.h"
#include "tests/sim/net.h"
#include "tests/sim/truth.h"

enum {
    MOMENT_MS = 50, /* how often something may go wrong */
    DARK_MS = 3000,
    PAUSE_MS = 3000,
    DOWN_MS = 2000,
    ABSENT_MS = 4000,
    JUMP_MS = 3000,
    JUMPED_MS = 2000,
    GREAT_MS = 3500, /* within which great things happen */
    DECIDE_MS = 600, /* officers take so long to fence a store */
};

/* --- clocks, crashes, pauses --- */

static void end_jump(struct sim *sim, struct sim_event *event)
{
    sim->cells[event->cell].skew_ms = (int64_t)sim_random(sim, 2 * SIM_SKEW_MS + 1) - SIM_SKEW_MS;
}

/* What is lost can be said when it is known what is there. */
static void come_back(struct sim *sim, struct sim_event *event)
{
    struct sim_cell *cell = &sim->cells[event->cell];

    if (!cell->up && !cell->is_new && sim->desk->members[cell->member].fenced) {
        sim_disk_lose(sim, event->cell);
    }
    if (!cell->up) {
        sim_note(sim, "%zu starts", event->cell);
        sim_cell_start(sim, event->cell);
        if (cell->since_ms == UINT64_MAX) {
            cell->since_ms = sim->now_ms;
            sim_truth_lost(sim, event->cell);
        }
    }
}

static void take_down(struct sim *sim, size_t cell, uint64_t down_ms)
{
    sim->counts.crashes++;
    sim_note(sim, "%zu crashes", cell);
    if (sim->cells[cell].up) {
        sim_cell_crash(sim, cell);
    }
    sim_after(sim, 1 + sim_random(sim, down_ms), come_back)->cell = cell;
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
    if (sim->rates.forge > 0) {
        sim_hostile_dead(sim);
    }
    if (sim->cells[cell].up && sim_chance(sim, sim->rates.crash)) {
        take_down(sim, cell, DOWN_MS);
    } else if (sim_cell_runs(sim, cell) && sim_chance(sim, sim->rates.pause)) {
        pause_cell(sim, cell);
    } else if (sim_chance(sim, sim->rates.jump)) {
        jump(sim, cell);
    }
    sim_after(sim, MOMENT_MS, moment);
}

/* --- great things --- */

static void fence(struct sim *sim, struct sim_event *event)
{
    sim_desk_fence(sim, (size_t)event->life);
}

/* Its store is never seen again: officers fence it, and a new one comes in its place. */
static void lose_disk(struct sim *sim, struct sim_event *event)
{
    struct sim_cell *cell = &sim->cells[event->cell];
    struct sim_event *order;

    if (!sim->faults || cell->is_new) {
        return;
    }
    order = sim_after(sim, sim_random(sim, DECIDE_MS), fence);
    order->life = cell->member;
    take_down(sim, event->cell, DOWN_MS);
    sim_disk_lose(sim, event->cell);
}

void sim_faults_retire(struct sim *sim, size_t cell)
{
    take_down(sim, cell, DOWN_MS);
    sim_disk_lose(sim, cell);
}

/* Officers fence a store that is there, and goes on until it is told. */
static void fence_cell(struct sim *sim, struct sim_event *event)
{
    if (sim->faults && !sim->cells[event->cell].is_new) {
        sim_desk_fence(sim, sim->cells[event->cell].member);
    }
}

static void copy_disk(struct sim *sim, struct sim_event *event)
{
    if (sim->faults && !sim->cells[event->cell].is_new) {
        sim_disk_copy(sim, event->cell);
    }
}

static void restore_disk(struct sim *sim, struct sim_event *event)
{
    if (sim->faults && sim->cells[event->cell].has_copy) {
        take_down(sim, event->cell, DOWN_MS);
        (void)sim_disk_restore(sim, event->cell);
    }
}

static void stay_away(struct sim *sim, struct sim_event *event)
{
    if (sim->faults) {
        sim->counts.absent++;
        take_down(sim, event->cell, ABSENT_MS);
    }
}

static void add_cell(struct sim *sim, struct sim_event *event)
{
    (void)event;
    if (sim->faults && sim->cell_count < SIM_CELLS_MAX) {
        sim->counts.added++;
        sim_cells_add(sim);
        sim_note(sim, "%zu is added", sim->cell_count - 1);
    }
}

static const struct {
    unsigned permille; /* of runs that have it */
    unsigned most;     /* times */
    void (*run)(struct sim *sim, struct sim_event *event);
} great[] = {
    {500, 2, lose_disk},    {400, 2, fence_cell}, {900, 6, copy_disk},
    {500, 3, restore_disk}, {500, 2, stay_away},  {300, 1, add_cell},
};

static void draw_great(struct sim *sim)
{
    for (size_t i = 0; i < sizeof(great) / sizeof(great[0]); i++) {
        uint64_t times =
            sim_chance(sim, great[i].permille) ? 1 + sim_random(sim, great[i].most) : 0;

        while (times-- > 0) {
            sim_after(sim, sim_random(sim, GREAT_MS), great[i].run)->cell =
                sim_random(sim, sim->cell_count);
        }
    }
}

/* --- rates --- */

/* Some runs are quiet in some ways: what hides behind one fault shows without it. */
static unsigned draw_rate(struct sim *sim, unsigned most)
{
    return sim_chance(sim, 300) ? 0 : (unsigned)sim_random(sim, most + 1);
}

static void draw_rates(struct sim *sim)
{
    sim->rates.stall = draw_rate(sim, 300);
    sim->rates.replay = draw_rate(sim, 500);
    sim->rates.corrupt = draw_rate(sim, 20);
    sim->rates.forge = draw_rate(sim, 20);
    sim->rates.partition = draw_rate(sim, 100);
    sim->rates.crash = draw_rate(sim, 120);
    sim->rates.pause = draw_rate(sim, 120);
    sim->rates.jump = draw_rate(sim, 30);
}

void sim_faults_begin(struct sim *sim)
{
    sim->faults = true;
    draw_rates(sim);
    draw_great(sim);
    sim_after(sim, 0, moment);
}

void sim_faults_end(struct sim *sim)
{
    sim_net_heal(sim);
    for (size_t i = 0; i < sim->cell_count; i++) {
        struct sim_event event = {.cell = i};

        come_back(sim, &event);
        end_jump(sim, &event);
        sim->cells[i].paused_ms = 0;
    }
}
