/* A cell: one owner's store with its feed, and the replicator's mind. What stands here between the two,
 * the owner's side of the hop and the replicator's, is the simulator's own; everything it calls is not. */
#ifndef KW_TESTS_SIM_CELL_H
#define KW_TESTS_SIM_CELL_H

#include "common/crypto/key.h"
#include "common/feed/feed_apply.h"
#include "common/feed/feed_freshness.h"
#include "common/feed/feed_peers.h"
#include "services/replicator/core/replicator.h"
#include "tests/sim/desk.h"
#include "tests/sim/sim.h"
#include "tests/sim/store.h"

enum {
    SIM_LANES_MAX = 128,
};

/* What the cell knows of a lane without asking its store. */
struct sim_lane {
    struct kw_id id;
    size_t member; /* whose */
    struct kw_extent extent;
};

struct sim_cell {
    size_t index;
    struct kw_place place;
    size_t peer_cells[SIM_CELLS_MAX];
    size_t peer_count;
    char path[128]; /* of its disk */
    size_t disks;   /* it had before */
    bool up;
    uint64_t life;      /* of its processes */
    uint64_t paused_ms; /* until then nothing of it runs */
    int64_t skew_ms;    /* of its clock */
    struct kw_id store_id;
    size_t member; /* that store */
    struct sim_told told[SIM_STORES_MAX];
    uint64_t since_ms; /* when this store, or this copy of it, began here */
    bool is_new;       /* its disk is empty: it joins by `donor` */
    bool has_copy;     /* of its disk, put aside */
    bool is_copy;      /* its disk is an older one: the next start is a new life */
    bool joining;      /* by a snapshot */
    bool lied_to;      /* that somebody has more of its store's lanes than there is */
    size_t donor;      /* a cell */
    uint64_t donors;   /* a bit for each member it asked since it began to join */
    uint64_t asked;    /* questions; who waits for an answer knows which */
    const struct kw_private_key *key;
    struct sim_store *store;
    struct kw_feed feed;
    struct kw_replicator *replicator;
    struct sim_lane lanes[SIM_LANES_MAX];
    size_t lane_count;
    struct sim_missed {
        struct kw_id lane;
        uint64_t seq;
        uint64_t since_ms;
    } missed[SIM_LANES_MAX]; /* what peers have no more of it */
    size_t missed_count;
    uint64_t acked[SIM_STORES_MAX]
                  [SIM_STORES_MAX * SIM_LIVES_MAX]; /* by stores, of lanes: trim.c */
    uint64_t say_ms;                                /* when it next says what it holds */
    uint64_t floors[SIM_STORES_MAX * SIM_LIVES_MAX + 1];
    struct kw_id own;               /* its lane now */
    struct kw_lane_point urgent_at; /* of its lane, told to the replicator */
};

/* Makes all cells, each with a disk of its own, and starts them. */
void sim_cells_init(struct sim *sim);
void sim_cells_done(struct sim *sim);

/* One more cell, in a region that is there; it knows its peers, and they know it. */
void sim_cells_add(struct sim *sim);

/* How far it holds a lane, also while it is down. */
uint64_t sim_cell_holds(const struct sim *sim, size_t cell, struct kw_id lane);

/* Is it up and has all rows? */
bool sim_cell_serves(const struct sim *sim, size_t cell);

/* The lanes that its store holds: all, anew. */
void sim_cell_load(struct sim *sim, size_t cell);

/* The wall clock as the cell sees it. */
uint64_t sim_cell_clock(const struct sim *sim, size_t cell);

/* Is it up, and not paused? */
bool sim_cell_runs(const struct sim *sim, size_t cell);

/* Makes a change and has it travel. Fails: as the job. */
struct kw_result sim_cell_write(struct sim *sim, size_t cell, SIM_JOB((*job)), void *context,
                                struct kw_error *err);

/* What it believes of everybody else: how old is the oldest promise, by its own clock? */
struct kw_freshness sim_cell_freshness(struct sim *sim, size_t cell);
uint64_t sim_cell_staleness(struct sim *sim, size_t cell);

void sim_cell_crash(struct sim *sim, size_t cell);
void sim_cell_start(struct sim *sim, size_t cell);

/* --- the network's --- */

void sim_cell_frame(struct sim *sim, size_t cell, size_t from, const struct kw_frame *frame);
void sim_cell_link_up(struct sim *sim, size_t cell, size_t other);
void sim_cell_link_down(struct sim *sim, size_t cell, size_t other);

#endif
