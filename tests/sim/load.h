/* What clients ask of cells: partners, grants, and what stops them; the same request in two cells; uses. */
#ifndef KW_TESTS_SIM_LOAD_H
#define KW_TESTS_SIM_LOAD_H

#include "tests/sim/truth.h"

/* One operation, drawn, in a cell that is up. */
void sim_load_one(struct sim *sim);

#endif
