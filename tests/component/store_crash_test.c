/* What survives when the process does not: a child writes and reports every acknowledged row; it is
 * killed; the parent opens the same database and looks.
 */
#include "common/base/failpoint.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct store_fixture f;

static void set_up(void)
{
    store_fixture_init(&f);
}

static void tear_down(void)
{
    store_fixture_done(&f);
}

TestSuite(store_crash, .init = set_up, .fini = tear_down);

/* --- the child --- */

/* Writes rows 1, 2, 3 … for ever, several at a time, and puts the number of each acknowledged one
 * into `report`. */
static void write_for_ever(int report)
{
    enum {
        AT_ONCE = 8
    };
    struct store_test_job jobs[AT_ONCE];

    for (int64_t next = 1;;) {
        for (int i = 0; i < AT_ONCE; i++) {
            jobs[i] = store_test_job(&f, store_test_insert, next++, NULL);
        }
        store_test_write_all(&f, jobs, AT_ONCE);
        for (int i = 0; i < AT_ONCE; i++) {
            store_test_wait(&jobs[i]);
            if (!kw_ok(jobs[i].job.result) || write(report, &jobs[i].id, sizeof(int64_t)) < 0) {
                _exit(2);
            }
        }
    }
}

/* Writes them one at a time, so that the n-th commit is row n. */
static void write_one_by_one(int report)
{
    for (int64_t next = 1;; next++) {
        struct store_test_job job = store_test_job(&f, store_test_insert, next, NULL);

        if (!kw_ok(store_test_write(&job)) || write(report, &next, sizeof(next)) < 0) {
            _exit(2);
        }
    }
}

/* Starts a child that opens the store and runs `body`; `*ret_report` is the reading end of its
 * pipe. */
static pid_t start_child(void (*body)(int report), const char *failpoints, int *ret_report)
{
    int pipe_ends[2];
    pid_t child;

    cr_assert(zero(int, pipe(pipe_ends)));
    child = fork();
    if (child == 0) {
        (void)close(pipe_ends[0]);
        setenv("KEYWARD_FAILPOINTS", failpoints, 1);
        if (kw_ok(kw_failpoint_load(NULL)) &&
            kw_ok(store_fixture_open(&f, store_test_schema, 1, NULL))) {
            body(pipe_ends[1]);
        }
        _exit(3);
    }
    (void)close(pipe_ends[1]);
    *ret_report = pipe_ends[0];
    return child;
}

/* The signal that ended it; 0 when it ended by itself. */
static int wait_child(pid_t child)
{
    int status = 0;

    cr_assert(eq(int, waitpid(child, &status, 0), child));
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* The highest number reported until the pipe ends, or until `enough`. */
static int64_t read_reports(int report, int64_t enough)
{
    int64_t number = 0;

    while (number < enough && read(report, &number, sizeof(number)) == sizeof(number)) {
    }
    return number;
}

/* --- the parent --- */

static struct kw_result check_row(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct store_test_job *mine = (struct store_test_job *)job;
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, "SELECT count(*) FROM t WHERE id <= $1", &stmt, err));
    kw_bind_i64(stmt, 1, mine->id);
    KW_TRY(kw_step(stmt, &row, err));
    mine->number = kw_col_i64(stmt, 0);
    return KW_OK;
}

static int64_t rows_up_to(int64_t id)
{
    struct store_test_job job = store_test_job(&f, check_row, id, NULL);

    cr_assert(eq(int, store_test_read(&job).reason, KW_E_NONE));
    return job.number;
}

Test(store_crash, every_acknowledged_row_survives_kill)
{
    for (int round = 1; round <= 3; round++) {
        struct kw_error err = {0};
        int report;
        pid_t child = start_child(write_for_ever, "", &report);
        int64_t last;

        cr_assert(ge(i64, read_reports(report, 200 * round), 200 * round));
        cr_assert(zero(int, kill(child, SIGKILL)));
        cr_assert(eq(int, wait_child(child), SIGKILL));
        last = read_reports(report, INT64_MAX);
        last = last > 200 * round ? last : 200 * round;
        (void)close(report);
        cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, &err)), "%s", err.message);
        cr_assert(eq(i64, rows_up_to(last), last));
        store_fixture_done(&f);
        store_fixture_init(&f);
    }
}

Test(store_crash, killed_before_the_commit_the_row_is_absent)
{
    int report;
    pid_t child = start_child(write_one_by_one, "store.before_commit=abort:5", &report);

    cr_assert(eq(int, wait_child(child), SIGABRT));
    cr_assert(eq(i64, read_reports(report, INT64_MAX), 4));
    (void)close(report);
    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, NULL)));
    cr_assert(eq(i64, store_test_rows(&f), 4));
}

Test(store_crash, killed_after_the_commit_the_row_is_present_though_unacknowledged)
{
    int report;
    pid_t child = start_child(write_one_by_one, "store.after_commit=abort:5", &report);

    cr_assert(eq(int, wait_child(child), SIGABRT));
    cr_assert(eq(i64, read_reports(report, INT64_MAX), 4));
    (void)close(report);
    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, NULL)));
    cr_assert(eq(i64, store_test_rows(&f), 5));
}
