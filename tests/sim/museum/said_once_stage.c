/* One of two neighbours, whom nobody else hears any more, revokes a grant; then the other is asked to, who has heard of it;
 * and both lose their disks. Clients ask for nothing else meanwhile: what the other one had said before is held elsewhere. */
#include "tests/sim/cell.h"
#include "tests/sim/desk.h"
#include "tests/sim/faults.h"
#include "tests/sim/load.h"
#include "tests/sim/net.h"

enum {
    AT_MS = 800,
    LOOK_MS = 20,
    HEARD_MS = 20,
    DARK_MS = 3000,
};

void __real_sim_faults_begin(struct sim *sim);
void __wrap_sim_faults_begin(struct sim *sim);
void __real_sim_load_one(struct sim *sim);
void __wrap_sim_load_one(struct sim *sim);

static bool is_quiet;

void __wrap_sim_load_one(struct sim *sim)
{
    if (!is_quiet) {
        __real_sim_load_one(sim);
    }
}

static void lose(struct sim *sim, size_t cell)
{
    size_t member = sim->cells[cell].member;

    sim_faults_retire(sim, cell);
    sim_desk_fence(sim, member);
}

static void revoke_again(struct sim *sim, struct sim_event *event)
{
    (void)sim_load_on(sim, "revoke_grant", event->other, (size_t)event->life);
    lose(sim, event->cell);
    lose(sim, event->other);
    is_quiet = false;
}

static void darken(struct sim *sim, size_t one, size_t other)
{
    for (size_t i = 0; i < sim->cell_count; i++) {
        if (i != one && i != other) {
            sim_net_darken(sim, one, i, sim->now_ms + DARK_MS);
            sim_net_darken(sim, other, i, sim->now_ms + DARK_MS);
        }
    }
}

/* Do all three serve, and does the third of the region hold what the other one said? */
static bool is_set(const struct sim *sim, size_t region, size_t other)
{
    struct kw_id lane = sim->cells[other].own;
    size_t third = region + 2;

    return sim_cell_serves(sim, region) && sim_cell_serves(sim, region + 1) &&
           sim_cell_serves(sim, third) &&
           sim_cell_holds(sim, third, lane) == sim_cell_holds(sim, other, lane);
}

static void part(struct sim *sim, size_t one, size_t other, size_t grant)
{
    struct sim_event *again = sim_after(sim, HEARD_MS, revoke_again);

    darken(sim, one, other);
    (void)sim_load_on(sim, "revoke_grant", one, grant);
    again->cell = one;
    again->other = other;
    again->life = grant;
}

/* The first two of a region. Of two revocations the earlier one stays: the other one's clock is ahead, and it has nothing
 * new to say. */
static void look(struct sim *sim, struct sim_event *event)
{
    size_t region = event->cell, grant;
    bool is_later = sim_cell_clock(sim, region) < sim_cell_clock(sim, region + 1);
    size_t other = is_later ? region + 1 : region;

    is_quiet = sim_load_find(sim, &grant) && sim->faults;
    if (is_quiet && is_set(sim, region, other)) {
        part(sim, region + !is_later, other, grant);
    } else if (sim->faults) {
        sim_postpone(sim, event, sim->now_ms + LOOK_MS);
    }
}

void __wrap_sim_faults_begin(struct sim *sim)
{
    __real_sim_faults_begin(sim);
    sim_after(sim, AT_MS, look)->cell =
        sim_random(sim, sim->options.regions) * sim->options.letters;
}
