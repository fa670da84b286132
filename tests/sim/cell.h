/* A cell: one owner's store with its feed, and the replicator's mind. What stands here between the two,
 * the owner's side of the hop and the replicator's, is the simulator's own; everything it calls is not. */
#ifndef KW_TESTS_SIM_CELL_H
#define KW_TESTS_SIM_CELL_H

#include "common/crypto/key.h"
#include "common/feed/feed_apply.h"
#include "common/feed/feed_peers.h"
#include "services/replicator/core/replicator.h"
#include "tests/sim/sim.h"
#include "tests/sim/store.h"

enum {
    SIM_LANES_MAX = 64,
};

/* What the cell knows of a lane without asking its store. */
struct sim_lane {
    struct kw_id id;
    size_t origin; /* whose store's */
    struct kw_extent extent;
};

struct sim_cell {
    size_t index;
    struct kw_place place;
    size_t peer_cells[SIM_CELLS_MAX];
    size_t peer_count;
    char path[128];
    bool up;
    uint64_t life;      /* of its processes */
    uint64_t paused_ms; /* until then nothing of it runs */
    int64_t skew_ms;    /* of its clock */
    struct kw_id store_id;
    const struct kw_private_key *key;
    struct sim_store *store;
    struct kw_feed feed;
    struct kw_replicator *replicator;
    struct sim_lane lanes[SIM_LANES_MAX];
    size_t lane_count;
    struct kw_id own;               /* its lane now */
    struct kw_lane_point urgent_at; /* of its lane, told to the replicator */
};

/* The cells' signing keys, the same for all runs. */
void sim_cells_make_keys(void);

/* The key of somebody who has none in the mesh. */
const struct kw_private_key *sim_forger_key(void);

/* Makes all cells, each with a store in a directory of its own below `dir`, and starts them. */
void sim_cells_init(struct sim *sim, const char *dir);
void sim_cells_done(struct sim *sim);

/* The wall clock as the cell sees it. */
uint64_t sim_cell_clock(const struct sim *sim, size_t cell);

/* Is it up, and not paused? */
bool sim_cell_runs(const struct sim *sim, size_t cell);

/* Makes a change and has it travel. Fails: as the job. */
struct kw_result sim_cell_write(struct sim *sim, size_t cell, SIM_JOB((*job)), void *context,
                                struct kw_error *err);

/* What it believes of everybody else: how old is the oldest promise, by its own clock? */
uint64_t sim_cell_staleness(const struct sim *sim, size_t cell);

void sim_cell_crash(struct sim *sim, size_t cell);
void sim_cell_start(struct sim *sim, size_t cell);

/* --- the network's --- */

void sim_cell_frame(struct sim *sim, size_t cell, size_t from, const struct kw_frame *frame);
void sim_cell_link_up(struct sim *sim, size_t cell, size_t other);
void sim_cell_link_down(struct sim *sim, size_t cell, size_t other);

#endif
