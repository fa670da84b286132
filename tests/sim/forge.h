/* A hostile relay: what it can make of a batch without the key of its store. */
#ifndef KW_TESTS_SIM_FORGE_H
#define KW_TESTS_SIM_FORGE_H

#include "tests/sim/sim.h"

/* Puts another change in the place of a batch's last, and promises beyond the truth, in the name of its
 * store, with a signature of the relay's own. What is no batch any more stays as it is. */
void sim_forge(struct sim *sim, struct kw_buf *batch);

#endif
