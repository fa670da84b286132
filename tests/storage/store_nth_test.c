/* Every call that the store makes of the disk, and every allocation of SQLite's, fails once: opening,
 * writing, reading, closing. Whatever fails says so, leaves nothing half done, and the next try
 * works, after a restart at the latest. */
#include "tests/support/crash_vfs.h"
#include "tests/support/nth.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

static struct store_fixture f;
static enum crash_fault fault;
static int64_t last_id;
static const struct crash_disk_options no_cuts = {.seed = 1, .sector_size = 4096};

static void disk_arm(uint64_t n)
{
    crash_vfs_fail(fault, n, false);
}

static const struct nth_kind disk_calls = {disk_arm, crash_vfs_stop_failing, crash_vfs_has_failed};

static void setup(void)
{
    nth_sqlite_install();
    crash_vfs_install();
    crash_disk_reset(&no_cuts);
    store_fixture_init(&f);
}

static void teardown(void)
{
    store_fixture_done(&f);
}

TestSuite(store_nth, .init = setup, .fini = teardown, .timeout = 550);

/* --- what must hold --- */

static void open_again(void)
{
    struct kw_error error = {0};

    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, &error)), "%s", error.message);
}

static void start_anew(void)
{
    store_fixture_done(&f);
    crash_disk_reset(&no_cuts);
    store_fixture_init(&f);
}

/* Each failure has a reason that tells a caller what to do. */
static void check_reason(const struct nth *nth, enum kw_reason reason)
{
    static const enum kw_reason right[] = {
        [CRASH_FAULT_IO] = KW_E_STORE_UNAVAILABLE,
        [CRASH_FAULT_FULL] = KW_E_STORE_FULL,
        [CRASH_FAULT_BUSY] = KW_E_STORE_UNAVAILABLE,
        [CRASH_FAULT_MEMORY] = KW_E_MEMORY,
    };
    bool cant_open = reason == KW_E_STORE_UNAVAILABLE && f.store == NULL;

    cr_assert(reason == KW_E_NONE || reason == right[fault] || cant_open, "%s %llu: %s", nth->what,
              (unsigned long long)nth->n, kw_reason_row(reason)->name);
}

static STORE_TEST_RUN(find_row)
{
    struct store_test_job *mine = (struct store_test_job *)job;
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, "SELECT count(*) FROM t WHERE id = $1", &stmt, err));
    kw_bind_i64(stmt, 1, mine->id);
    KW_TRY(kw_step(stmt, &row, err));
    mine->number = kw_col_i64(stmt, 0);
    return KW_OK;
}

static int64_t is_there(int64_t id)
{
    struct store_test_job job = store_test_job(&f, find_row, id, NULL);

    cr_assert(zero(int, store_test_read(&job).reason), "%s", job.job.error.message);
    return job.number;
}

static struct kw_result insert(int64_t id)
{
    char text[4000];
    struct store_test_job job;

    (void)snprintf(text, sizeof(text), "%03990lld", (long long)id);
    job = store_test_job(&f, store_test_insert, id, text);
    job.job.vital = true; /* others are refused for a moment after the disk has refused */
    return store_test_write(&job);
}

/* --- attempts --- */

static void try_to_open(struct nth *nth)
{
    struct kw_error error = {0};
    struct kw_result opened;

    start_anew();
    nth_arm(nth);
    opened = store_fixture_open(&f, store_test_schema, 1, &error);
    (void)nth_disarm(nth);
    check_reason(nth, opened.reason);
    store_fixture_close(&f);
    open_again();
    cr_assert(zero(int, insert(1).reason));
    store_fixture_close(&f);
}

static void try_to_write(struct nth *nth)
{
    int64_t id = ++last_id;
    struct kw_result written;

    if (f.store == NULL) {
        open_again();
    }
    nth_arm(nth);
    written = insert(id);
    (void)nth_disarm(nth);
    check_reason(nth, written.reason);
    if (!kw_store_alive(f.store)) {
        cr_assert(ne(int, written.reason, KW_E_NONE));
        store_fixture_close(&f);
        open_again();
    }
    if (kw_ok(written)) {
        cr_assert(eq(i64, is_there(id), 1));
    } else if (is_there(id) == 0) {
        cr_assert(zero(int, insert(id).reason));
    }
    cr_assert(zero(int, insert(-id).reason)); /* the next one works */
}

static void try_to_read(struct nth *nth)
{
    struct store_test_job job = store_test_job(&f, store_test_count, 0, NULL);
    struct kw_result read;

    if (f.store != NULL) {
        store_fixture_close(&f); /* so that the readers know nothing yet */
    }
    open_again();
    nth_arm(nth);
    read = store_test_read(&job);
    (void)nth_disarm(nth);
    check_reason(nth, read.reason);
    cr_assert(eq(i64, store_test_rows(&f), 2));
}

static void try_to_close(struct nth *nth)
{
    int64_t id = ++last_id;

    open_again();
    cr_assert(zero(int, insert(id).reason));
    nth_arm(nth);
    store_fixture_close(&f);
    (void)nth_disarm(nth);
    open_again();
    cr_assert(eq(i64, is_there(id), 1));
    store_fixture_close(&f);
}

/* --- all of them --- */

static void run(const char *what, void (*attempt)(struct nth *nth), enum crash_fault one)
{
    struct nth nth = {.what = what, .kind = &disk_calls, .attempt = attempt, .sparse = 5};

    fault = one;
    (void)fprintf(stderr, "%s, fault %d: %llu attempts\n", what, (int)one,
                  (unsigned long long)nth_run(&nth));
}

static void run_all(const char *what, void (*attempt)(struct nth *nth))
{
    run(what, attempt, CRASH_FAULT_IO);
    run(what, attempt, CRASH_FAULT_FULL);
    run(what, attempt, CRASH_FAULT_BUSY);
    run(what, attempt, CRASH_FAULT_MEMORY);
}

static void run_memory(const char *what, void (*attempt)(struct nth *nth), uint64_t sparse)
{
    struct nth nth = {.what = what, .kind = &nth_calls, .attempt = attempt, .sparse = sparse};

    fault = CRASH_FAULT_MEMORY;
    (void)fprintf(stderr, "%s, no memory: %llu attempts\n", what,
                  (unsigned long long)nth_run(&nth));
}

static void two_rows(void)
{
    open_again();
    cr_assert(zero(int, insert(-1000001).reason));
    cr_assert(zero(int, insert(-1000002).reason));
    store_fixture_close(&f);
}

Test(store_nth, opening)
{
    run_all("opening", try_to_open);
}

Test(store_nth, writing)
{
    run_all("writing", try_to_write);
}

Test(store_nth, reading)
{
    two_rows();
    run_all("reading", try_to_read);
}

Test(store_nth, closing)
{
    run_all("closing", try_to_close);
}

Test(store_nth, opening_without_memory)
{
    run_memory("opening", try_to_open, 97);
}

Test(store_nth, writing_without_memory)
{
    run_memory("writing", try_to_write, 3);
}

Test(store_nth, reading_without_memory)
{
    two_rows();
    run_memory("reading", try_to_read, 5);
}
