/* A transaction of the orchestrator that is undone after its call had its answer ready: the call is
 * done again, and what is answered is what was done. */
#include "tests/component/orchestrator_fixture.h"

#include <semaphore.h>
#include <time.h>

#define WAIT_S 30

static struct orch_fixture fx;

static void init(void)
{
    orch_fixture_init(&fx);
}

static void done(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator_undone, .init = init, .fini = done, .timeout = 120);

/* A write job of the test's. */
struct work {
    struct kw_store_job job;
    sem_t *gate;
    int64_t number;
    bool done;
};

static void work_done(struct kw_store_job *job)
{
    ((struct work *)job)->done = true;
}

static void submit(struct work *work,
                   struct kw_result (*run)(struct kw_store_job *job, struct kw_tx *tx,
                                           struct kw_error *err))
{
    work->job = (struct kw_store_job){.run = run, .done = work_done, .vital = true};
    MUST(kw_store_write(fx.orch.store, &work->job, err));
}

/* Until the gate opens, what is handed in waits, and is one group then. */
static struct kw_result wait_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct timespec end;

    (void)tx;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WAIT_S;
    KW_ENSURE(sem_timedwait(((struct work *)job)->gate, &end) == 0, err, SYSTEM, "no gate");
    return KW_OK;
}

/* Trouble that passes: the table is in use by the statement before. */
static struct kw_result trouble_run(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    (void)job;
    KW_TRY(kw_sql(tx, "SELECT name FROM sqlite_master", &stmt, err));
    KW_TRY(kw_step(stmt, &row, err));
    KW_TRY(kw_sql(tx, "DROP TABLE checkpoints", &stmt, err));
    return kw_exec(stmt, NULL, err);
}

/* As SQLite does by itself after some of it. */
static struct kw_result rollback_run(struct kw_store_job *job, struct kw_tx *tx,
                                     struct kw_error *err)
{
    struct kw_stmt *stmt;

    (void)job;
    KW_TRY(kw_sql(tx, "ROLLBACK", &stmt, err));
    return kw_exec(stmt, NULL, err);
}

static struct kw_result count_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, "SELECT count(*) FROM devices", &stmt, err));
    KW_TRY(kw_step(stmt, &row, err));
    ((struct work *)job)->number = kw_col_i64(stmt, 0);
    return KW_OK;
}

static struct kw_store_stats stats(void)
{
    struct kw_store_stats stats;

    kw_store_stats(fx.orch.store, &stats);
    return stats;
}

Test(orchestrator_undone, a_call_whose_write_was_undone_is_done_again_before_it_is_answered)
{
    static Keyward__V1__CreateBatchRequest body;
    static struct asked asked;
    struct asking asking = orch_batch_ask(&fx, &body, 2);
    sem_t gate;
    struct work wait = {.gate = &gate};
    struct work trouble = {0};
    struct work rollback = {0};
    struct work count = {0};
    const Keyward__V1__CreateBatchResponse *last;

    cr_assert(zero(int, sem_init(&gate, 0, 0)));
    submit(&wait, wait_run);
    EVENTUALLY(&fx, stats().writes_waiting == 0);
    orch_ask_start(&fx, &asking, &asked);
    EVENTUALLY(&fx, stats().writes_waiting == 1);
    submit(&trouble, trouble_run);
    submit(&rollback, rollback_run);
    cr_assert(zero(int, sem_post(&gate)));
    EVENTUALLY(&fx, asked.over && rollback.done);
    cr_assert(eq(int, trouble.job.result.reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(u64, stats().undone, 1));
    cr_assert(eq(int, asked.reason, KW_E_NONE));
    cr_assert(eq(sz, orch_chunk(&fx, &asked)->n_items, 2));
    last = (const Keyward__V1__CreateBatchResponse *)orch_message(
        &fx, &asked, 2, &keyward__v1__create_batch_response__descriptor);
    cr_assert(eq(u32, last->totals->batch->generated_count, 2));
    submit(&count, count_run);
    EVENTUALLY(&fx, count.done);
    cr_assert(eq(i64, count.number, 2));
    (void)sem_destroy(&gate);
}
