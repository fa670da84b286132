/* A PostgreSQL server that is not what it should be, or that is killed: nothing is trusted to the one,
 * and nothing acknowledged is lost with the other. */
#include "tests/support/must.h"
#include "tests/support/postgres.h"
#include "tests/support/store_fixture.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static struct postgres pg;
static struct store_fixture f;
static struct kw_error err;

static void set_up(void)
{
    postgres_init(&pg);
    store_fixture_init(&f);
}

static void tear_down(void)
{
    store_fixture_done(&f);
    postgres_done(&pg);
}

TestSuite(store_pg_server, .init = set_up, .fini = tear_down, .timeout = 240);

static enum kw_reason open_store(void)
{
    err = (struct kw_error){0};
    return store_fixture_open(&f, store_test_schema, 1, &err).reason;
}

static enum kw_reason insert(int64_t id)
{
    struct store_test_job job = store_test_job(&f, store_test_insert, id, NULL);
    enum kw_reason reason = store_test_write(&job).reason;

    err = job.job.error;
    return reason;
}

/* --- unsafe --- */

static void refuses(const char *setting)
{
    cr_assert(eq(int, open_store(), KW_E_CONFIG_INVALID), "%s: %s", setting, err.message);
    cr_assert(ne(ptr, strstr(err.message, setting), NULL), "%s: %s", setting, err.message);
}

/* What a role may set for itself. */
static void refuses_of_session(const char *set, const char *setting)
{
    char sql[120];

    (void)snprintf(sql, sizeof(sql), "ALTER ROLE keyward SET %s", set);
    (void)postgres_sql(f.url, sql);
    refuses(setting);
    (void)postgres_sql(f.url, "ALTER ROLE keyward RESET ALL");
}

static void refuses_of_server(const char *setting)
{
    postgres_stop(&pg);
    postgres_start(&pg, setting);
    refuses(setting);
}

Test(store_pg_server, an_unsafe_server_is_refused_setting_by_setting)
{
    postgres_start(&pg, NULL);
    postgres_schema(&pg, f.url);
    refuses_of_session("synchronous_commit = off", "synchronous_commit=off");
    refuses_of_session("synchronous_commit = local", "synchronous_commit=local");
    refuses_of_session("ignore_checksum_failure = on", "ignore_checksum_failure=on");
    refuses_of_session("zero_damaged_pages = on", "zero_damaged_pages=on");
    cr_assert(eq(int, open_store(), KW_E_NONE), "%s", err.message);
    store_fixture_close(&f);
    postgres_database(&pg, "TEMPLATE template0 ENCODING 'LATIN1'", f.url);
    refuses("server_encoding=LATIN1");
    postgres_schema(&pg, f.url);
    refuses_of_server("fsync=off");
    refuses_of_server("full_page_writes=off");
    postgres_stop(&pg);
    postgres_tool(&pg, "pg_checksums", "--disable");
    postgres_start(&pg, NULL);
    refuses("data_checksums=off");
}

/* --- another one takes over --- */

/* The same data on a timeline of its own, as a standby's are that was promoted. */
static void take_over(void)
{
    char path[100];

    (void)snprintf(path, sizeof(path), "%s/data/standby.signal", pg.dir);
    cr_assert(zero(int, close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644))));
    postgres_start(&pg, NULL);
    (void)postgres_sql(f.url, "SELECT pg_promote(true, 60)");
}

Test(store_pg_server, one_that_took_over_is_not_the_one_that_was)
{
    postgres_start(&pg, NULL);
    postgres_schema(&pg, f.url);
    cr_assert(eq(int, open_store(), KW_E_NONE), "%s", err.message);
    cr_assert(eq(int, insert(1), KW_E_NONE));
    postgres_stop(&pg);
    take_over();
    while (kw_store_alive(f.store)) {
        cr_assert(ne(int, insert(2), KW_E_NONE),
                  "what is known of the database may not be so any more");
    }
    cr_assert(ne(ptr, strstr(f.failure.message, "took over"), NULL), "%s", f.failure.message);
    store_fixture_close(&f);
    cr_assert(eq(int, open_store(), KW_E_NONE), "%s", err.message);
    cr_assert(eq(int, insert(2), KW_E_NONE));
}

/* The first write that the server's return brings. */
static void write_until_it_serves(int64_t id)
{
    while (insert(id) != KW_E_NONE) {
        cr_assert(kw_store_alive(f.store), "%s", f.failure.message);
    }
}

Test(store_pg_server, a_server_that_comes_back_unsafe_is_not_used_until_it_is_safe)
{
    postgres_start(&pg, NULL);
    postgres_schema(&pg, f.url);
    cr_assert(eq(int, open_store(), KW_E_NONE), "%s", err.message);
    cr_assert(eq(int, insert(1), KW_E_NONE));
    postgres_stop(&pg);
    postgres_start(&pg, "fsync=off");
    cr_assert(eq(int, insert(2), KW_E_STORE_UNAVAILABLE));
    cr_assert(ne(ptr, strstr(err.message, "fsync=off"), NULL), "%s", err.message);
    postgres_stop(&pg);
    postgres_start(&pg, NULL);
    write_until_it_serves(3);
    cr_assert(eq(i64, postgres_sql(f.url, "SELECT count(*) FROM t WHERE id = 2"), 0));
    cr_assert(zero(int, f.failures));
}

static atomic_bool cancelling;

/* An operator who ends every wait for a standby. */
static void *cancel_waits(void *context)
{
    while (atomic_load(&cancelling)) {
        (void)postgres_sql(context, "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity"
                                    " WHERE wait_event = 'SyncRep'");
    }
    return NULL;
}

/* Such a commit is on this disk, but not where it was promised to be, too. */
Test(store_pg_server, a_commit_that_no_standby_confirms_is_not_acknowledged)
{
    pthread_t operator;
    int64_t id = 0;

    postgres_start(&pg, NULL);
    postgres_schema(&pg, f.url);
    cr_assert(eq(int, open_store(), KW_E_NONE), "%s", err.message);
    (void)postgres_sql(f.url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    (void)postgres_sql(f.url, "SELECT pg_reload_conf()");
    atomic_store(&cancelling, true);
    cr_assert(zero(int, pthread_create(&operator, NULL, cancel_waits, f.url)));
    while (insert(++id) == KW_E_NONE) { /* until the server has heard of it */
    }
    atomic_store(&cancelling, false);
    pthread_join(operator, NULL);
    cr_assert(eq(int, err.reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(ne(ptr, strstr(err.message, "outcome is unknown"), NULL), "%s", err.message);
    cr_assert(eq(i64, store_test_rows(&f), id));
}

/* --- killed --- */

enum {
    AT_ONCE = 8,
    ACKNOWLEDGED_MAX = 100000
};

struct load {
    struct store_test_job jobs[AT_ONCE];
    int64_t next;
    int64_t acknowledged[ACKNOWLEDGED_MAX];
    int count;
    bool refused;
};

/* One turn: several writes at a time, each of a row that was never tried before. */
static void write_some(struct load *load)
{
    for (int i = 0; i < AT_ONCE; i++) {
        load->jobs[i] = store_test_job(&f, store_test_insert, load->next++, NULL);
    }
    cr_assert(eq(sz, store_test_write_all(&f, load->jobs, AT_ONCE), AT_ONCE));
    for (int i = 0; i < AT_ONCE; i++) {
        store_test_wait(&load->jobs[i]);
        if (kw_ok(load->jobs[i].job.result)) {
            load->acknowledged[load->count++] = load->jobs[i].id;
        } else {
            cr_assert(eq(int, load->jobs[i].job.result.reason, KW_E_STORE_UNAVAILABLE));
            load->refused = true;
        }
    }
}

static void write_rows(struct load *load, int rows)
{
    for (int goal = load->count + rows; load->count < goal;) {
        write_some(load);
    }
}

/* Every row that was acknowledged is there. */
static struct kw_result check_rows(struct kw_store_job *job, struct kw_tx *tx,
                                   struct kw_error *error)
{
    struct store_test_job *mine = (struct store_test_job *)job;
    const struct load *load = (const struct load *)(const void *)mine->text;

    for (int i = 0; i < load->count; i++) {
        struct kw_stmt *stmt;
        bool row;

        KW_TRY(kw_sql(tx, "SELECT 1 FROM t WHERE id = $1", &stmt, error));
        kw_bind_i64(stmt, 1, load->acknowledged[i]);
        KW_TRY(kw_step(stmt, &row, error));
        mine->number += row ? 1 : 0;
    }
    return KW_OK;
}

static void expect_all(const struct load *load)
{
    struct store_test_job job = store_test_job(&f, check_rows, 0, (const char *)load);

    cr_assert(eq(int, store_test_read(&job).reason, KW_E_NONE), "%s", job.job.error.message);
    cr_assert(eq(i64, job.number, load->count));
}

static void *kill_server(void *context)
{
    (void)context;
    postgres_kill(&pg);
    return NULL;
}

Test(store_pg_server, killed_under_load_it_loses_nothing_and_is_served_again)
{
    static struct load load = {.next = 1};

    postgres_start(&pg, NULL);
    postgres_schema(&pg, f.url);
    f.read_ms_max = 60000;
    cr_assert(eq(int, open_store(), KW_E_NONE), "%s", err.message);
    for (int round = 0; round < 3; round++) {
        pthread_t killer;

        write_rows(&load, 100);
        load.refused = false;
        cr_assert(zero(int, pthread_create(&killer, NULL, kill_server, NULL)));
        while (!load.refused) {
            write_some(&load);
        }
        pthread_join(killer, NULL);
        postgres_start(&pg, NULL);
        write_rows(&load, 1);
        expect_all(&load);
    }
    cr_assert(zero(int, f.failures));
}
