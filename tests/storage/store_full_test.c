/* No space: real file systems that are filled up, and a disk that refuses at any one call. What can't
 * be written is refused and undone; reads go on; when space is back everything goes on, without a
 * restart. */
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "tests/support/small_disk.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct store_fixture f;
static struct small_disk disk;

static void tear_down(void)
{
    store_fixture_done(&f);
    small_disk_done(&disk);
}

TestSuite(store_full, .fini = tear_down);

/* A row of 64 KiB. */
static STORE_TEST_RUN(insert_block)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, "INSERT INTO t (id, text) VALUES ($1, hex(randomblob(32768)))", &stmt, err));
    kw_bind_i64(stmt, 1, ((struct store_test_job *)job)->id);
    return kw_exec(stmt, NULL, err);
}

static struct kw_result write_block(int64_t id, bool vital, struct kw_error *ret_error)
{
    struct store_test_job job = store_test_job(&f, insert_block, id, NULL);
    struct kw_result result;

    job.job.vital = vital;
    result = store_test_write(&job);
    *ret_error = job.job.error;
    return result;
}

static void open_on_small_disk(void)
{
    small_disk_init(&disk, 40U << 20);
    store_fixture_init_in(&f, disk.dir);
    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, NULL)));
}

/* Waits until the store has seen that there is room, or that there is none. */
static void await_room(enum kw_reason reason)
{
    struct kw_error error;

    for (uint64_t until = kw_clock_mono_ns() + 10ULL * 1000000000ULL; kw_clock_mono_ns() < until;) {
        if (reason != KW_E_NONE) {
            (void)store_test_rows(&f); /* whoever works looks; without room, whoever asks */
        }
        if (kw_store_room(f.store, &error).reason == reason) {
            return;
        }
    }
    cr_fatal("the store does not notice");
}

Test(store_full, a_nearly_full_disk_takes_only_what_is_vital)
{
    struct kw_error error;

    open_on_small_disk();
    cr_assert(eq(int, write_block(1, false, &error).reason, KW_E_NONE));
    small_disk_fill(&disk, 8U << 20); /* so much is left */
    await_room(KW_E_STORE_FULL);
    cr_assert(eq(int, write_block(2, false, &error).reason, KW_E_STORE_FULL));
    cr_assert(eq(int, write_block(3, true, &error).reason, KW_E_NONE));
    cr_assert(eq(i64, store_test_rows(&f), 2));
    small_disk_empty(&disk);
    await_room(KW_E_NONE);
    cr_assert(eq(int, write_block(4, false, &error).reason, KW_E_NONE));
    cr_assert(eq(int, f.failures, 0));
}

/* Vital jobs until the very last block is gone. */
static int64_t write_until_refused(int64_t id, struct kw_error *ret_error)
{
    while (kw_ok(write_block(id, true, ret_error))) {
        cr_assert(lt(i64, ++id, 1000));
    }
    return id;
}

Test(store_full, a_full_disk_refuses_undoes_and_goes_on_when_there_is_space)
{
    struct kw_error error = {0};
    int64_t refused;

    open_on_small_disk();
    small_disk_fill(&disk, 3U << 20);
    refused = write_until_refused(1, &error);
    cr_assert(eq(int, error.reason, KW_E_STORE_FULL), "%s", error.message);
    cr_assert(ne(ptr, strstr(error.message, "the disk is full"), NULL), "%s", error.message);
    cr_assert(eq(i64, store_test_rows(&f), refused - 1)); /* reads go on */
    cr_assert(eq(int, write_block(refused, true, &error).reason, KW_E_STORE_FULL));
    cr_assert(kw_store_alive(f.store));
    small_disk_empty(&disk);
    await_room(KW_E_NONE);
    cr_assert(eq(int, write_block(refused, false, &error).reason, KW_E_NONE));
    store_fixture_close(&f);
    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, NULL)));
    cr_assert(eq(i64, store_test_rows(&f), refused));
    cr_assert(eq(int, f.failures, 0));
}

/* The database can't take what the log holds: the log keeps it. */
Test(store_full, a_checkpoint_without_space_is_put_off)
{
    struct kw_error error = {0};
    struct kw_store_stats stats;
    int64_t id = 1;

    open_on_small_disk();
    for (; id < 40; id++) { /* the log's file is 3 MiB long, and starts over below */
        cr_assert(eq(int, write_block(id, true, &error).reason, KW_E_NONE));
    }
    small_disk_fill(&disk, 2U << 20);
    while (kw_ok(write_block(id, true, &error))) {
        id++;
    }
    cr_assert(eq(int, error.reason, KW_E_STORE_FULL));
    small_disk_empty(&disk);
    for (int64_t end = id + 60; id < end; id++) { /* and past the next checkpoint */
        cr_assert(eq(int, write_block(id, true, &error).reason, KW_E_NONE), "%s", error.message);
    }
    kw_store_stats(f.store, &stats);
    cr_assert(lt(u64, 0, stats.checkpoints));
    cr_assert(eq(i64, store_test_rows(&f), id - 1));
    cr_assert(eq(int, f.failures, 0));
}

Test(store_full, on_a_full_disk_a_start_says_why_it_fails)
{
    struct kw_error error = {0};

    open_on_small_disk();
    store_fixture_close(&f);
    small_disk_fill(&disk, 0);
    cr_assert(
        eq(int, store_fixture_open(&f, store_test_schema, 1, &error).reason, KW_E_STORE_FULL));
    cr_assert(ne(ptr, strstr(error.message, "the disk is full"), NULL), "%s", error.message);
    small_disk_empty(&disk);
    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, &error)), "%s", error.message);
}

/* --- a reader that does not end --- */

/* A search that never ends by itself. */
static STORE_TEST_RUN(search_for_ever)
{
    struct kw_stmt *stmt;
    bool row;

    (void)job;
    KW_TRY(kw_sql(tx,
                  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                  " SELECT i FROM n, t WHERE i < 0",
                  &stmt, err));
    return kw_step(stmt, &row, err);
}

/* Row after row, each found at once. */
static STORE_TEST_RUN(step_for_ever)
{
    struct kw_stmt *stmt;
    bool row = true;

    (void)job;
    KW_TRY(kw_sql(tx,
                  "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                  " SELECT i FROM n",
                  &stmt, err));
    while (row) {
        KW_TRY(kw_step(stmt, &row, err));
    }
    return KW_OK;
}

static void ends_in_time(STORE_TEST_RUN((*run)))
{
    struct store_test_job reader = store_test_job(&f, run, 0, NULL);
    struct kw_error error;

    store_fixture_init(&f);
    f.read_ms_max = 100;
    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, NULL)));
    cr_assert(eq(int, write_block(1, false, &error).reason, KW_E_NONE));
    cr_assert(eq(int, store_test_read(&reader).reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(i64, store_test_rows(&f), 1));
    cr_assert(eq(int, f.failures, 0));
}

Test(store_full, a_read_that_searches_too_long_is_ended)
{
    ends_in_time(search_for_ever);
}

Test(store_full, a_read_that_steps_too_long_is_ended)
{
    ends_in_time(step_for_ever);
}
