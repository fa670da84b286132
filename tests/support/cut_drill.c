/* One seed after the other. */
#include "tests/support/cut_drill.h"

#include "common/base/container.h"
#include "tests/support/crash_vfs.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OPS_MAX       128
#define GROUP_MAX     6
#define OPENING_STEPS 60
#define ARENA_SIZE    (4U << 20)

enum state {
    NOT_YET,
    UNKNOWN, /* handed in, not acknowledged */
    ACKNOWLEDGED,
    REFUSED,
};

/* What was seen over all seeds. */
struct report {
    uint32_t seeds;
    uint32_t cuts;
    uint32_t cuts_opening; /* while the store was opened: migrations, recovery */
    uint32_t acknowledged;
    uint32_t unknown_kept; /* never acknowledged, and there */
    uint32_t unknown_lost;
    uint32_t findings;
    char first[512]; /* the first finding, and how to see it again */
};

/* One seed's run. */
struct run {
    const struct cut_workload *workload;
    struct report *report;
    uint64_t seed;
    struct store_fixture store;
    enum state states[OPS_MAX + 1];
};

static struct run *running; /* for the jobs, which have no room for it */

/* --- findings --- */

static void finding(struct run *run, const char *what, uint32_t op, const char *detail)
{
    struct report *report = run->report;

    if (report->findings++ == 0) {
        (void)snprintf(report->first, sizeof(report->first),
                       "%s: %s (operation %u) %s; again with KEYWARD_CUT_SEED=%llu",
                       run->workload->name, what, op, detail, (unsigned long long)run->seed);
    }
}

/* --- jobs --- */

static struct kw_result apply_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    uint32_t op = (uint32_t)((struct store_test_job *)job)->id;
    struct kw_arena *arena = kw_arena_new(ARENA_SIZE);
    struct kw_result result = running->workload->apply(tx, op, arena, err);

    kw_arena_free(arena);
    return result;
}

static struct kw_result look_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct store_test_job *mine = (struct store_test_job *)job;
    struct kw_arena *arena = kw_arena_new(ARENA_SIZE);
    enum cut_found found = CUT_PARTIAL;
    struct kw_result result = running->workload->look(tx, (uint32_t)mine->id, arena, &found, err);

    mine->number = found;
    kw_arena_free(arena);
    return result;
}

static struct kw_result check_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(ARENA_SIZE);
    struct kw_result result = running->workload->check(tx, arena, err);

    (void)job;
    kw_arena_free(arena);
    return result;
}

/* --- looking --- */

static const char *wrong(enum state state, enum cut_found found)
{
    if (found == CUT_PARTIAL) {
        return "is there in part, or twice";
    }
    if (state == ACKNOWLEDGED && found == CUT_ABSENT) {
        return "was acknowledged and is lost";
    }
    if ((state == NOT_YET || state == REFUSED) && found == CUT_PRESENT) {
        return "was never done and is there";
    }
    return NULL;
}

static void count_unknown(struct run *run, enum state state, enum cut_found found)
{
    if (state == UNKNOWN) {
        run->report->unknown_kept += found == CUT_PRESENT;
        run->report->unknown_lost += found == CUT_ABSENT;
    }
}

static void look(struct run *run)
{
    struct store_test_job all = store_test_job(&run->store, check_run, 0, NULL);

    for (uint32_t op = 1; op <= run->workload->ops; op++) {
        struct store_test_job job = store_test_job(&run->store, look_run, op, NULL);
        const char *what;

        if (!kw_ok(store_test_read(&job))) {
            finding(run, "can't be looked at", op, job.job.error.message);
            return;
        }
        count_unknown(run, run->states[op], (enum cut_found)job.number);
        what = wrong(run->states[op], (enum cut_found)job.number);
        if (what != NULL) {
            finding(run, what, op, "");
        }
    }
    if (!kw_ok(store_test_read(&all))) {
        finding(run, "the whole does not hold", 0, all.job.error.message);
    }
}

/* Beside the store, as a stranger with SQLite's own tool would. */
static void look_from_outside(struct run *run)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    const char *answer = "";

    if (sqlite3_open_v2(run->store.path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        answer = (const char *)sqlite3_column_text(stmt, 0);
    }
    if (strcmp(answer, "ok") != 0) {
        finding(run, "integrity_check", 0, answer);
    }
    (void)sqlite3_finalize(stmt);
    if (sqlite3_prepare_v2(db, "PRAGMA foreign_key_check", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_DONE) {
        finding(run, "foreign_key_check", 0, sqlite3_errmsg(db));
    }
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
}

/* --- working --- */

static bool open_store(struct run *run)
{
    struct kw_error error = {0};
    struct kw_result opened = store_fixture_open(&run->store, run->workload->migrations,
                                                 run->workload->migration_count, &error);

    if (!kw_ok(opened) && !crash_disk_is_cut()) {
        finding(run, "the store can't be opened", 0, error.message);
    }
    return kw_ok(opened);
}

/* The next ones that are not settled, in order: what is not known is asked for again. */
static size_t choose(const struct run *run, uint32_t ops[GROUP_MAX])
{
    size_t most = 1 + crash_random(GROUP_MAX);
    size_t count = 0;

    for (uint32_t op = 1; op <= run->workload->ops && count < most; op++) {
        if (run->states[op] == NOT_YET || run->states[op] == UNKNOWN) {
            ops[count++] = op;
        }
    }
    return count;
}

static bool settle(struct run *run, const struct store_test_job *job)
{
    uint32_t op = (uint32_t)job->id;
    bool refuses = run->workload->refuses(op);

    if (kw_ok(job->job.result)) {
        run->states[op] = ACKNOWLEDGED;
    } else if (refuses && job->job.result.reason == KW_E_ARGUMENT_INVALID) {
        run->states[op] = REFUSED;
    } else if (!crash_disk_is_cut()) {
        finding(run, "failed on a disk that works", op, job->job.error.message);
        return false;
    }
    return kw_ok(job->job.result) || run->states[op] == REFUSED;
}

/* One group, handed in at once. False: nothing more to do, or the power is off. */
static bool work(struct run *run)
{
    struct store_test_job jobs[GROUP_MAX];
    uint32_t ops[GROUP_MAX];
    size_t count = choose(run, ops);
    size_t taken;
    bool alive = count > 0;

    for (size_t i = 0; i < count; i++) {
        jobs[i] = store_test_job(&run->store, apply_run, ops[i], NULL);
    }
    if (count == 0) {
        return false;
    }
    taken = store_test_write_all(&run->store, jobs, count);
    alive = taken == count;
    for (size_t i = 0; i < taken; i++) {
        store_test_wait(&jobs[i]);
        run->states[ops[i]] = run->states[ops[i]] == NOT_YET ? UNKNOWN : run->states[ops[i]];
        alive = settle(run, &jobs[i]) && alive;
    }
    return alive;
}

/* Work until the power goes or all is done; now and then a stop in good order, which copies the log.
 */
static void live(struct run *run)
{
    while (work(run)) {
        if (crash_random(12) == 0) {
            store_fixture_close(&run->store);
            if (!open_store(run)) {
                return;
            }
        }
    }
}

/* Anywhere; or while the store is opened; or at a sync, where what was written may be there though
 * nobody has been told. */
static void plan_cut(const struct cut_workload *workload)
{
    switch (crash_random(4)) {
    case 0:
        crash_disk_cut_at(1 + crash_random(OPENING_STEPS));
        break;
    case 1:
        crash_disk_cut_at_sync(1 + crash_random(workload->syncs));
        break;
    default:
        crash_disk_cut_at(1 + crash_random(workload->steps));
        break;
    }
}

/* A life that ends by a cut, at the latest when all is done. */
static void live_and_die(struct run *run)
{
    plan_cut(run->workload);
    run->report->cuts++;
    if (open_store(run)) {
        look(run);
        live(run);
    } else {
        run->report->cuts_opening++;
    }
    crash_disk_cut();
    store_fixture_close(&run->store);
    crash_disk_reboot();
}

static void live_to_the_end(struct run *run)
{
    if (!open_store(run)) {
        return;
    }
    look(run);
    live(run);
    look(run);
    for (uint32_t op = 1; op <= run->workload->ops; op++) {
        run->report->acknowledged += run->states[op] == ACKNOWLEDGED;
        if (run->states[op] == NOT_YET || run->states[op] == UNKNOWN) {
            finding(run, "could not be done", op, "");
        }
    }
    store_fixture_close(&run->store);
    look_from_outside(run);
}

static void run_seed(const struct cut_workload *workload, uint64_t seed, bool lies,
                     struct report *report)
{
    const struct crash_disk_options disk = {
        .seed = seed, .sector_size = seed % 2 == 0 ? 512 : 4096, .lies = lies};
    struct run run = {.workload = workload, .report = report, .seed = seed};
    uint64_t lives;

    running = &run;
    crash_disk_reset(&disk);
    store_fixture_init(&run.store);
    lives = 1 + crash_random(2);
    for (uint64_t life = 0; life < lives && report->findings == 0; life++) {
        live_and_die(&run);
    }
    if (report->findings == 0) {
        live_to_the_end(&run);
    }
    report->seeds++;
    store_fixture_done(&run.store);
}

/* --- the drill --- */

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static struct report drill(const struct cut_workload *workload, uint32_t seeds, bool lies)
{
    uint64_t first = from_environment("KEYWARD_CUT_SEED", 1);
    uint64_t count =
        getenv("KEYWARD_CUT_SEED") != NULL ? 1 : from_environment("KEYWARD_CUTS", seeds);
    struct report report = {0};

    cr_assert(workload->ops <= OPS_MAX);
    crash_vfs_install();
    for (uint64_t seed = first; seed < first + count && report.findings == 0; seed++) {
        run_seed(workload, seed, lies, &report);
    }
    (void)fprintf(
        stderr,
        "%s: %u seeds, %u cuts (%u while opening), %u acknowledged, unknown: %u there, %u "
        "not; %u findings\n",
        workload->name, report.seeds, report.cuts, report.cuts_opening, report.acknowledged,
        report.unknown_kept, report.unknown_lost, report.findings);
    return report;
}

void cut_drill_loses_nothing(const struct cut_workload *workload, uint32_t seeds)
{
    struct report report = drill(workload, seeds, false);

    cr_assert(report.findings == 0, "%s", report.first);
    cr_assert(report.acknowledged > 0, "%s: nothing was acknowledged in %u seeds", workload->name,
              report.seeds);
}

void cut_drill_finds_lies(const struct cut_workload *workload, uint32_t seeds)
{
    struct report report = drill(workload, seeds, true);

    cr_assert(report.findings > 0, "%s: in %u seeds nothing was missed on a disk that lies",
              workload->name, report.seeds);
}

/* --- for workloads --- */

enum cut_found cut_found_of(int64_t there, int64_t due)
{
    if (there == 0) {
        return CUT_ABSENT;
    }
    return there == due ? CUT_PRESENT : CUT_PARTIAL;
}

struct kw_result cut_number(struct kw_tx *tx, const char *sql, int64_t parameter,
                            int64_t *ret_number, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    kw_bind_i64(stmt, 1, parameter);
    KW_TRY(kw_step(stmt, &row, err));
    KW_ENSURE(row, err, INTERNAL, "no number: %s", sql);
    *ret_number = kw_col_i64(stmt, 0);
    return KW_OK;
}
