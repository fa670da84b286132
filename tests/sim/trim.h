/* Trimming: a cell deletes changes that all have, and nothing else. */
#ifndef KW_TESTS_SIM_TRIM_H
#define KW_TESTS_SIM_TRIM_H

#include "tests/sim/cell.h"

/* A peer's store said to the cell that it has so much of a lane. */
void sim_trim_acked(struct sim *sim, struct sim_cell *cell, struct kw_id store, struct kw_id lane,
                    uint64_t seq);

/* What the cell holds, said in its lane, now and then: for those that it is not linked with. */
void sim_trim_say(struct sim *sim, struct sim_cell *cell);

/* What is not kept of a lane, since the cell joined after it. */
void sim_trim_floor(const struct sim *sim, struct sim_cell *cell, const struct kw_feed_lane *lane);

/* Deletes what may be, and looks that nothing else was: of what a member has not acknowledged only what lies
 * further back than is kept. Ends the run if not. */
void sim_trim(struct sim *sim, struct sim_cell *cell);

#endif
