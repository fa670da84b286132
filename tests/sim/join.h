/* Joining by a snapshot: a cell asks a peer for everything, answer by answer. Questions and answers go by a
 * relay, which may lose them, keep them, and alter them. */
#ifndef KW_TESTS_SIM_JOIN_H
#define KW_TESTS_SIM_JOIN_H

#include "tests/sim/cell.h"

/* The cell has no rows, or lacks what its peers have no more. `donor`: whom it asks first; another one, if that
 * does not answer. */
void sim_join_begin(struct sim *sim, size_t cell, size_t donor);

/* It has started: if it was joining it goes on. A new store begins to. */
void sim_join_resume(struct sim *sim, size_t cell);

/* A peer has trimmed what the cell needs of a lane, and tells it so. If nobody brings it either, the cell joins
 * once more, by that peer. */
void sim_join_tell(struct sim *sim, size_t from, size_t cell, struct kw_id lane);

#endif
