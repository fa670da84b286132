/* Each failpoint of the store, as an error and as an abort: a process writes until it ends; another
 * opens what it left. */
#include "common/base/failpoint.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FAILURE_S 30
#define ROWS      120 /* of 16 pages each: past a checkpoint */

static struct store_fixture f;

static const struct kw_migration schema[] = {
    {"0001_initial", "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT UNIQUE)"},
    {"0002_more", "CREATE TABLE more (id INTEGER PRIMARY KEY)"},
};

static STORE_TEST_RUN(insert_block)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, "INSERT INTO t (id, text) VALUES ($1, hex(randomblob(32768)))", &stmt, err));
    kw_bind_i64(stmt, 1, ((struct store_test_job *)job)->id);
    return kw_exec(stmt, NULL, err);
}

/* --- the process that fails --- */

/* The store says that it has failed after the job's answer. */
static bool has_failed_once(void)
{
    struct timespec end;
    bool once;

    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += FAILURE_S;
    pthread_mutex_lock(&f.mutex);
    while (f.failures == 0 && pthread_cond_timedwait(&f.changed, &f.mutex, &end) == 0) {
    }
    once = f.failures == 1;
    pthread_mutex_unlock(&f.mutex);
    return once;
}

static void write_rows(int report)
{
    for (int64_t id = 1; id <= ROWS; id++) {
        struct store_test_job job = store_test_job(&f, insert_block, id, NULL);

        if (!kw_ok(store_test_write(&job))) {
            _exit(has_failed_once() ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        if (write(report, &id, sizeof(id)) != sizeof(id)) {
            _exit(EXIT_FAILURE);
        }
    }
    _exit(EXIT_FAILURE); /* it should have failed */
}

static void child(const char *failpoint, int report)
{
    struct kw_error error = {0};

    if (setenv("KEYWARD_FAILPOINTS", failpoint, 1) != 0 || !kw_ok(kw_failpoint_load(&error))) {
        _exit(EXIT_FAILURE);
    }
    if (!kw_ok(store_fixture_open(&f, schema, 2, &error))) {
        _exit(strstr(error.message, "failpoint") != NULL ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    write_rows(report);
}

/* The last acknowledged row; the child ended as it should. */
static int64_t run_child(const char *failpoint, bool aborts)
{
    int64_t acknowledged = 0;
    int ends[2];
    int status;
    pid_t pid;

    cr_assert(zero(int, pipe(ends)));
    pid = fork();
    if (pid == 0) {
        child(failpoint, ends[1]);
    }
    (void)close(ends[1]);
    while (read(ends[0], &acknowledged, sizeof(acknowledged)) == sizeof(acknowledged)) {
    }
    (void)close(ends[0]);
    cr_assert(eq(int, waitpid(pid, &status, 0), pid));
    cr_assert(aborts ? WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT
                     : WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS,
              "%s: status %d", failpoint, status);
    return acknowledged;
}

/* --- the process after it --- */

static STORE_TEST_RUN(highest)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, "SELECT ifnull(max(id), 0) FROM t", &stmt, err));
    KW_TRY(kw_step(stmt, &row, err));
    ((struct store_test_job *)job)->number = kw_col_i64(stmt, 0);
    return KW_OK;
}

static void check_what_is_left(const char *failpoint, int64_t acknowledged)
{
    struct store_test_job job = store_test_job(&f, highest, 0, NULL);
    struct store_test_job next = store_test_job(&f, insert_block, ROWS + 1, NULL);
    struct kw_error error = {0};
    int64_t rows;

    cr_assert(kw_ok(store_fixture_open(&f, schema, 2, &error)), "%s: %s", failpoint, error.message);
    rows = store_test_rows(&f);
    cr_assert(zero(int, store_test_read(&job).reason));
    cr_assert(eq(i64, job.number, rows), "%s", failpoint); /* none is missing among them */
    cr_assert(rows == acknowledged || rows == acknowledged + 1, "%s: %lld, acknowledged %lld",
              failpoint, (long long)rows, (long long)acknowledged);
    cr_assert(zero(int, store_test_write(&next).reason), "%s", failpoint);
}

static void try_failpoint(const char *name, const char *action)
{
    char text[96];
    int64_t acknowledged;

    (void)snprintf(text, sizeof(text), "%s=%s", name, action);
    store_fixture_init(&f);
    acknowledged = run_child(text, strcmp(action, "abort") == 0);
    check_what_is_left(text, acknowledged);
    store_fixture_done(&f);
}

Test(store_failpoints, lose_nothing_that_was_acknowledged, .timeout = 120)
{
    int tried = 0;

    for (int i = 0; i < KW_FP_COUNT_; i++) {
        const char *name = kw_failpoint_row((enum kw_failpoint)i)->name;

        if (strncmp(name, "store.", 6) == 0) {
            try_failpoint(name, "error");
            try_failpoint(name, "abort");
            tried++;
        }
    }
    cr_assert(eq(int, tried, 6));
}
