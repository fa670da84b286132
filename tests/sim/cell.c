/* A cell's life: store, feed, replicator; and the clock it believes in. */
#include "tests/sim/cell.h"

#include "common/sync/store_record.h"
#include "common/sync/suspension_set.h"
#include "services/authz/grant_merge.h"
#include "services/authz/member_merge.h"
#include "services/authz/record_kinds.h"
#include "services/orchestrator/record_kinds.h"
#include "tests/sim/cell_step.h"
#include "tests/sim/join.h"
#include "tests/sim/net.h"
#include "tests/sim/trim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TABLES_MAX = 32,
    BEAT_MS = 400, /* fewer than the product has: each costs a signature and eight checks */
    TICK_MS = KW_LINK_TICK_MS,
    ORPHAN_MS = 2000, /* urgent changes whose lane does not come: longer than a lane is late */
};

static const struct kw_migration migrations[] = {{.name = "0001_feed", .sql = kw_feed_schema}};

/* The tables of both owners: one store here holds them all. */
static struct kw_feed_table tables[TABLES_MAX];
static size_t table_count;

/* What of members and grants is said ahead of its lane. */
static bool stops_member(const struct kw_record *change)
{
    return kw_record_u64(change, KW_MEMBER_FIELD_STATUS) >= KW_MEMBER_STATUS_REVOKED ||
           kw_record_has(change, KW_MEMBER_FIELD_REVOKE_ALL) ||
           kw_suspensions_in_force(kw_record_value(change, KW_MEMBER_FIELD_SUSPENSIONS));
}

static bool stops_grant(const struct kw_record *change)
{
    return kw_record_has(change, KW_GRANT_FIELD_REVOKED);
}

static void add_table(const struct kw_record_kind *kind)
{
    struct kw_feed_table *table = &tables[table_count++];

    table->kind = kind;
    if (kind == &kw_member_record) {
        table->disables = stops_member;
    } else if (kind == &kw_grant_record) {
        table->disables = stops_grant;
    }
}

static void add_tables(const struct kw_record_kind *const *kinds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (table_count == 0 || kinds[i] != &kw_store_record) {
            add_table(kinds[i]);
        }
    }
}

/* --- what it is asked --- */

uint64_t sim_cell_clock(const struct sim *sim, size_t cell)
{
    return (uint64_t)((int64_t)sim->now_ms + sim->cells[cell].skew_ms);
}

bool sim_cell_runs(const struct sim *sim, size_t cell)
{
    return sim->cells[cell].up && sim->now_ms >= sim->cells[cell].paused_ms;
}

bool sim_cell_serves(const struct sim *sim, size_t cell)
{
    return sim_cell_runs(sim, cell) && !sim->cells[cell].joining;
}

uint64_t sim_cell_holds(const struct sim *sim, size_t cell, struct kw_id lane)
{
    const struct sim_cell *at = &sim->cells[cell];

    for (size_t i = 0; i < at->lane_count; i++) {
        if (kw_id_equal(at->lanes[i].id, lane)) {
            return at->lanes[i].extent.seq;
        }
    }
    return 0;
}

struct asking {
    struct sim *sim;
    struct sim_cell *cell;
    struct kw_freshness freshness;
};

static SIM_JOB(ask)
{
    struct asking *asking = context;

    return kw_feed_freshness(&asking->cell->feed, tx,
                             sim_cell_clock(asking->sim, asking->cell->index), &asking->freshness,
                             err);
}

struct kw_freshness sim_cell_freshness(struct sim *sim, size_t cell)
{
    struct asking asking = {.sim = sim, .cell = &sim->cells[cell]};

    SIM_MUST(sim_store_write(asking.cell->store, ask, &asking, err));
    return asking.freshness;
}

uint64_t sim_cell_staleness(struct sim *sim, size_t cell)
{
    return sim_cell_freshness(sim, cell).age_ms;
}

/* --- steps --- */

static void step_free(void *what)
{
    struct sim_step *step = what;

    kw_buf_done(&step->data);
    free(step);
}

static void run_step(struct sim *sim, struct sim_event *event)
{
    struct sim_cell *cell = &sim->cells[event->cell];
    struct sim_step *step = event->what;

    if (!cell->up || cell->life != event->life) {
        return;
    }
    if (sim->now_ms < cell->paused_ms) {
        sim_postpone(sim, event, cell->paused_ms);
        return;
    }
    step->run(sim, cell, step);
}

struct sim_step *sim_cell_later(struct sim *sim, struct sim_cell *cell, uint64_t after_ms,
                                void (*run)(struct sim *, struct sim_cell *, struct sim_step *))
{
    struct sim_event *event = sim_after(sim, after_ms, run_step);
    struct sim_step *step = calloc(1, sizeof(*step));

    if (step == NULL) {
        sim_fatal("memory", "a step");
    }
    step->run = run;
    event->cell = cell->index;
    event->life = cell->life;
    event->what = step;
    event->drop = step_free;
    return step;
}

/* --- its life --- */

/* What a cell's own jobs are given. */
struct own_job {
    struct sim *sim;
    struct sim_cell *cell;
};

static SIM_JOB(open_feed)
{
    const struct own_job *own = context;
    struct sim_cell *cell = own->cell;
    const struct kw_feed_options options = {.mesh = sim_mesh,
                                            .store = cell->store_id,
                                            .tables = tables,
                                            .table_count = table_count,
                                            .keep_max = own->sim->rates.keep,
                                            .orphan_ms = ORPHAN_MS};

    return kw_feed_open(&cell->feed, &options, tx, sim_cell_clock(own->sim, cell->index), err);
}

/* A copy can't know what was said since it was taken. */
static SIM_JOB(new_life)
{
    const struct own_job *own = context;

    return kw_feed_new_life(&own->cell->feed, tx, err);
}

struct loading {
    struct sim_cell *cell;
    struct kw_feed_lane lanes[SIM_LANES_MAX];
    size_t count;
};

static SIM_JOB(load_lanes)
{
    struct loading *loading = context;

    return kw_feed_lanes(&loading->cell->feed, tx, KW_ID_NONE, loading->lanes, SIM_LANES_MAX,
                         &loading->count, err);
}

static void load_lane(struct sim *sim, struct sim_cell *cell, const struct kw_feed_lane *lane)
{
    struct kw_extent extent = {.seq = lane->point.seq, .closed = lane->closed};

    if (lane->ours && !kw_id_equal(cell->own, lane->id)) {
        cell->own = lane->id;
        cell->urgent_at = lane->point;
        sim_desk_life(sim, cell->member, &lane->lane);
    }
    sim_cell_reached(sim, cell, lane->id, sim_desk_find(sim, lane->lane.store), extent);
    sim_trim_floor(sim, cell, lane);
}

void sim_cell_load(struct sim *sim, size_t index)
{
    struct loading loading = {.cell = &sim->cells[index]};

    SIM_MUST(sim_store_write(loading.cell->store, load_lanes, &loading, err));
    for (size_t i = 0; i < loading.count; i++) {
        load_lane(sim, loading.cell, &loading.lanes[i]);
    }
}

static void start_replicator(struct sim *sim, struct sim_cell *cell, struct kw_places all)
{
    const struct kw_replicator_options options = {
        .mesh = sim_mesh,
        .stores = {cell->store_id},
        .us = cell->place,
        .cells = all,
        .io = sim_cell_io(sim, cell->index),
    };

    SIM_MUST(kw_replicator_new(&options, &cell->replicator, err));
}

static struct kw_place places[SIM_CELLS_MAX];

static void beat(struct sim *sim, struct sim_cell *cell, struct sim_step *step);
static void tick(struct sim *sim, struct sim_cell *cell, struct sim_step *step);

static void open_store(struct sim *sim, struct sim_cell *cell)
{
    struct own_job own = {sim, cell};

    cell->store = sim_store_open(cell->path, migrations, 1);
    cell->store_id = sim_store_id(cell->store);
    cell->member = sim_desk_member(sim, cell->store_id, cell->index);
    cell->key = sim->desk->members[cell->member].key;
    SIM_MUST(sim_store_write(cell->store, open_feed, &own, err));
    if (cell->is_copy) {
        SIM_MUST(sim_store_write(cell->store, new_life, &own, err));
        cell->is_copy = false;
    }
}

void sim_cell_start(struct sim *sim, size_t index)
{
    struct sim_cell *cell = &sim->cells[index];

    cell->lane_count = 0;
    cell->missed_count = 0;
    cell->own = KW_ID_NONE;
    cell->up = true;
    open_store(sim, cell);
    start_replicator(sim, cell, (struct kw_places){places, sim->cell_count});
    sim_cell_load(sim, index);
    sim_desk_tell(sim, index);
    sim_cell_later(sim, cell, sim_random(sim, BEAT_MS), beat);
    sim_cell_later(sim, cell, sim_random(sim, TICK_MS), tick);
    sim_join_resume(sim, index);
}

static void stop(struct sim_cell *cell)
{
    sim_store_close(cell->store);
    kw_replicator_free(cell->replicator);
    cell->store = NULL;
    cell->replicator = NULL;
    cell->up = false;
}

void sim_cell_crash(struct sim *sim, size_t index)
{
    struct sim_cell *cell = &sim->cells[index];

    cell->life++;
    cell->paused_ms = 0;
    stop(cell);
    sim_net_forget(sim, index);
}

/* --- its heart --- */

static SIM_JOB(seal)
{
    const struct own_job *own = context;
    struct sim_cell *cell = own->cell;
    KW_SCOPED(kw_buf_done) struct kw_buf head = {0};
    uint64_t clock = sim_cell_clock(own->sim, cell->index);
    size_t released;
    bool more;

    KW_TRY(kw_feed_release(&cell->feed, tx, clock, &released, &more, err));
    return kw_feed_seal(&cell->feed, tx, clock, cell->key, &head, err);
}

static void beat(struct sim *sim, struct sim_cell *cell, struct sim_step *step)
{
    struct own_job own = {sim, cell};

    (void)step;
    SIM_MUST(sim_store_write(cell->store, seal, &own, err));
    sim_trim_say(sim, cell);
    sim_trim(sim, cell);
    sim_cell_nudge(sim, cell);
    sim_cell_later(sim, cell, BEAT_MS, beat);
}

static void tick(struct sim *sim, struct sim_cell *cell, struct sim_step *step)
{
    (void)step;
    kw_replicator_tick(cell->replicator, sim->now_ms);
    sim_cell_later(sim, cell, TICK_MS, tick);
}

/* --- all of them --- */

static void place_cell(struct sim *sim, size_t index, size_t region, size_t letter)
{
    struct sim_cell *cell = &sim->cells[index];

    places[index] = (struct kw_place){{(char)('A' + (int)region)}, {(char)('a' + (int)letter)}};
    *cell = (struct sim_cell){.index = index, .place = places[index]};
    cell->skew_ms = (int64_t)sim_random(sim, 2 * SIM_SKEW_MS + 1) - SIM_SKEW_MS;
    (void)snprintf(cell->path, sizeof(cell->path), "%s/cell%zu", sim->dir, index);
}

/* In the order of kw_place_peers. */
static void find_peers(struct sim *sim, struct sim_cell *cell)
{
    cell->peer_count = 0;
    for (size_t other = 0; other < sim->cell_count; other++) {
        if (kw_place_linked(&cell->place, &places[other])) {
            cell->peer_cells[cell->peer_count++] = other;
        }
    }
}

void sim_cells_init(struct sim *sim)
{
    size_t letters = sim->options.letters;

    if (table_count == 0) {
        add_tables(kw_authz_record_kinds, kw_authz_record_kind_count);
        add_tables(kw_orch_record_kinds, kw_orch_record_kind_count);
    }
    sim->cell_count = sim->options.regions * letters;
    sim->cells = calloc(SIM_CELLS_MAX, sizeof(*sim->cells));
    if (sim->cells == NULL) {
        sim_fatal("memory", "cells");
    }
    for (size_t i = 0; i < sim->cell_count; i++) {
        place_cell(sim, i, i / letters, i % letters);
    }
    for (size_t i = 0; i < sim->cell_count; i++) {
        find_peers(sim, &sim->cells[i]);
        sim_cell_start(sim, i);
    }
    for (size_t i = 0; i < sim->cell_count; i++) {
        sim_desk_tell(sim, i);
    }
}

/* Its replicator is told of the new place, for which it begins anew; its owner goes on. */
static void meet_new_cell(struct sim *sim, struct sim_cell *cell)
{
    find_peers(sim, cell);
    if (cell->up) {
        sim_net_forget(sim, cell->index);
        kw_replicator_free(cell->replicator);
        start_replicator(sim, cell, (struct kw_places){places, sim->cell_count});
        sim_cell_load(sim, cell->index);
    }
}

void sim_cells_add(struct sim *sim)
{
    size_t index = sim->cell_count++;

    place_cell(sim, index, sim_random(sim, sim->options.regions), sim->options.letters);
    sim->cells[index].is_new = true;
    for (size_t i = 0; i <= index; i++) {
        meet_new_cell(sim, &sim->cells[i]);
    }
    sim_net_add(sim, index);
    sim_cell_start(sim, index);
}

void sim_cells_done(struct sim *sim)
{
    for (size_t i = 0; i < sim->cell_count; i++) {
        if (sim->cells[i].up) {
            stop(&sim->cells[i]);
        }
    }
    free(sim->cells);
}
