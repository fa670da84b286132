/* Between a cell's store and its replicator's mind: wishes become jobs a moment later, and what jobs find
 * goes back as events. */
#include "tests/sim/cell_step.h"
#include "tests/sim/hostile.h"
#include "tests/sim/join.h"
#include "tests/sim/net.h"
#include "tests/sim/trim.h"

#include "common/base/arena.h"
#include "common/feed/lane_batch.h"

#include <stdlib.h>

enum {
    HOP_MS = 3, /* from an owner to its replicator, and back: up to this */
    ARENA_BYTES = 64 << 20,
};

static uint64_t hop_ms(struct sim *sim)
{
    return 1 + sim_random(sim, HOP_MS);
}

static size_t peer_index(const struct sim_cell *cell, size_t other)
{
    for (size_t i = 0; i < cell->peer_count; i++) {
        if (cell->peer_cells[i] == other) {
            return i;
        }
    }
    sim_fatal("no such peer", "peer_index");
}

static struct kw_arena *arena_new(void)
{
    struct kw_arena *arena = kw_arena_new(ARENA_BYTES);

    if (arena == NULL) {
        sim_fatal("memory", "an arena");
    }
    return arena;
}

/* --- lanes --- */

void sim_cell_reached(struct sim *sim, struct sim_cell *cell, struct kw_id lane, size_t member,
                      struct kw_extent extent)
{
    struct sim_lane *known = cell->lanes;

    while (known < cell->lanes + cell->lane_count && !kw_id_equal(known->id, lane)) {
        known++;
    }
    if (known == cell->lanes + cell->lane_count) {
        if (cell->lane_count == SIM_LANES_MAX) {
            sim_fatal("lanes", "too many");
        }
        *known = (struct sim_lane){.id = lane, .member = member};
        cell->lane_count++;
    }
    known->extent = extent;
    SIM_MUST(kw_replicator_lane(cell->replicator, KW_OWNER_AUTHZ, lane,
                                &sim->cells[sim->desk->members[member].cell].place, extent,
                                sim->now_ms, err));
}

/* What is told of our own lane. */
struct nudge {
    struct sim *sim;
    struct sim_cell *cell;
    struct kw_feed_lane lane;
    struct kw_buf urgent[8];
    size_t urgent_count;
};

static struct kw_result take_urgent(struct nudge *nudge, struct kw_tx *tx, struct kw_error *err)
{
    struct sim_cell *cell = nudge->cell;
    struct kw_lane_point at = {.seq = 1};

    while (at.seq > 0 && nudge->urgent_count < sizeof(nudge->urgent) / sizeof(nudge->urgent[0])) {
        KW_TRY(kw_feed_read_urgent(&cell->feed, tx, cell->own, &cell->urgent_at, cell->key,
                                   &nudge->urgent[nudge->urgent_count], &at, err));
        if (at.seq > 0) {
            cell->urgent_at = at;
            nudge->urgent_count++;
        }
    }
    return KW_OK;
}

/* It may have begun a new one meanwhile. */
static void note_life(struct sim *sim, struct sim_cell *cell, const struct kw_feed_lane *lane)
{
    if (!kw_id_equal(cell->own, lane->id)) {
        cell->own = lane->id;
        cell->urgent_at = (struct kw_lane_point){0};
        sim_desk_life(sim, cell->member, &lane->lane);
    }
}

static SIM_JOB(read_own)
{
    struct nudge *nudge = context;
    struct sim_cell *cell = nudge->cell;
    struct kw_feed_lane lanes[SIM_LANES_MAX];
    size_t count;

    KW_TRY(kw_feed_lanes(&cell->feed, tx, KW_ID_NONE, lanes, SIM_LANES_MAX, &count, err));
    for (size_t i = 0; i < count; i++) {
        if (lanes[i].ours) {
            nudge->lane = lanes[i];
            note_life(nudge->sim, cell, &lanes[i]);
        }
    }
    return kw_id_is_none(nudge->lane.id) ? KW_OK : take_urgent(nudge, tx, err);
}

void sim_cell_nudge(struct sim *sim, struct sim_cell *cell)
{
    struct nudge nudge = {.sim = sim, .cell = cell};

    SIM_MUST(sim_store_write(cell->store, read_own, &nudge, err));
    for (size_t i = 0; i < nudge.urgent_count; i++) {
        sim->counts.urgents++;
        kw_replicator_urgent(cell->replicator, KW_OWNER_AUTHZ, kw_buf_bytes(&nudge.urgent[i]));
        kw_buf_done(&nudge.urgent[i]);
    }
    if (!kw_id_is_none(nudge.lane.id)) {
        sim_cell_reached(
            sim, cell, nudge.lane.id, cell->member,
            (struct kw_extent){.seq = nudge.lane.point.seq, .closed = nudge.lane.closed});
    }
}

static void nudge_step(struct sim *sim, struct sim_cell *cell, struct sim_step *step)
{
    (void)step;
    sim_cell_nudge(sim, cell);
}

struct kw_result sim_cell_write(struct sim *sim, size_t index, SIM_JOB((*job)), void *context,
                                struct kw_error *err)
{
    struct sim_cell *cell = &sim->cells[index];

    KW_TRY(sim_store_write(cell->store, job, context, err));
    sim_cell_later(sim, cell, hop_ms(sim), nudge_step);
    return KW_OK;
}

/* --- reading --- */

struct reading {
    struct sim *sim;
    struct sim_cell *cell;
    const struct sim_step *step;
    struct kw_buf batch;
    struct kw_extent extent;
    bool trimmed;
};

static SIM_JOB(read_batch)
{
    struct reading *reading = context;
    struct sim_cell *cell = reading->cell;
    struct kw_feed_found found;

    KW_TRY(kw_feed_read(&cell->feed, tx, reading->step->ticket.lane, reading->step->number,
                        cell->key, &reading->batch, &found, err));
    reading->trimmed = found.read == KW_FEED_READ_TRIMMED;
    reading->extent = (struct kw_extent){.seq = found.seq, .closed = found.closed};
    return KW_OK;
}

static void read_step(struct sim *sim, struct sim_cell *cell, struct sim_step *step)
{
    struct reading reading = {.sim = sim, .cell = cell, .step = step};

    SIM_MUST(sim_store_write(cell->store, read_batch, &reading, err));
    if (reading.trimmed) {
        sim_join_tell(sim, cell->index, cell->peer_cells[step->ticket.peer], step->ticket.lane);
    }
    kw_replicator_read(cell->replicator, step->ticket, kw_buf_bytes(&reading.batch), reading.extent,
                       sim->now_ms);
    kw_buf_done(&reading.batch);
}

static void on_read(void *context, struct kw_ticket ticket, uint64_t after)
{
    const struct sim_at *at = context;
    struct sim_cell *cell = &at->sim->cells[at->cell];
    struct sim_step *step = sim_cell_later(at->sim, cell, hop_ms(at->sim), read_step);

    step->ticket = ticket;
    step->number = after;
}

/* --- applying --- */

struct applying {
    struct sim *sim;
    struct sim_cell *cell;
    const struct kw_lane_batch *batch;
    const struct kw_urgent *urgent;
    struct kw_lane_finding finding;
};

/* An owner takes everything that is well-formed: at worst it makes nothing of it. */
static void take(struct applying *applying, SIM_JOB((*job)))
{
    struct kw_error err = {0};

    if (!kw_ok(sim_store_write(applying->cell->store, job, applying, &err))) {
        sim_violation(applying->sim, "cell %zu could not take what it was sent: %s",
                      applying->cell->index, err.message);
    }
}

static SIM_JOB(apply_batch)
{
    struct applying *applying = context;

    return kw_feed_apply(&applying->cell->feed, tx, applying->batch,
                         sim_cell_clock(applying->sim, applying->cell->index), &applying->finding,
                         err);
}

static void count(struct sim *sim, enum kw_lane_verdict verdict, size_t changes)
{
    sim->counts.batches += verdict == KW_LANE_NEWS && changes > 0;
    sim->counts.heartbeats += changes == 0;
    sim->counts.known += verdict == KW_LANE_KNOWN && changes > 0;
    sim->counts.gaps += verdict == KW_LANE_GAP;
    sim->counts.alarms += kw_lane_verdict_alarms(verdict);
}

static void answer_apply(struct applying *applying, struct kw_ticket ticket)
{
    struct sim *sim = applying->sim;
    const struct kw_lane_batch *batch = applying->batch;
    struct kw_reach held = {
        .owner = ticket.owner,
        .extent = {.seq = applying->finding.point.seq, .closed = applying->finding.closed}};

    count(sim, applying->finding.verdict, batch->count);
    sim_note(sim, "%zu %s from %u: %llu…%llu", applying->cell->index,
             kw_lane_verdict_name(applying->finding.verdict), ticket.peer,
             (unsigned long long)batch->from.seq, (unsigned long long)batch->head.point.seq);
    SIM_MUST(kw_lane_id(&batch->head.lane, &held.lane, err));
    if (applying->finding.verdict == KW_LANE_NEWS || applying->finding.verdict == KW_LANE_KNOWN) {
        sim_cell_reached(sim, applying->cell, held.lane, sim_desk_find(sim, batch->head.lane.store),
                         held.extent);
    }
    kw_replicator_applied(applying->cell->replicator, ticket, applying->finding.verdict, &held);
}

/* A fork that somebody made up would stop a lane, which is to believe him. */
static void judged(struct sim *sim, const struct sim_step *step, enum kw_lane_verdict verdict)
{
    sim_hostile_judged(sim, step->attack, kw_lane_verdict_name(verdict),
                       verdict == KW_LANE_NEWS || verdict == KW_LANE_FORK);
}

static void apply_step(struct sim *sim, struct sim_cell *cell, struct sim_step *step)
{
    struct kw_arena *arena = arena_new();
    struct kw_lane_batch batch;
    struct applying applying = {.sim = sim, .cell = cell, .batch = &batch};

    if (kw_ok(kw_lane_batch_decode(kw_buf_bytes(&step->data), arena, &batch, NULL))) {
        take(&applying, apply_batch);
        judged(sim, step, applying.finding.verdict);
        answer_apply(&applying, step->ticket);
    } else {
        kw_replicator_applied(cell->replicator, step->ticket, KW_LANE_BROKEN,
                              &(struct kw_reach){.owner = step->ticket.owner});
    }
    kw_arena_free(arena);
}

static void on_apply(void *context, struct kw_ticket ticket, struct kw_bytes batch)
{
    const struct sim_at *at = context;
    struct sim_cell *cell = &at->sim->cells[at->cell];
    struct sim_step *step = sim_cell_later(at->sim, cell, hop_ms(at->sim), apply_step);

    step->ticket = ticket;
    step->attack = at->sim->hostile->now;
    at->sim->hostile->now = SIM_NO_ATTACK;
    SIM_MUST(kw_buf_append(&step->data, batch, err));
}

static SIM_JOB(apply_urgent)
{
    struct applying *applying = context;

    return kw_feed_apply_urgent(&applying->cell->feed, tx, applying->urgent,
                                sim_cell_clock(applying->sim, applying->cell->index),
                                &applying->finding.verdict, err);
}

static void urgent_step(struct sim *sim, struct sim_cell *cell, struct sim_step *step)
{
    struct kw_urgent urgent;
    struct applying applying = {.sim = sim, .cell = cell, .urgent = &urgent};

    applying.finding.verdict = KW_LANE_BROKEN;
    if (kw_ok(kw_urgent_decode(kw_buf_bytes(&step->data), &urgent, NULL))) {
        take(&applying, apply_urgent);
        judged(sim, step, applying.finding.verdict);
    }
    sim_note(sim, "%zu urgent %s from %u", cell->index,
             kw_lane_verdict_name(applying.finding.verdict), step->ticket.peer);
    sim->counts.alarms += kw_lane_verdict_alarms(applying.finding.verdict);
    kw_replicator_urgent_applied(cell->replicator, step->ticket, applying.finding.verdict,
                                 kw_buf_bytes(&step->data));
}

static void on_apply_urgent(void *context, struct kw_ticket ticket, struct kw_bytes urgent)
{
    const struct sim_at *at = context;
    struct sim_cell *cell = &at->sim->cells[at->cell];
    struct sim_step *step = sim_cell_later(at->sim, cell, hop_ms(at->sim), urgent_step);

    step->ticket = ticket;
    step->attack = at->sim->hostile->now;
    at->sim->hostile->now = SIM_NO_ATTACK;
    SIM_MUST(kw_buf_append(&step->data, urgent, err));
}

/* Who is a member is known to all from the beginning: nobody vouches for anybody here. */
static void on_apply_voucher(void *context, struct kw_ticket ticket, struct kw_bytes voucher)
{
    const struct sim_at *at = context;

    (void)voucher;
    kw_replicator_voucher_applied(at->sim->cells[at->cell].replicator, ticket, KW_LANE_KNOWN);
}

/* --- links --- */

static void on_send(void *context, uint32_t peer, const struct kw_frame *frame)
{
    const struct sim_at *at = context;

    sim_net_send(at->sim, at->cell, at->sim->cells[at->cell].peer_cells[peer], frame);
}

/* For retention. */
static void on_acked(void *context, uint32_t peer, enum kw_owner owner, struct kw_id peer_store,
                     struct kw_id lane, uint64_t seq)
{
    const struct sim_at *at = context;

    (void)owner;
    (void)peer;
    sim_trim_acked(at->sim, &at->sim->cells[at->cell], peer_store, lane, seq);
}

static void on_cut(void *context, uint32_t peer, const char *why)
{
    const struct sim_at *at = context;
    size_t other = at->sim->cells[at->cell].peer_cells[peer];

    at->sim->counts.cuts++;
    if (at->sim->hostile->now != SIM_NO_ATTACK) {
        sim_hostile_judged(at->sim, at->sim->hostile->now, why, false);
        at->sim->hostile->now = SIM_NO_ATTACK;
    }
    sim_note(at->sim, "%zu cuts %zu: %s", at->cell, other, why);
    sim_net_cut(at->sim, at->cell, other);
}

struct kw_replicator_io sim_cell_io(struct sim *sim, size_t cell)
{
    static struct sim_at ats[SIM_CELLS_MAX];

    ats[cell] = (struct sim_at){sim, cell};
    return (struct kw_replicator_io){.context = &ats[cell],
                                     .send = on_send,
                                     .read = on_read,
                                     .apply = on_apply,
                                     .apply_urgent = on_apply_urgent,
                                     .apply_voucher = on_apply_voucher,
                                     .acked = on_acked,
                                     .cut = on_cut};
}

/* --- the network's --- */

void sim_cell_frame(struct sim *sim, size_t index, size_t from, const struct kw_frame *frame)
{
    struct sim_cell *cell = &sim->cells[index];

    if (sim_cell_runs(sim, index)) {
        kw_replicator_frame(cell->replicator, (uint32_t)peer_index(cell, from), frame, sim->now_ms);
    }
}

void sim_cell_link_up(struct sim *sim, size_t index, size_t other)
{
    struct sim_cell *cell = &sim->cells[index];

    kw_replicator_link_up(cell->replicator, (uint32_t)peer_index(cell, other), sim->now_ms);
}

void sim_cell_link_down(struct sim *sim, size_t index, size_t other)
{
    struct sim_cell *cell = &sim->cells[index];

    if (cell->up) {
        kw_replicator_link_down(cell->replicator, (uint32_t)peer_index(cell, other));
    }
}
