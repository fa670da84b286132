/* What SQLite's file keeps out: a second process, and one that may not write there. */
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UID_NOBODY 65534

static struct store_fixture f;

static void set_up(void)
{
    store_fixture_init(&f);
}

static void tear_down(void)
{
    store_fixture_done(&f);
}

TestSuite(store_alone, .init = set_up, .fini = tear_down);

/* A child that runs `body`; what it reports is read from `*ret_report`. */
static pid_t start_child(void (*body)(int report), int *ret_report)
{
    int pipe_ends[2];
    pid_t child;

    cr_assert(zero(int, pipe(pipe_ends)));
    child = fork();
    if (child == 0) {
        body(pipe_ends[1]);
        _exit(3);
    }
    (void)close(pipe_ends[1]);
    *ret_report = pipe_ends[0];
    return child;
}

static int64_t read_report(int report)
{
    int64_t number = -1;

    cr_assert(eq(sz, (size_t)read(report, &number, sizeof(number)), sizeof(number)));
    (void)close(report);
    return number;
}

static void open_and_stay(int report)
{
    int64_t reason = store_fixture_open(&f, store_test_schema, 1, NULL).reason;

    if (write(report, &reason, sizeof(reason)) == sizeof(reason)) {
        (void)pause();
    }
}

Test(store_alone, a_running_process_keeps_others_out)
{
    struct kw_error err = {0};
    char expected[160];
    int report;
    int status = 0;
    pid_t child = start_child(open_and_stay, &report);

    cr_assert(eq(i64, read_report(report), KW_E_NONE));
    (void)snprintf(expected, sizeof(expected), "the database %s is in use by process %d", f.path,
                   (int)child);
    cr_assert(
        eq(int, store_fixture_open(&f, store_test_schema, 1, &err).reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(str, err.message, expected));
    cr_assert(zero(int, kill(child, SIGKILL)));
    cr_assert(eq(int, waitpid(child, &status, 0), child));
}

/* Opens as somebody who may not write there, and reports the reason. */
static void open_as_nobody(int report)
{
    struct kw_error err = {0};
    int64_t reason;

    if (geteuid() == 0 && setuid(UID_NOBODY) != 0) {
        _exit(4);
    }
    reason = store_fixture_open(&f, store_test_schema, 1, &err).reason;
    if (write(report, &reason, sizeof(reason)) < 0) {
        _exit(2);
    }
    _exit(strstr(err.message, f.dir) != NULL && strstr(err.message, "denied") != NULL ? 0 : 5);
}

Test(store_alone, a_read_only_directory_is_a_clear_failure)
{
    int report;
    int status = 0;
    pid_t child;

    cr_assert(zero(int, chmod(f.dir, 0555)));
    child = start_child(open_as_nobody, &report);
    cr_assert(eq(int, waitpid(child, &status, 0), child));
    cr_assert(eq(int, status, 0));
    cr_assert(eq(i64, read_report(report), KW_E_STORE_UNAVAILABLE));
    cr_assert(zero(int, chmod(f.dir, 0700)));
}
