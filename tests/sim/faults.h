/* What goes wrong: all the while, by rates that are drawn, and a few great things of which a run has some. */
#ifndef KW_TESTS_SIM_FAULTS_H
#define KW_TESTS_SIM_FAULTS_H

#include "tests/sim/sim.h"

void sim_faults_begin(struct sim *sim);

/* The cell's store is fenced: what the cell has is of no more use, and it comes back with another one. */
void sim_faults_retire(struct sim *sim, size_t cell);

/* All of it ends: whoever is down comes back, and every link is made anew. */
void sim_faults_end(struct sim *sim);

#endif
