/* What clients ask of cells: partners, grants, and what stops them; the same request in two cells; uses. */
#ifndef KW_TESTS_SIM_LOAD_H
#define KW_TESTS_SIM_LOAD_H

#include "tests/sim/truth.h"

/* One operation, drawn, in a cell that is up. */
void sim_load_one(struct sim *sim);

/* One by its name, that grant's, in that cell; false: it did nothing. */
bool sim_load_on(struct sim *sim, const char *name, size_t cell, size_t grant);

/* A grant that has been there for a while, and is not revoked, nor its partner; false: there is none. */
bool sim_load_find(const struct sim *sim, size_t *ret_grant);

#endif
