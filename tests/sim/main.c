/* keyward-sim: runs seeds. --seed=N: that one; --seeds=N: so many, from --seed on; --trace: every step. */
#include "common/base/log.h"
#include "tests/sim/cell.h"
#include "tests/sim/chance.h"
#include "tests/sim/summary.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run_seeds(struct sim_options *options, uint64_t seeds)
{
    static struct sim_sum sum;
    uint64_t trace_hash;

    for (uint64_t i = 0; i < seeds; i++) {
        sim_run(options, &sum, &trace_hash);
        options->seed++;
    }
    if (seeds == 1) {
        printf("trace %016llx\n", (unsigned long long)trace_hash);
    }
    sim_summary_print(&sum);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"seed", required_argument, NULL, 's'},
                                          {"seeds", required_argument, NULL, 'n'},
                                          {"ops", required_argument, NULL, 'o'},
                                          {"trace", no_argument, NULL, 't'},
                                          {0}};
    struct sim_options options = {.seed = 1, .ops = 2000, .regions = 3, .letters = 3};
    uint64_t seeds = 1;
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 's') {
            options.seed = strtoull(optarg, NULL, 10);
        } else if (option == 'n') {
            seeds = strtoull(optarg, NULL, 10);
        } else if (option == 'o') {
            options.ops = strtoull(optarg, NULL, 10);
        } else if (option == 't') {
            options.trace = true;
        } else {
            return 2;
        }
    }
    kw_log_setup("keyward-sim", "", KW_LOG_ERROR + 1);
    sim_chance_of(NULL);
    sim_desk_make_keys();
    run_seeds(&options, seeds);
    return 0;
}
