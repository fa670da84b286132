/* Several stores on one PostgreSQL database, as several processes of one service have it: they start
 * together, and change the same rows. */
#include "common/base/limits.h"
#include "tests/support/must.h"
#include "tests/support/postgres.h"
#include "tests/support/store_fixture.h"

#include <libpq-fe.h>
#include <semaphore.h>
#include <stdio.h>

enum {
    STORES = 3
};

static struct store_fixture stores[STORES];

static const struct kw_migration schema[] = {
    {"0001_initial", "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT UNIQUE)"},
    {"0002_counters", "CREATE TABLE counters (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);"
                      "INSERT INTO counters (id, value) VALUES (1, 0), (2, 0)"},
};

static void set_up(void)
{
    store_fixture_init(&stores[0]);
    for (int i = 1; i < STORES; i++) {
        store_fixture_init(&stores[i]);
        (void)snprintf(stores[i].url, sizeof(stores[i].url), "%s", stores[0].url);
    }
}

static void tear_down(void)
{
    for (int i = 0; i < STORES; i++) {
        store_fixture_done(&stores[i]);
    }
}

TestSuite(store_pg_instances, .init = set_up, .fini = tear_down, .timeout = 120);

/* --- starting --- */

static void *open_one(void *context)
{
    struct store_fixture *f = context;

    MUST(store_fixture_open(f, schema, 2, err));
    return NULL;
}

static void open_all(void)
{
    pthread_t threads[STORES];

    for (int i = 0; i < STORES; i++) {
        cr_assert(zero(int, pthread_create(&threads[i], NULL, open_one, &stores[i])));
    }
    for (int i = 0; i < STORES; i++) {
        pthread_join(threads[i], NULL);
    }
}

Test(store_pg_instances, starting_together_they_migrate_once_and_are_one_store)
{
    open_all();
    cr_assert(eq(i64, postgres_sql(stores[0].url, "SELECT count(*) FROM schema_migrations"), 2));
    cr_assert(eq(i64, postgres_sql(stores[0].url, "SELECT count(*) FROM counters"), 2));
    for (int i = 1; i < STORES; i++) {
        cr_assert(
            eq(int, kw_id_equal(kw_store_id(stores[i].store), kw_store_id(stores[0].store)), 1));
    }
}

/* --- one row --- */

static struct kw_result read_value(struct kw_tx *tx, int64_t id, int64_t *ret_value,
                                   struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, "SELECT value FROM counters WHERE id = $1 FOR UPDATE", &stmt, err));
    kw_bind_i64(stmt, 1, id);
    KW_TRY(kw_step(stmt, &row, err));
    *ret_value = kw_col_i64(stmt, 0);
    return KW_OK;
}

static struct kw_result write_value(struct kw_tx *tx, int64_t id, int64_t value,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, "UPDATE counters SET value = $2 WHERE id = $1", &stmt, err));
    kw_bind_i64(stmt, 1, id);
    kw_bind_i64(stmt, 2, value);
    return kw_exec(stmt, NULL, err);
}

/* Reads, thinks, writes: what an UPDATE of one statement would do is not what is looked at. */
static struct kw_result increment(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    int64_t id = ((struct store_test_job *)job)->id;
    int64_t value;

    KW_TRY(read_value(tx, id, &value, err));
    return write_value(tx, id, value + 1, err);
}

static enum kw_reason increment_in(struct store_fixture *f, int64_t id)
{
    struct store_test_job job = store_test_job(f, increment, id, NULL);

    return store_test_write(&job).reason;
}

enum {
    INCREMENTS = 200
};

/* A group that was undone is handed in again. */
static void *increment_often(void *context)
{
    struct store_fixture *f = context;

    for (int done = 0; done < INCREMENTS;) {
        enum kw_reason reason = increment_in(f, 1);

        cr_assert(reason == KW_E_NONE || reason == KW_E_STORE_UNAVAILABLE);
        done += reason == KW_E_NONE ? 1 : 0;
    }
    return NULL;
}

Test(store_pg_instances, no_update_of_one_row_is_lost)
{
    pthread_t threads[STORES];

    open_all();
    for (int i = 0; i < STORES; i++) {
        cr_assert(zero(int, pthread_create(&threads[i], NULL, increment_often, &stores[i])));
    }
    for (int i = 0; i < STORES; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_assert(eq(i64, postgres_sql(stores[0].url, "SELECT value FROM counters WHERE id = 1"),
                 (long)STORES * INCREMENTS));
}

/* --- two rows, in opposite order --- */

static sem_t locked;
static sem_t go_on;

/* Increments its own row, waits until the other has done so, and increments the other's. */
static struct kw_result cross(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct store_test_job *mine = (struct store_test_job *)job;

    KW_TRY(increment(job, tx, err));
    sem_post(&locked);
    while (sem_wait(&go_on) != 0) {
    }
    mine->id = 3 - mine->id;
    return increment(job, tx, err);
}

/* F36 of docs/faults.md. */
Test(store_pg_instances, a_deadlock_undoes_a_group_and_passes)
{
    struct store_test_job jobs[2];
    int64_t undone = 0;

    open_all();
    sem_init(&locked, 0, 0);
    sem_init(&go_on, 0, 0);
    for (int i = 0; i < 2; i++) {
        jobs[i] = store_test_job(&stores[i], cross, i + 1, NULL);
        cr_assert(eq(sz, store_test_write_all(&stores[i], &jobs[i], 1), 1));
    }
    for (int i = 0; i < 2; i++) {
        sem_wait(&locked);
    }
    for (int i = 0; i < 2; i++) {
        sem_post(&go_on);
    }
    for (int i = 0; i < 2; i++) {
        enum kw_reason reason;

        store_test_wait(&jobs[i]);
        reason = jobs[i].job.result.reason;
        cr_assert(reason == KW_E_NONE || kw_store_may_pass(stores[i].store, reason));
        undone += reason == KW_E_NONE ? 0 : 1;
    }
    cr_assert(lt(i64, 0, undone));
    cr_assert(
        eq(i64, postgres_sql(stores[0].url, "SELECT sum(value) FROM counters"), 2 * (2 - undone)));
    for (int i = 0; i < 2; i++) {
        cr_assert(eq(int, increment_in(&stores[i], i + 1), KW_E_NONE));
        cr_assert(eq(int, increment_in(&stores[i], 2 - i), KW_E_NONE));
    }
}

/* --- a stranger --- */

static void run_on(PGconn *link, const char *sql)
{
    PGresult *answer = PQexec(link, sql);

    REQUIRE(PQresultStatus(answer) == PGRES_COMMAND_OK || PQresultStatus(answer) == PGRES_TUPLES_OK,
            "%s: %s", sql, PQerrorMessage(link));
    PQclear(answer);
}

Test(store_pg_instances, a_row_that_a_stranger_holds_is_waited_for_a_moment_only)
{
    PGconn *link;

    open_all();
    link = PQconnectdb(stores[0].url);
    run_on(link, "BEGIN");
    run_on(link, "UPDATE counters SET value = 7 WHERE id = 1");
    cr_assert(eq(int, increment_in(&stores[0], 1), KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(int, increment_in(&stores[0], 2), KW_E_NONE));
    run_on(link, "COMMIT");
    cr_assert(eq(int, increment_in(&stores[0], 1), KW_E_NONE));
    cr_assert(eq(i64, postgres_sql(stores[0].url, "SELECT value FROM counters WHERE id = 1"), 8));
    PQfinish(link);
}

/* F35. */
Test(store_pg_instances, a_transaction_that_stands_still_is_ended_by_the_server)
{
    struct store_test_job job;

    open_all();
    sem_init(&locked, 0, 0);
    sem_init(&go_on, 0, 0);
    job = store_test_job(&stores[0], cross, 1, NULL);
    cr_assert(eq(sz, store_test_write_all(&stores[0], &job, 1), 1));
    sem_wait(&locked);
    while (increment_in(&stores[1], 1) != KW_E_NONE) { /* until the row is free */
    }
    sem_post(&go_on);
    store_test_wait(&job);
    cr_assert(eq(int, job.job.result.reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(int, increment_in(&stores[0], 1), KW_E_NONE));
    cr_assert(eq(i64, postgres_sql(stores[0].url, "SELECT value FROM counters WHERE id = 1"), 2));
}
