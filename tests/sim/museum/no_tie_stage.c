/* Two cells edit one partner's profile in the same moment, by clocks that say the same, ahead of all that either has stamped:
 * both edits have one stamp. Again and again, each time two others. */
#include "common/sync/stamp.h"
#include "tests/sim/cell.h"
#include "tests/sim/faults.h"
#include "tests/sim/load.h"

enum {
    AGAIN_MS = 100,
};

void __real_sim_faults_begin(struct sim *sim);
void __wrap_sim_faults_begin(struct sim *sim);

static int64_t beyond_ms(const struct sim *sim, size_t cell)
{
    return (int64_t)(kw_hlc_ms(sim->cells[cell].feed.clock.last) - sim->now_ms) + 1;
}

static void edit_at_once(struct sim *sim, size_t one, size_t other, size_t grant)
{
    int64_t a = beyond_ms(sim, one), b = beyond_ms(sim, other);

    sim->cells[one].skew_ms = a > b ? a : b;
    sim->cells[other].skew_ms = a > b ? a : b;
    (void)sim_load_on(sim, "edit_partner", one, grant);
    (void)sim_load_on(sim, "edit_partner", other, grant);
}

static void look(struct sim *sim, struct sim_event *event)
{
    size_t one = sim_random(sim, sim->cell_count), other = sim_random(sim, sim->cell_count), grant;

    if (!sim->faults) {
        return;
    }
    if (one != other && sim_cell_serves(sim, one) && sim_cell_serves(sim, other) &&
        sim_load_find(sim, &grant)) {
        edit_at_once(sim, one, other, grant);
    }
    sim_postpone(sim, event, sim->now_ms + AGAIN_MS);
}

void __wrap_sim_faults_begin(struct sim *sim)
{
    __real_sim_faults_begin(sim);
    sim_after(sim, AGAIN_MS, look);
}
