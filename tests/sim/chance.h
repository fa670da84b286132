/* Chance for what asks the kernel or OpenSSL for it: ids, keys and signatures are the seed's, too. */
#ifndef KW_TESTS_SIM_CHANCE_H
#define KW_TESTS_SIM_CHANCE_H

#include "tests/sim/sim.h"

/* From here on this run's. NULL: the same few for every run, for what outlives one. */
void sim_chance_of(struct sim *sim);

#endif
