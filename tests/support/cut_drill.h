/* A power-cut drill: a workload of real tables on common/store over crash_vfs, cut at a random step,
 * restarted, and looked at. What the store acknowledged must be there whole; what it did not must be
 * there whole or not at all; asked for again under the same request, everything must be there once.
 *
 * Everything random comes from one seed. KEYWARD_CUTS says how many seeds a drill runs,
 * KEYWARD_CUT_SEED that it is this one alone (what a finding names).
 */
#ifndef KW_TESTS_SUPPORT_CUT_DRILL_H
#define KW_TESTS_SUPPORT_CUT_DRILL_H

#include "common/base/arena.h"
#include "common/store/store.h"

enum cut_found {
    CUT_ABSENT,
    CUT_PRESENT,
    CUT_PARTIAL, /* some of it, or more than it */
};

/* Operations are numbered from 1. One that `refuses` fails after it has written something. */
struct cut_workload {
    const char *name;
    const struct kw_migration *migrations;
    size_t migration_count;
    uint32_t ops;
    uint32_t steps; /* about as many as a run without a cut takes */
    uint32_t syncs; /* of them */
    bool (*refuses)(uint32_t op);
    /* Does it, or finds under its request id that it is done. */
    struct kw_result (*apply)(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                              struct kw_error *err);
    struct kw_result (*look)(struct kw_tx *tx, uint32_t op, struct kw_arena *arena,
                             enum cut_found *ret_found, struct kw_error *err);
    /* What holds of the whole database; fails with what does not. */
    struct kw_result (*check)(struct kw_tx *tx, struct kw_arena *arena, struct kw_error *err);
};

/* Each once a process, over as many seeds as the environment says, else `seeds`. The test fails when
 * something acknowledged was lost, or nothing was acknowledged. */
void cut_drill_loses_nothing(const struct cut_workload *workload, uint32_t seeds);

/* The drill would notice: on a disk whose syncs do nothing it must find something. */
void cut_drill_finds_lies(const struct cut_workload *workload, uint32_t seeds);

/* For look functions: absent when nothing, present when exactly what is due is there. */
enum cut_found cut_found_of(int64_t there, int64_t due);

/* The one number that `sql` answers with $1 = `parameter`. */
struct kw_result cut_number(struct kw_tx *tx, const char *sql, int64_t parameter,
                            int64_t *ret_number, struct kw_error *err);

#endif
