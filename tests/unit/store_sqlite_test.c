/* What is SQLite's alone: the file and its lock, the log, and the end of a store whose commit failed. */
#include "common/base/failpoint.h"
#include "common/base/limits.h"
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct store_fixture f;
static struct kw_error err;

static const struct kw_migration two[] = {
    {"0001_initial", "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT UNIQUE)"},
    {"0002_row", "INSERT INTO t (id) VALUES (1)"},
};

/* --- the file --- */

static void set_up(void)
{
    store_fixture_init(&f);
}

static void tear_down(void)
{
    store_fixture_done(&f);
}

TestSuite(store_file, .init = set_up, .fini = tear_down);

static enum kw_reason open_with(const struct kw_migration *migrations, size_t count)
{
    return store_fixture_open(&f, migrations, count, &err).reason;
}

Test(store_file, a_second_instance_is_refused)
{
    struct store_fixture second = f;

    cr_assert(eq(int, open_with(two, 1), KW_E_NONE));
    cr_assert(eq(int, store_fixture_open(&second, two, 1, &err).reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(ne(ptr, strstr(err.message, "is in use by process"), NULL));
    store_fixture_close(&f);
    cr_assert(eq(int, open_with(two, 1), KW_E_NONE));
}

/* Whether it has moved, as job->id says: and then the job fails, or not. */
static STORE_TEST_RUN(look)
{
    struct store_test_job *mine = (struct store_test_job *)job;
    bool moved;

    KW_TRY(kw_store_moved(tx, &moved, err));
    mine->number = moved;
    KW_ENSURE(mine->id == 0, err, ARGUMENT_INVALID, "as told");
    return KW_OK;
}

static bool moved(bool fails)
{
    struct store_test_job job = store_test_job(&f, look, fails, NULL);

    cr_assert(eq(int, store_test_write(&job).reason, fails ? KW_E_ARGUMENT_INVALID : KW_E_NONE));
    return job.number != 0;
}

Test(store_file, a_copy_has_moved_until_that_is_durable)
{
    cr_assert(eq(int, open_with(two, 2), KW_E_NONE));
    cr_assert_not(moved(false));
    store_fixture_close(&f);
    store_fixture_keep(&f);
    store_fixture_restore(&f);
    cr_assert(eq(int, open_with(two, 2), KW_E_NONE));
    cr_assert(moved(true));
    cr_assert(moved(false));
    cr_assert_not(moved(false));
}

/* --- set back in its place: its inode is the same --- */

static void opened_and_closed(void)
{
    cr_assert(eq(int, open_with(two, 2), KW_E_NONE));
    cr_assert_not(moved(false));
    store_fixture_close(&f);
}

static bool has_moved_once(void)
{
    bool has;

    cr_assert(eq(int, open_with(two, 2), KW_E_NONE), "%s", err.message);
    has = moved(false);
    cr_assert_not(moved(false));
    store_fixture_close(&f);
    opened_and_closed();
    return has;
}

/* The name of the session beside it, of which there is one. */
static void session_name(char path[static 200])
{
    DIR *dir = opendir(f.dir);
    int names = 0;

    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strncmp(entry->d_name, "db.session-", 11) == 0) {
            (void)snprintf(path, 200, "%s/%.100s", f.dir, entry->d_name);
            names++;
        }
    }
    closedir(dir);
    cr_assert(eq(int, names, 1));
}

static void make_empty(const char *path)
{
    cr_assert(zero(int, close(open(path, O_CREAT | O_WRONLY, 0600))), "%s", path);
}

Test(store_file, set_back_in_its_place_it_has_moved)
{
    opened_and_closed();
    store_fixture_keep(&f);
    opened_and_closed();
    store_fixture_set_back(&f);
    cr_assert(has_moved_once());
}

/* As who copies a folder over ours leaves it: with the names of both. */
Test(store_file, set_back_with_its_folder_it_has_moved)
{
    char name[200];

    opened_and_closed();
    session_name(name);
    store_fixture_keep(&f);
    opened_and_closed();
    store_fixture_set_back(&f);
    make_empty(name);
    cr_assert(has_moved_once());
}

Test(store_file, without_the_name_of_its_session_it_has_moved)
{
    char name[200];

    opened_and_closed();
    session_name(name);
    cr_assert(zero(int, unlink(name)));
    cr_assert(has_moved_once());
}

/* The next session's name was made, and its number never committed. */
Test(store_file, an_opening_that_was_cut_short_before_its_commit_moves_nothing)
{
    char name[200];

    opened_and_closed();
    (void)snprintf(name, sizeof(name), "%s.session-00112233445566778899aabbccddeeff.new", f.path);
    make_empty(name);
    cr_assert_not(has_moved_once());
    session_name(name);
}

/* As an opening leaves it that is cut short after its commit: with its name as .new, and `before` the one before it. */
static void cut_short(char before[static 200], char name_new[static 210])
{
    char name[200];

    opened_and_closed();
    session_name(before);
    opened_and_closed();
    session_name(name);
    (void)snprintf(name_new, 210, "%s.new", name);
    cr_assert(zero(int, rename(name, name_new)));
}

/* Nothing was done with names, or the others were removed. */
Test(store_file, an_opening_that_was_cut_short_after_its_commit_moves_nothing)
{
    char name[200];
    char name_new[210];

    for (int removed = 0; removed < 2; removed++) {
        cut_short(name, name_new);
        if (!removed) {
            make_empty(name);
        }
        cr_assert_not(has_moved_once(), "%d", removed);
        session_name(name);
    }
}

/* Copied at that very moment, and brought back over a later session. */
Test(store_file, what_was_copied_while_it_was_opened_has_moved_when_it_comes_back)
{
    char name[200];
    char name_new[210];

    cut_short(name, name_new);
    store_fixture_keep(&f);
    opened_and_closed();
    store_fixture_set_back(&f);
    make_empty(name);
    make_empty(name_new);
    cr_assert(has_moved_once());
    session_name(name);
}

/* Or over the session that it was the beginning of. */
Test(store_file, nor_does_it_come_back_over_its_own_session)
{
    char name[200];
    char name_new[210];

    cut_short(name, name_new);
    (void)snprintf(name, sizeof(name), "%.*s", (int)(strlen(name_new) - 4), name_new);
    make_empty(name);
    cr_assert(has_moved_once());
    session_name(name);
}

/* That it was set back is not forgotten by who could not say so before it ended. */
Test(store_file, set_back_it_has_moved_until_that_is_durable)
{
    char name[200];

    opened_and_closed();
    session_name(name);
    cr_assert(zero(int, unlink(name)));
    cr_assert(eq(int, open_with(two, 2), KW_E_NONE));
    store_fixture_close(&f);
    cr_assert(has_moved_once());
}

Test(store_file, only_the_owner_may_read_the_files)
{
    const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    struct stat info;
    char name[200];

    close(open(f.path, O_CREAT | O_WRONLY, 0644));
    cr_assert(eq(int, open_with(two, 2), KW_E_NONE));
    for (size_t i = 0; i < 4; i++) {
        char path[100];

        (void)snprintf(path, sizeof(path), "%s%s", f.path, suffixes[i]);
        cr_assert(zero(int, stat(path, &info)));
        cr_assert(eq(int, (int)(info.st_mode & 0777), 0600));
    }
    session_name(name);
    cr_assert(zero(int, stat(name, &info)));
    cr_assert(eq(int, (int)(info.st_mode & 0777), 0600));
}

Test(store_file, a_missing_directory_is_named)
{
    (void)snprintf(f.path, sizeof(f.path), "%s/missing/db", f.dir);
    cr_assert(eq(int, open_with(two, 1), KW_E_STORE_UNAVAILABLE));
    cr_assert(ne(ptr, strstr(err.message, f.path), NULL));
}

Test(store_file, a_file_that_is_no_database_is_refused)
{
    FILE *file = fopen(f.path, "w");

    for (int i = 0; i < 100; i++) {
        (void)fputs("this is not a database, whatever it is called\n", file);
    }
    (void)fclose(file);
    cr_assert(eq(int, open_with(two, 1), KW_E_STORE_UNAVAILABLE));
}

Test(store_file, an_empty_path_is_refused)
{
    f.path[0] = '\0';
    cr_assert(eq(int, open_with(two, 1), KW_E_CONFIG_INVALID));
}

/* --- the log --- */

static void set_up_open(void)
{
    store_fixture_init(&f);
    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, &err)), "%s", err.message);
}

TestSuite(store_log, .init = set_up_open, .fini = tear_down);

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

/* A read job that stands still until the test lets it go. */
static sem_t standing;
static sem_t released;

static struct kw_result count_and_stand(struct kw_store_job *job, struct kw_tx *tx,
                                        struct kw_error *error)
{
    KW_TRY(store_test_count(job, tx, error));
    sem_post(&standing);
    while (sem_wait(&released) != 0) {
    }
    return KW_OK;
}

static void read_on_loop(void *context)
{
    cr_assert(kw_ok(kw_store_read(f.store, context, NULL)));
}

static void hold_reader(struct store_test_job *holder)
{
    sem_init(&standing, 0, 0);
    sem_init(&released, 0, 0);
    *holder = store_test_job(&f, count_and_stand, 0, NULL);
    store_fixture_call(&f, read_on_loop, &holder->job);
    sem_wait(&standing);
}

/* Makes the log grow by about 4 MiB. */
static struct kw_result insert_much(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *error)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, "INSERT INTO t (id, text) VALUES ($1, randomblob(2097152))", &stmt, error));
    kw_bind_i64(stmt, 1, ((struct store_test_job *)job)->id);
    return kw_exec(stmt, NULL, error);
}

static void grow_log_to(uint64_t pages)
{
    for (int64_t id = 1; stats().wal_pages < pages; id++) {
        struct store_test_job job = store_test_job(&f, insert_much, id, NULL);

        cr_assert(eq(int, store_test_write(&job).reason, KW_E_NONE));
    }
}

Test(store_log, a_grown_log_is_checkpointed_and_starts_over)
{
    grow_log_to(KW_STORE_WAL_PAGES);
    cr_assert(eq(int, insert(-1, "after the checkpoint"), KW_E_NONE));
    cr_assert(eq(u64, stats().checkpoints, 1));
    cr_assert(lt(u64, stats().wal_pages, KW_STORE_WAL_PAGES));
}

Test(store_log, a_log_overgrown_behind_a_reader_starts_over_without_it)
{
    struct store_test_job reader;

    store_fixture_close(&f);
    f.read_ms_max = 600000; /* as long as the growing takes, on any machine */
    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, NULL)));
    hold_reader(&reader);
    grow_log_to(KW_STORE_WAL_PAGES_MAX);
    sem_post(&released);
    store_test_wait(&reader);
    cr_assert(eq(int, reader.job.result.reason, KW_E_NONE));
    cr_assert(eq(int, insert(-1, "still in the long log"), KW_E_NONE));
    cr_assert(eq(int, insert(-2, "in the new one"), KW_E_NONE));
    cr_assert(lt(u64, stats().wal_pages, KW_STORE_WAL_PAGES));
}

/* --- failures that end it --- */

/* From here on the kernel refuses to let any file grow: the disk is full, so to speak. */
static void fill_the_disk(void)
{
    signal(SIGXFSZ, SIG_IGN);
    cr_assert(
        zero(int, setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 4096, .rlim_max = 4096})));
}

Test(store_log, a_failed_commit_ends_the_store)
{
    struct store_test_job reader = store_test_job(&f, store_test_count, 0, NULL);

    cr_assert(eq(int, insert(1, "before"), KW_E_NONE));
    fill_the_disk();
    cr_assert(eq(int, insert(2, "lost"), KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(int, f.failures, 1));
    cr_assert(eq(int, f.failure.reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(int, insert(3, "refused"), KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(int, store_test_read(&reader).reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(int, f.failures, 1));
}

Test(store_log, a_failed_commit_fails_all_of_its_group_and_those_behind)
{
    enum {
        COUNT = KW_STORE_GROUP_MAX + 10
    };
    static struct store_test_job jobs[COUNT];

    setenv("KEYWARD_FAILPOINTS", "store.before_commit=error", 1);
    cr_assert(kw_ok(kw_failpoint_load(NULL)));
    for (int i = 0; i < COUNT; i++) {
        jobs[i] = store_test_job(&f, store_test_insert, i, NULL);
    }
    store_test_write_all(&f, jobs, COUNT);
    for (int i = 0; i < COUNT; i++) {
        store_test_wait(&jobs[i]);
        cr_assert(eq(int, jobs[i].job.result.reason, KW_E_STORE_UNAVAILABLE));
    }
    cr_assert(eq(int, f.failures, 1));
    store_fixture_close(&f);
    cr_assert(kw_ok(store_fixture_open(&f, store_test_schema, 1, NULL)));
    cr_assert(eq(i64, store_test_rows(&f), 0));
}
