/* Opening a store, on any database: migrations, identity, the threads. */
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct store_fixture f;
static struct kw_error err;

static void set_up(void)
{
    store_fixture_init(&f);
}

static void tear_down(void)
{
    store_fixture_done(&f);
}

TestSuite(store_open, .init = set_up, .fini = tear_down);

static const struct kw_migration two[] = {
    {"0001_initial", "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT UNIQUE)"},
    {"0002_row", "INSERT INTO t (id) VALUES (1)"},
};

static enum kw_reason open_with(const struct kw_migration *migrations, size_t count)
{
    return store_fixture_open(&f, migrations, count, &err).reason;
}

static void open_and_close(const struct kw_migration *migrations, size_t count)
{
    cr_assert(eq(int, open_with(migrations, count), KW_E_NONE), "%s", err.message);
    store_fixture_close(&f);
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

Test(store_open, opened_again_it_has_not_moved)
{
    for (int i = 0; i < 3; i++) {
        struct store_test_job job = store_test_job(&f, look, 0, NULL);

        cr_assert(eq(int, open_with(two, 2), KW_E_NONE));
        cr_assert(zero(int, store_test_write(&job).reason), "%s", job.job.error.message);
        cr_assert(zero(i64, job.number));
        store_fixture_close(&f);
    }
}

Test(store_open, migrations_are_applied_once)
{
    open_and_close(two, 2);
    open_and_close(two, 2);
    cr_assert(eq(int, open_with(two, 2), KW_E_NONE));
    cr_assert(eq(i64, store_test_rows(&f), 1));
}

Test(store_open, a_new_migration_is_applied_to_an_old_database)
{
    open_and_close(two, 1);
    cr_assert(eq(int, open_with(two, 2), KW_E_NONE));
    cr_assert(eq(i64, store_test_rows(&f), 1));
}

Test(store_open, a_database_is_the_same_store_for_ever_and_another_is_another)
{
    struct store_fixture other;
    struct kw_id first;

    cr_assert(eq(int, open_with(two, 2), KW_E_NONE));
    first = kw_store_id(f.store);
    store_fixture_close(&f);
    cr_assert(eq(int, open_with(two, 2), KW_E_NONE));
    cr_assert(eq(int, kw_id_equal(kw_store_id(f.store), first), 1));
    store_fixture_init(&other);
    cr_assert(eq(int, store_fixture_open(&other, two, 2, &err).reason, KW_E_NONE));
    cr_assert(eq(int, kw_id_equal(kw_store_id(other.store), first), 0));
    store_fixture_done(&other);
}

Test(store_open, a_changed_migration_is_refused)
{
    const struct kw_migration changed[] = {{"0001_initial", "CREATE TABLE t (id INTEGER)"}};

    open_and_close(two, 1);
    cr_assert(eq(int, open_with(changed, 1), KW_E_CONFIG_INVALID));
    cr_assert(eq(str, err.message,
                 "migration 0001_initial differs from the one applied to the database"));
}

Test(store_open, a_renamed_migration_is_refused)
{
    const struct kw_migration renamed[] = {{"0001_other", two[0].sql}};

    open_and_close(two, 1);
    cr_assert(eq(int, open_with(renamed, 1), KW_E_CONFIG_INVALID));
}

Test(store_open, a_database_from_a_later_version_is_refused)
{
    open_and_close(two, 2);
    cr_assert(eq(int, open_with(two, 1), KW_E_CONFIG_INVALID));
}

Test(store_open, a_failing_migration_leaves_nothing_behind)
{
    const struct kw_migration broken[] = {two[0],
                                          {"0002_broken", "INSERT INTO t (id) VALUES (7); SELEKT"}};

    cr_assert(eq(int, open_with(broken, 2), KW_E_INTERNAL));
    cr_assert(ne(ptr, strstr(err.message, "0002_broken"), NULL));
    cr_assert(eq(int, open_with(two, 2), KW_E_NONE));
    cr_assert(eq(i64, store_test_rows(&f), 1));
}

/* The value of `field` in a thread's status, e.g. "Name:" or "SigBlk:". */
static bool thread_field(const char *thread, const char *field, char *value)
{
    char path[300];
    char line[200];
    FILE *file;
    bool found = false;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%s/status", thread);
    file = fopen(path, "r");
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        found = strncmp(line, field, strlen(field)) == 0 &&
                sscanf(line + strlen(field), "%60s", value) == 1;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

Test(store_open, threads_have_names_and_take_no_signals)
{
    DIR *tasks;
    int named = 0;

    cr_assert(eq(int, open_with(two, 1), KW_E_NONE));
    tasks = opendir("/proc/self/task");
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        char name[64] = "";
        char blocked[64] = "0";

        if (thread_field(entry->d_name, "Name:", name) && strncmp(name, "kw-", 3) == 0) {
            unsigned long long sigterm = 1ULL << (SIGTERM - 1);

            named++;
            cr_assert(thread_field(entry->d_name, "SigBlk:", blocked));
            cr_assert(ne(u64, strtoull(blocked, NULL, 16) & sigterm, 0));
        }
    }
    (void)closedir(tasks);
    cr_assert(eq(int, named, 3));
}
