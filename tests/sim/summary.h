/* What was done in all runs together, as a table. */
#ifndef KW_TESTS_SIM_SUMMARY_H
#define KW_TESTS_SIM_SUMMARY_H

#include "tests/sim/hostile.h"

struct sim_sum {
    uint64_t seeds;
    struct sim_counts counts;
    struct sim_hostile hostile;
};

void sim_summary_add(struct sim_sum *sum, const struct sim *run);
void sim_summary_print(const struct sim_sum *sum);

#endif
