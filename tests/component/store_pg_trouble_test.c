/* What goes wrong between a store and a PostgreSQL server that lives: each kind of failure, what it
 * leaves of the job, the group and the store, and what is said about it. */
#include "common/base/failpoint.h"
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "tests/support/must.h"
#include "tests/support/postgres.h"
#include "tests/support/store_fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct store_fixture f;
static struct kw_error err;

static void set_up(void)
{
    store_fixture_init(&f);
    MUST(store_fixture_open(&f, store_test_schema, 1, err));
}

static void tear_down(void)
{
    store_fixture_done(&f);
}

TestSuite(store_pg_trouble, .init = set_up, .fini = tear_down);

static enum kw_reason insert(int64_t id, const char *text)
{
    struct store_test_job job = store_test_job(&f, store_test_insert, id, text);
    enum kw_reason reason = store_test_write(&job).reason;

    err = job.job.error;
    return reason;
}

static struct kw_result run_text(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *error)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, ((struct store_test_job *)job)->text, &stmt, error));
    return kw_exec(stmt, NULL, error);
}

static enum kw_reason write_text(const char *sql)
{
    struct store_test_job job = store_test_job(&f, run_text, 0, sql);
    enum kw_reason reason = store_test_write(&job).reason;

    err = job.job.error;
    return reason;
}

static enum kw_reason read_text(const char *sql)
{
    struct store_test_job job = store_test_job(&f, run_text, 0, sql);
    enum kw_reason reason = store_test_read(&job).reason;

    err = job.job.error;
    return reason;
}

static uint64_t undone(void)
{
    struct kw_store_stats stats;

    kw_store_stats(f.store, &stats);
    return stats.undone;
}

/* --- what the server says --- */

#define RAISE(state) "DO 'BEGIN RAISE EXCEPTION ''row 4711'' USING ERRCODE = ''" state "''; END'"

struct said {
    const char *sql;
    enum kw_reason reason;
    uint64_t undone; /* groups: the job alone failed, or everything with it */
};

static const struct said said[] = {
    {RAISE("40001"), KW_E_STORE_UNAVAILABLE, 1}, {RAISE("40P01"), KW_E_STORE_UNAVAILABLE, 1},
    {RAISE("55P03"), KW_E_STORE_UNAVAILABLE, 1}, {RAISE("57014"), KW_E_STORE_UNAVAILABLE, 1},
    {RAISE("53100"), KW_E_STORE_FULL, 1},        {RAISE("53200"), KW_E_MEMORY, 1},
    {RAISE("53300"), KW_E_STORE_UNAVAILABLE, 1}, {RAISE("57P01"), KW_E_STORE_UNAVAILABLE, 1},
    {RAISE("58030"), KW_E_STORE_UNAVAILABLE, 1}, {RAISE("XX001"), KW_E_STORE_UNAVAILABLE, 1},
    {RAISE("0A000"), KW_E_STORE_UNAVAILABLE, 1}, {RAISE("22003"), KW_E_INTERNAL, 0},
    {RAISE("23503"), KW_E_INTERNAL, 0},          {RAISE("42501"), KW_E_INTERNAL, 0},
    {RAISE("54000"), KW_E_INTERNAL, 0},          {RAISE("23505"), KW_E_ALREADY_EXISTS, 0},
};

/* Until what was refused for want of room is let in again. */
static enum kw_reason insert_when_there_is_room(int64_t id)
{
    enum kw_reason reason;

    do {
        reason = insert(id, NULL);
    } while (reason == KW_E_STORE_FULL);
    return reason;
}

Test(store_pg_trouble, each_state_has_its_meaning_and_the_store_goes_on)
{
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        uint64_t before = undone();

        cr_assert(eq(int, write_text(said[i].sql), said[i].reason), "%s: %s", said[i].sql,
                  err.message);
        cr_assert(eq(u64, undone() - before, said[i].undone), "%s", said[i].sql);
        cr_assert(eq(int, insert_when_there_is_room((int64_t)i), KW_E_NONE), "%s: %s", said[i].sql,
                  err.message);
    }
    cr_assert(zero(int, f.failures));
    cr_assert(kw_store_alive(f.store));
}

Test(store_pg_trouble, the_trouble_of_one_undoes_its_group)
{
    struct store_test_job jobs[] = {
        store_test_job(&f, store_test_insert, 1, NULL),
        store_test_job(&f, run_text, 0, RAISE("40001")),
        store_test_job(&f, store_test_insert, 2, NULL),
    };

    cr_assert(eq(sz, store_test_write_all(&f, jobs, 3), 3));
    for (int i = 0; i < 3; i++) {
        store_test_wait(&jobs[i]);
        cr_assert(eq(int, jobs[i].job.result.reason, KW_E_STORE_UNAVAILABLE));
    }
    cr_assert(eq(i64, store_test_rows(&f), 0));
    cr_assert(eq(i64, kw_metric_value(KW_M_STORE_UNDONE, "store"), 1));
}

/* --- a commit that fails --- */

/* What nobody sees before COMMIT: made when the store had looked for it already. */
#define FAIL_LATE(state)                                                                           \
    "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS"                                   \
    " 'BEGIN RAISE EXCEPTION ''late'' USING ERRCODE = ''" state "''; END';"                        \
    " CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED"              \
    " FOR EACH ROW EXECUTE FUNCTION late()"

static void fail_the_commit(const char *trigger, enum kw_reason reason)
{
    (void)postgres_sql(f.url, trigger);
    cr_assert(eq(int, insert(1, NULL), reason), "%s", err.message);
    (void)postgres_sql(f.url, "DROP FUNCTION late CASCADE");
    cr_assert(eq(i64, postgres_sql(f.url, "SELECT count(*) FROM t"), 0));
}

Test(store_pg_trouble, a_commit_that_fails_is_not_acknowledged)
{
    fail_the_commit(FAIL_LATE("P0001"), KW_E_STORE_UNAVAILABLE);
    fail_the_commit(FAIL_LATE("23514"), KW_E_STORE_UNAVAILABLE);
    cr_assert(ne(ptr, strstr(err.message, "outcome is unknown"), NULL), "%s", err.message);
    fail_the_commit(FAIL_LATE("53100"), KW_E_STORE_FULL);
    cr_assert(eq(u64, undone(), 3));
    cr_assert(eq(int, insert_when_there_is_room(1), KW_E_NONE));
}

/* --- what is said about it --- */

Test(store_pg_trouble, no_error_repeats_a_row)
{
    cr_assert(eq(int, insert(1, "hunter2"), KW_E_NONE));
    cr_assert(eq(int, insert(2, "hunter2"), KW_E_ALREADY_EXISTS));
    cr_assert(eq(ptr, strstr(err.message, "hunter2"), NULL), "%s", err.message);
    cr_assert(eq(int, write_text("INSERT INTO t (id) VALUES ('hunter2')"), KW_E_INTERNAL));
    cr_assert(eq(ptr, strstr(err.message, ": invalid input"), NULL), "%s", err.message);
    cr_assert(eq(int, write_text(RAISE("22003")), KW_E_INTERNAL));
    cr_assert(ne(ptr, strstr(err.message, "a value is refused (22003)"), NULL), "%s", err.message);
}

/* --- what is not like SQLite --- */

static struct kw_result go_on_after_conflict(struct kw_store_job *job, struct kw_tx *tx,
                                             struct kw_error *error)
{
    struct store_test_job change =
        store_test_job(&f, run_text, 0, "UPDATE t SET text = 'one' WHERE id = 2");

    cr_assert(eq(int, run_text(&change.job, tx, NULL).reason, KW_E_ALREADY_EXISTS));
    (void)job;
    (void)error;
    return KW_OK;
}

Test(store_pg_trouble, after_the_duplicate_of_an_update_a_job_can_not_go_on)
{
    struct store_test_job job = store_test_job(&f, go_on_after_conflict, 0, NULL);

    cr_assert(eq(int, insert(1, "one"), KW_E_NONE));
    cr_assert(eq(int, insert(2, "two"), KW_E_NONE));
    cr_assert(eq(int, store_test_write(&job).reason, KW_E_INTERNAL));
}

Test(store_pg_trouble, a_type_that_no_column_function_reads_is_refused)
{
    cr_assert(eq(int, insert(1, NULL), KW_E_NONE));
    cr_assert(eq(int, read_text("SELECT avg(id) + 0.5 FROM t"), KW_E_INTERNAL));
    cr_assert(ne(ptr, strstr(err.message, "column 0 has type"), NULL));
    cr_assert(eq(int, read_text("SELECT now()"), KW_E_INTERNAL));
}

/* --- time --- */

/* A setting of the session that the job runs in, in milliseconds. */
static struct kw_result look_at_limit(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *error)
{
    struct store_test_job *mine = (struct store_test_job *)job;
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, "SELECT setting FROM pg_settings WHERE name = $1 AND unit = 'ms'", &stmt,
                  error));
    kw_bind_text(stmt, 1, mine->text);
    KW_TRY(kw_step(stmt, &row, error));
    mine->number = strtoll(kw_col_text(stmt, 0), NULL, 10);
    return KW_OK;
}

Test(store_pg_trouble, nothing_is_waited_for_without_end)
{
    static const struct limit {
        const char *name;
        int64_t of_writes;
        int64_t of_reads;
    } limits[] = {
        {"statement_timeout", KW_PG_STATEMENT_MS, KW_STORE_READ_MS_MAX},
        {"lock_timeout", KW_PG_LOCK_MS, KW_PG_LOCK_MS},
        {"idle_in_transaction_session_timeout", KW_PG_IDLE_MS, KW_PG_IDLE_MS},
    };

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct store_test_job job = store_test_job(&f, look_at_limit, 0, limits[i].name);

        cr_assert(eq(int, store_test_write(&job).reason, KW_E_NONE), "%s", job.job.error.message);
        cr_assert(eq(i64, job.number, limits[i].of_writes));
        cr_assert(eq(int, store_test_read(&job).reason, KW_E_NONE), "%s", job.job.error.message);
        cr_assert(eq(i64, job.number, limits[i].of_reads));
    }
}

Test(store_pg_trouble, a_read_that_takes_too_long_is_ended)
{
    store_fixture_close(&f);
    f.read_ms_max = 200;
    MUST(store_fixture_open(&f, store_test_schema, 1, err));
    cr_assert(eq(int, read_text("SELECT count(*) FROM generate_series(1, 1000000000)"),
                 KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(i64, store_test_rows(&f), 0));
}

Test(store_pg_trouble, a_write_that_takes_too_long_undoes_its_group)
{
    cr_assert(eq(int, write_text("SELECT count(*) FROM generate_series(1, 1000000000)"),
                 KW_E_STORE_UNAVAILABLE));
    cr_assert(ne(ptr, strstr(err.message, "(57014)"), NULL), "%s", err.message);
    cr_assert(eq(u64, undone(), 1));
    cr_assert(eq(int, insert(1, NULL), KW_E_NONE));
}

/* What would be asked for again and again is given up. */
Test(store_pg_trouble, a_copy_ends_its_group_and_not_the_thread, .timeout = 60)
{
    cr_assert(eq(int, write_text("COPY (SELECT 1) TO STDOUT"), KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(int, insert(1, NULL), KW_E_NONE), "%s", err.message);
    cr_assert(eq(int, write_text("COPY t FROM STDIN"), KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(int, insert(2, NULL), KW_E_NONE), "%s", err.message);
    cr_assert(eq(int, read_text("COPY (SELECT 1) TO STDOUT"), KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(i64, store_test_rows(&f), 2));
    cr_assert(eq(u64, undone(), 2));
    cr_assert(zero(int, f.failures));
}

/* --- the connection --- */

#define HANG_UP                                                                                    \
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = "      \
    "'keyward' AND pid <> pg_backend_pid()"

/* One of the store's three at the server's end: a process of this machine. */
static pid_t backend(int number)
{
    char sql[160];

    (void)snprintf(sql, sizeof(sql),
                   "SELECT pid FROM pg_stat_activity WHERE application_name = 'keyward'"
                   " ORDER BY pid LIMIT 1 OFFSET %d",
                   number);
    return (pid_t)postgres_sql(f.url, sql);
}

static bool exists(pid_t pid)
{
    return kill(pid, 0) == 0;
}

/* F38 of docs/faults.md, with what follows. */
Test(store_pg_trouble, connections_that_were_ended_are_made_anew_before_anybody_notices)
{
    const pid_t backends[] = {backend(0), backend(1), backend(2)};

    cr_assert(eq(int, insert(1, NULL), KW_E_NONE));
    cr_assert(eq(i64, postgres_sql(f.url, HANG_UP), 3));
    while (exists(backends[0]) || exists(backends[1]) || exists(backends[2])) {
    }
    cr_assert(eq(int, insert(2, NULL), KW_E_NONE), "%s", err.message);
    cr_assert(eq(i64, store_test_rows(&f), 2));
    cr_assert(eq(u64, undone(), 0));
}

static struct kw_result hang_up_on_itself(struct kw_store_job *job, struct kw_tx *tx,
                                          struct kw_error *error)
{
    KW_TRY(store_test_insert(job, tx, error));
    (void)postgres_sql(f.url, HANG_UP);
    ((struct store_test_job *)job)->id++;
    return store_test_insert(job, tx, error);
}

Test(store_pg_trouble, a_connection_lost_within_a_group_undoes_it)
{
    struct store_test_job job = store_test_job(&f, hang_up_on_itself, 1, NULL);

    cr_assert(eq(int, store_test_write(&job).reason, KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(int, insert(1, NULL), KW_E_NONE), "%s", err.message);
    cr_assert(eq(i64, postgres_sql(f.url, "SELECT count(*) FROM t"), 1));
    cr_assert(zero(int, f.failures));
}

static void arm(const char *failpoints)
{
    setenv("KEYWARD_FAILPOINTS", failpoints, 1);
    MUST(kw_failpoint_load(err));
}

Test(store_pg_trouble, a_connection_lost_around_the_commit_leaves_its_outcome_open)
{
    arm("store.before_commit=error");
    cr_assert(eq(int, insert(1, NULL), KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(i64, store_test_rows(&f), 0));
    arm("store.after_commit=error");
    cr_assert(eq(int, insert(2, NULL), KW_E_STORE_UNAVAILABLE));
    cr_assert(eq(i64, store_test_rows(&f), 1));
    cr_assert(eq(int, insert(3, NULL), KW_E_NONE), "%s", err.message);
    cr_assert(zero(int, f.failures));
}

Test(store_pg_trouble, another_database_in_the_same_place_ends_the_store)
{
    cr_assert(eq(int, insert(1, NULL), KW_E_NONE));
    (void)postgres_sql(f.url, "UPDATE store_identity SET id = decode(repeat('11', 16), 'hex')");
    cr_assert(eq(i64, postgres_sql(f.url, HANG_UP), 3));
    while (kw_store_alive(f.store)) { /* until it has heard of it */
        (void)insert(2, NULL);
    }
    cr_assert(eq(int, f.failures, 1));
    cr_assert(not(kw_store_alive(f.store)));
    cr_assert(eq(str, f.failure.message, "another database answers where this store was"));
}
