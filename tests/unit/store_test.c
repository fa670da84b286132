/* The store's jobs, on any database: groups, isolation of failures, snapshots, limits. */
#include "common/base/failpoint.h"
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <semaphore.h>
#include <stdlib.h>

static struct store_fixture f;

static void set_up(void)
{
    struct kw_error err = {0};

    store_fixture_init(&f);
    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, &err)), "%s", err.message);
}

static void tear_down(void)
{
    store_fixture_done(&f);
}

TestSuite(store, .init = set_up, .fini = tear_down);

static enum kw_reason insert(int64_t id, const char *text)
{
    struct store_test_job job = store_test_job(&f, store_test_insert, id, text);

    return store_test_write(&job).reason;
}

static struct kw_store_stats stats(void)
{
    struct kw_store_stats now;

    kw_store_stats(f.store, &now);
    return now;
}

/* A job that stands still until the test lets it go. */
static sem_t standing;
static sem_t released;

static void stand_still(void)
{
    sem_post(&standing);
    while (sem_wait(&released) != 0) {
    }
}

static struct kw_result run_and_stand(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *err)
{
    (void)job;
    (void)tx;
    (void)err;
    stand_still();
    return KW_OK;
}

static void hold_writer(struct store_test_job *holder)
{
    sem_init(&standing, 0, 0);
    sem_init(&released, 0, 0);
    *holder = store_test_job(&f, run_and_stand, 0, NULL);
    cr_assert(eq(sz, store_test_write_all(&f, holder, 1), 1));
    sem_wait(&standing);
}

Test(store, a_read_sees_what_was_written)
{
    cr_assert(eq(int, insert(1, "one"), KW_E_NONE));
    cr_assert(eq(i64, store_test_rows(&f), 1));
    cr_assert(eq(u64, stats().reads, 1));
}

Test(store, jobs_of_one_turn_share_a_commit)
{
    struct store_test_job jobs[KW_STORE_GROUP_MAX];
    struct store_test_job holder;

    hold_writer(&holder);
    for (int i = 0; i < KW_STORE_GROUP_MAX; i++) {
        jobs[i] = store_test_job(&f, store_test_insert, i, NULL);
    }
    cr_assert(eq(sz, store_test_write_all(&f, jobs, KW_STORE_GROUP_MAX), KW_STORE_GROUP_MAX));
    sem_post(&released);
    for (int i = 0; i < KW_STORE_GROUP_MAX; i++) {
        store_test_wait(&jobs[i]);
    }
    cr_assert(eq(u64, stats().writes, 1 + KW_STORE_GROUP_MAX));
    cr_assert(eq(u64, stats().commits, 1 + 1));
}

Test(store, a_group_has_a_limit)
{
    enum {
        COUNT = KW_STORE_GROUP_MAX + 10
    };
    static struct store_test_job jobs[COUNT];
    struct store_test_job holder;

    hold_writer(&holder);
    for (int i = 0; i < COUNT; i++) {
        jobs[i] = store_test_job(&f, store_test_insert, i, NULL);
    }
    cr_assert(eq(sz, store_test_write_all(&f, jobs, COUNT), COUNT));
    sem_post(&released);
    store_test_wait(&jobs[COUNT - 1]);
    cr_assert(eq(u64, stats().commits, 1 + 2));
    cr_assert(eq(i64, kw_metric_value(KW_M_STORE_COMMITS, NULL), 1 + 2));
    cr_assert(eq(i64, store_test_rows(&f), COUNT));
}

/* Inserts and then thinks better of it. */
static struct kw_result insert_and_fail(struct kw_store_job *job, struct kw_tx *tx,
                                        struct kw_error *err)
{
    KW_TRY(store_test_insert(job, tx, err));
    KW_FAIL(err, STATE_CONFLICT, "not today");
}

Test(store, a_failing_job_is_rolled_back_alone)
{
    struct store_test_job jobs[] = {
        store_test_job(&f, store_test_insert, 1, "before"),
        store_test_job(&f, insert_and_fail, 2, "failing"),
        store_test_job(&f, store_test_insert, 3, "after"),
    };
    struct store_test_job holder;

    hold_writer(&holder);
    store_test_write_all(&f, jobs, 3);
    sem_post(&released);
    store_test_wait(&jobs[2]);
    cr_assert(eq(int, jobs[0].job.result.reason, KW_E_NONE));
    cr_assert(eq(int, jobs[1].job.result.reason, KW_E_STATE_CONFLICT));
    cr_assert(eq(str, jobs[1].job.error.message, "not today"));
    cr_assert(eq(int, jobs[2].job.result.reason, KW_E_NONE));
    cr_assert(eq(u64, stats().commits, 1 + 1));
    cr_assert(eq(u64, stats().writes_failed, 1));
    cr_assert(eq(i64, store_test_rows(&f), 2));
}

/* Counts, lets others write, and counts again. */
static struct kw_result count_twice(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct store_test_job *mine = (struct store_test_job *)job;
    int64_t first;

    KW_TRY(store_test_count(job, tx, err));
    first = mine->number;
    stand_still();
    KW_TRY(store_test_count(job, tx, err));
    mine->number -= first;
    return KW_OK;
}

static void read_on_loop(void *context)
{
    cr_assert(kw_ok(kw_store_read(f.store, context, NULL)));
}

/* A read job in the middle of its transaction. */
static void hold_reader(struct store_test_job *holder)
{
    sem_init(&standing, 0, 0);
    sem_init(&released, 0, 0);
    *holder = store_test_job(&f, count_twice, 0, NULL);
    store_fixture_call(&f, read_on_loop, &holder->job);
    sem_wait(&standing);
}

Test(store, a_read_job_sees_one_state_throughout)
{
    struct store_test_job reader;

    hold_reader(&reader);
    cr_assert(eq(int, insert(1, "meanwhile"), KW_E_NONE));
    sem_post(&released);
    store_test_wait(&reader);
    cr_assert(eq(int, reader.job.result.reason, KW_E_NONE));
    cr_assert(eq(i64, reader.number, 0));
    cr_assert(eq(i64, store_test_rows(&f), 1));
}

Test(store, a_full_queue_refuses)
{
    struct store_test_job *jobs = calloc(KW_STORE_JOBS_MAX + 1, sizeof(*jobs));
    struct store_test_job holder;

    hold_writer(&holder);
    for (int i = 0; i <= KW_STORE_JOBS_MAX; i++) {
        jobs[i] = store_test_job(&f, store_test_insert, i, NULL);
    }
    cr_assert(eq(sz, store_test_write_all(&f, jobs, KW_STORE_JOBS_MAX), KW_STORE_JOBS_MAX));
    cr_assert(eq(u64, stats().writes_waiting, KW_STORE_JOBS_MAX));
    cr_assert(eq(i64, kw_metric_value(KW_M_QUEUE, "store_writes"), KW_STORE_JOBS_MAX));
    cr_assert(eq(int, store_test_write(&jobs[KW_STORE_JOBS_MAX]).reason, KW_E_LIMIT_REACHED));
    sem_post(&released);
    store_test_wait(&jobs[KW_STORE_JOBS_MAX - 1]);
    cr_assert(eq(i64, kw_metric_value(KW_M_QUEUE, "store_writes"), 0));
    cr_assert(eq(i64, store_test_rows(&f), KW_STORE_JOBS_MAX));
    free(jobs);
}

static void write_and_close_on_loop(void *context)
{
    struct store_test_job *jobs = context;

    for (int i = 0; i < 3; i++) {
        cr_assert(kw_ok(kw_store_write(f.store, &jobs[i].job, NULL)));
    }
    kw_store_close(f.store);
    f.store = NULL;
}

Test(store, closing_finishes_what_is_queued)
{
    struct store_test_job jobs[] = {
        store_test_job(&f, store_test_insert, 1, NULL),
        store_test_job(&f, store_test_insert, 2, NULL),
        store_test_job(&f, store_test_insert, 3, NULL),
    };

    store_fixture_call(&f, write_and_close_on_loop, jobs);
    store_test_wait(&jobs[2]);
    cr_assert(eq(int, jobs[2].job.result.reason, KW_E_NONE));
    store_fixture_close(&f);
    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, NULL)));
    cr_assert(eq(i64, store_test_rows(&f), 3));
}

/* --- what is to be done once it is durable --- */

static struct kw_commit_hook hook;
static unsigned hook_runs;
static unsigned runs_when_done;

static void count_run(struct kw_commit_hook *ran)
{
    (void)ran;
    hook_runs++;
}

static void note_done(struct kw_store_job *job)
{
    struct store_test_job *mine = (struct store_test_job *)job;

    runs_when_done = hook_runs;
    pthread_mutex_lock(&f.mutex);
    mine->answered = true;
    pthread_cond_broadcast(&f.changed);
    pthread_mutex_unlock(&f.mutex);
}

static struct kw_result mark_twice(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    (void)job;
    (void)err;
    kw_tx_mark(tx, &hook);
    kw_tx_mark(tx, &hook);
    return KW_OK;
}

static void mark(void)
{
    struct store_test_job job = store_test_job(&f, mark_twice, 0, NULL);

    job.job.done = note_done;
    store_test_write_all(&f, &job, 1);
    store_test_wait(&job);
}

Test(store, a_hook_runs_once_for_its_group_before_anybody_is_told)
{
    hook = (struct kw_commit_hook){.run = count_run};
    mark();
    cr_assert(eq(uint, runs_when_done, 1));
    mark();
    cr_assert(eq(uint, runs_when_done, 2));
    cr_assert(eq(int, insert(1, "unmarked"), KW_E_NONE));
    cr_assert(eq(uint, hook_runs, 2));
}

Test(store, a_hook_does_not_run_for_what_is_not_durable)
{
    hook = (struct kw_commit_hook){.run = count_run};
    setenv("KEYWARD_FAILPOINTS", "store.before_commit=error", 1);
    cr_assert(kw_ok(kw_failpoint_load(NULL)));
    mark();
    cr_assert(eq(uint, hook_runs, 0));
    cr_assert(not(hook.marked));
}

/* --- what a job puts off --- */

struct later {
    struct kw_tx_late late;
    int64_t id; /* of the row that it writes */
};

static struct kw_result write_later(struct kw_tx_late *late, struct kw_tx *tx, struct kw_error *err)
{
    struct store_test_job row = store_test_job(&f, NULL, ((struct later *)late)->id++, NULL);

    return store_test_insert(&row.job, tx, err);
}

static struct later later;
static int64_t rows_before; /* in the job, of what was put off and not written */

static struct kw_result put_off_twice(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *err)
{
    kw_tx_put_off(tx, &later.late);
    kw_tx_put_off(tx, &later.late);
    KW_TRY(store_test_count(job, tx, err));
    rows_before = ((struct store_test_job *)job)->number;
    return KW_OK;
}

static struct kw_result put_off_and_catch_up(struct kw_store_job *job, struct kw_tx *tx,
                                             struct kw_error *err)
{
    KW_TRY(put_off_twice(job, tx, err));
    KW_TRY(kw_tx_catch_up(tx, err));
    return store_test_count(job, tx, err);
}

static struct kw_result put_off_and_fail(struct kw_store_job *job, struct kw_tx *tx,
                                         struct kw_error *err)
{
    KW_TRY(put_off_twice(job, tx, err));
    KW_FAIL(err, STATE_CONFLICT, "not today");
}

static struct store_test_job put_off(STORE_TEST_RUN((*run)))
{
    struct store_test_job job = store_test_job(&f, run, 0, NULL);

    cr_assert(eq(int, store_test_write(&job).reason, job.job.result.reason));
    cr_assert(not(later.late.owed));
    return job;
}

Test(store, what_is_put_off_is_written_once_when_the_rest_is_done)
{
    later = (struct later){.late = {.write = write_later}, .id = 1};
    cr_assert(eq(int, put_off(put_off_twice).job.result.reason, KW_E_NONE));
    cr_assert(eq(i64, rows_before, 0));
    cr_assert(eq(i64, store_test_rows(&f), 1));
    cr_assert(eq(int, put_off(put_off_twice).job.result.reason, KW_E_NONE));
    cr_assert(eq(i64, store_test_rows(&f), 2), "it may be put off in every job");
}

Test(store, who_wants_to_see_what_was_put_off_has_it_written_first)
{
    later = (struct later){.late = {.write = write_later}, .id = 1};
    cr_assert(eq(i64, put_off(put_off_and_catch_up).number, 1));
    cr_assert(eq(i64, store_test_rows(&f), 1), "and it is not written again");
}

Test(store, a_job_that_fails_has_put_nothing_off)
{
    later = (struct later){.late = {.write = write_later}, .id = 1};
    cr_assert(eq(int, put_off(put_off_and_fail).job.result.reason, KW_E_STATE_CONFLICT));
    cr_assert(eq(int, insert(7, NULL), KW_E_NONE));
    cr_assert(eq(i64, store_test_rows(&f), 1), "nor in the next job");
}

Test(store, a_job_whose_rest_can_not_be_written_fails)
{
    later = (struct later){.late = {.write = write_later}, .id = 1};
    cr_assert(eq(int, insert(1, NULL), KW_E_NONE));
    cr_assert(eq(int, put_off(put_off_twice).job.result.reason, KW_E_ALREADY_EXISTS));
    cr_assert(eq(int, put_off(put_off_twice).job.result.reason, KW_E_NONE), "the id is the next");
    cr_assert(eq(i64, store_test_rows(&f), 2));
}
