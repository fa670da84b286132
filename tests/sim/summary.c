/* Counts, and the names by which what was hostile was refused. */
#include "tests/sim/summary.h"

#include <stdio.h>

void sim_summary_add(struct sim_sum *sum, const struct sim *run)
{
    sum->seeds++;
#define ADD(name) sum->counts.name += run->counts.name;
    SIM_COUNTS(ADD)
#undef ADD
    sim_hostile_add(&sum->hostile, run->hostile);
}

static void print_attack(enum sim_attack attack, const struct sim_attempts *attempts)
{
    const struct sim_attack_row *row = sim_attack_row(attack);

    printf("| %s | %llu | ", row->text, (unsigned long long)attempts->count);
    for (size_t i = 0; i < SIM_REFUSALS_MAX && attempts->refusals[i].name != NULL; i++) {
        printf("%s%s %llu", i > 0 ? ", " : "", attempts->refusals[i].name,
               (unsigned long long)attempts->refusals[i].count);
    }
    printf(" | %llu%s |\n", (unsigned long long)attempts->believed, row->may ? ", as it may" : "");
}

void sim_summary_print(const struct sim_sum *sum)
{
    printf("| what | how often |\n| --- | --- |\n| seeds | %llu |\n",
           (unsigned long long)sum->seeds);
#define PRINT(name) printf("| %s | %llu |\n", #name, (unsigned long long)sum->counts.name);
    SIM_COUNTS(PRINT)
#undef PRINT
    printf("\n| hostile | tried | refused | taken |\n| --- | --- | --- | --- |\n");
    for (size_t i = SIM_NO_ATTACK + 1; i < SIM_ATTACK_END_; i++) {
        print_attack((enum sim_attack)i, &sum->hostile.attempts[i]);
    }
    printf("\n%llu seeds, 0 violations\n", (unsigned long long)sum->seeds);
}
