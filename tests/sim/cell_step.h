/* Steps: what a cell does a moment after it was asked to. A step whose cell has died meanwhile never
 * happens; one whose cell is paused happens when it goes on. */
#ifndef KW_TESTS_SIM_CELL_STEP_H
#define KW_TESTS_SIM_CELL_STEP_H

#include "tests/sim/cell.h"

struct sim_step {
    void (*run)(struct sim *sim, struct sim_cell *cell, struct sim_step *step);
    struct kw_ticket ticket;
    struct kw_buf data;
    uint64_t number;
    unsigned attack; /* hostile.h: what was done to the data; 0: nothing */
};

/* The step is filled in by the caller, before the simulation goes on. */
struct sim_step *sim_cell_later(struct sim *sim, struct sim_cell *cell, uint64_t after_ms,
                                void (*run)(struct sim *, struct sim_cell *, struct sim_step *));

/* The callbacks of the cell's replicator (cell_io.c). */
struct kw_replicator_io sim_cell_io(struct sim *sim, size_t cell);

/* What io callbacks are given. */
struct sim_at {
    struct sim *sim;
    size_t cell;
};

/* The cell's store holds this much of a lane: its replicator hears of it. */
void sim_cell_reached(struct sim *sim, struct sim_cell *cell, struct kw_id lane, size_t member,
                      struct kw_extent extent);

/* Its own lane has grown: tells the replicator of it, and of what is urgent. */
void sim_cell_nudge(struct sim *sim, struct sim_cell *cell);

#endif
