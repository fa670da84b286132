/* What was acknowledged, and what may be while it runs. */
#include "tests/sim/truth.h"

#include "common/base/codec.h"
#include "common/sync/stamp.h"

#include <string.h>

void sim_key_name(const struct sim_key *key, uint8_t ret_name[KW_ID_LEN])
{
    memset(ret_name, 0, KW_ID_LEN);
    ret_name[0] = 0x6b;
    ret_name[1] = (uint8_t)key->device;
    ret_name[2] = (uint8_t)key->cell;
    kw_be64_store(ret_name + 8, key->version);
}

/* --- what was said --- */

/* Its hybrid clock: one that was ahead once does not go back. */
static uint64_t clock_ahead_ms(const struct sim *sim, size_t cell)
{
    uint64_t clock_ms = kw_hlc_ms(sim->cells[cell].feed.clock.last);

    return clock_ms > sim->now_ms + SIM_SKEW_MS ? clock_ms - sim->now_ms - SIM_SKEW_MS : 0;
}

void sim_truth_said(struct sim *sim, const struct sim_said *said)
{
    struct sim_truth *truth = sim->truth;

    if (truth->said_count == SIM_SAID_MAX) {
        sim_fatal("operations", "too many");
    }
    truth->said[truth->said_count] = *said;
    truth->said[truth->said_count++].ahead_ms = clock_ahead_ms(sim, said->cell);
    sim_note(sim, "%zu said %d of %zu, %llu of the lane of %zu", said->cell, (int)said->what,
             said->which, (unsigned long long)said->seq, said->member);
}

static bool is_somewhere(const struct sim *sim, const struct sim_said *said)
{
    for (size_t i = 0; i < sim->cell_count; i++) {
        if (sim_cell_holds(sim, i, said->lane) >= said->seq) {
            return true;
        }
    }
    return false;
}

void sim_truth_lost(struct sim *sim, size_t cell)
{
    struct sim_truth *truth = sim->truth;

    for (size_t i = 0; i < truth->said_count; i++) {
        if (!truth->said[i].lost && !is_somewhere(sim, &truth->said[i])) {
            truth->said[i].lost = true;
        }
    }
    for (size_t i = 0; i < truth->grant_count; i++) {
        truth->grants[i].denied[cell] = false;
    }
}

bool sim_truth_certain(const struct sim *sim, const struct sim_said *said)
{
    return !said->lost && said->seq <= sim_desk_honours(sim, said->member, said->lane);
}

/* --- while it runs --- */

/* Should this cell have heard of it by now? Of what it acknowledged itself at once, as long as it has its disk.
 * What a fence lets stand only from when it does. A promise of a clock that is ahead says for so much longer that nothing
 * followed, when it was as long on its way. */
static bool in_force(const struct sim *sim, size_t cell, const struct sim_said *said)
{
    const struct sim_cell *at = &sim->cells[cell];
    const struct sim_member *member = &sim->desk->members[said->member];
    uint64_t from = said->at_ms;

    if (!sim_truth_certain(sim, said)) {
        return false;
    }
    if (said->cell == cell && said->at_ms >= at->since_ms) {
        return true;
    }
    if (said->cell == cell) {
        from = at->since_ms;
    }
    if (member->fenced && member->raised_ms + SIM_ORDER_MS > from) {
        from = member->raised_ms + SIM_ORDER_MS;
    }
    return sim->now_ms >= from + sim->truth->window_ms + said->ahead_ms;
}

/* Did somebody lift it who knew of it? */
static bool is_lifted(const struct sim_truth *truth, const struct sim_said *suspended)
{
    for (size_t i = 0; i < truth->said_count; i++) {
        const struct sim_said *said = &truth->said[i];

        if (said->what == SIM_LIFTED && said->which == suspended->which &&
            said->sub == suspended->sub) {
            return true;
        }
    }
    return false;
}

/* Was the grant made by somebody who had not heard of it, or before it? */
static bool covers(const struct sim_truth *truth, const struct sim_said *said,
                   const struct sim_grant *grant)
{
    const struct sim_count_of *all = &truth->partners[said->which].revoke_alls[said->sub];

    return all->count > grant->seen[all->member] || said->at_ms > grant->made_ms;
}

/* What stops this grant, by name; NULL: this does not. */
static const char *stops(const struct sim_truth *truth, const struct sim_said *said,
                         const struct sim_grant *grant)
{
    size_t which = (size_t)(grant - truth->grants);

    switch (said->what) {
    case SIM_REVOKED_GRANT:
        return said->which == which ? "its revocation" : NULL;
    case SIM_REVOKED_PARTNER:
        return said->which == grant->partner ? "its partner's revocation" : NULL;
    case SIM_SUSPENDED:
        return said->which == grant->partner && !is_lifted(truth, said) ? "its partner's suspension"
                                                                        : NULL;
    case SIM_REVOKED_ALL:
        return said->which == grant->partner && covers(truth, said, grant) ? "a revocation of all"
                                                                           : NULL;
    case SIM_MADE_PARTNER:
    case SIM_LIFTED:
    case SIM_MADE_GRANT:
    case SIM_RAN:
    case SIM_MADE_KEY:
        break;
    }
    return NULL;
}

void sim_truth_allowed(struct sim *sim, size_t cell, const struct sim_grant *grant)
{
    const struct sim_truth *truth = sim->truth;

    for (size_t i = 0; i < truth->said_count; i++) {
        const struct sim_said *said = &truth->said[i];
        const char *what = stops(truth, said, grant);

        if (what != NULL && in_force(sim, cell, said)) {
            sim_violation(sim,
                          "cell %zu allowed a use though %s was acknowledged by %zu %llu ms before",
                          cell, what, said->cell, (unsigned long long)(sim->now_ms - said->at_ms));
        }
    }
    if (grant->denied[cell]) {
        sim_violation(sim, "cell %zu allowed what it had called revoked", cell);
    }
}
