/* What a job can do with SQL: parameters, rows, and each way in which a statement fails. */
#include "tests/support/store_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct store_fixture f;

static const struct kw_migration schema[] = {
    {"0001_initial",
     "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT UNIQUE);"
     "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
     "CREATE TABLE child (id INTEGER PRIMARY KEY, number INTEGER CHECK (number < 10),"
     " parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);"
     "CREATE TABLE kinds (a BLOB, b BLOB, c TEXT, d TEXT, e INTEGER, f BLOB);"},
};

static void set_up(void)
{
    struct kw_error err = {0};

    store_fixture_init(&f);
    cr_assert(kw_ok(store_fixture_open(&f, schema, 1, &err)), "%s", err.message);
}

static void tear_down(void)
{
    store_fixture_done(&f);
}

TestSuite(store_sql, .init = set_up, .fini = tear_down);

static enum kw_reason write_with(STORE_TEST_RUN((*run)))
{
    struct store_test_job job = store_test_job(&f, run, 0, NULL);

    return store_test_write(&job).reason;
}

static enum kw_reason read_with(STORE_TEST_RUN((*run)))
{
    struct store_test_job job = store_test_job(&f, run, 0, NULL);

    return store_test_read(&job).reason;
}

static enum kw_reason insert(int64_t id, const char *text)
{
    struct store_test_job job = store_test_job(&f, store_test_insert, id, text);

    return store_test_write(&job).reason;
}

static struct kw_result run_sql(struct kw_tx *tx, const char *sql, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    return kw_exec(stmt, NULL, err);
}

/* A job whose whole body is one statement. */
#define STATEMENT_JOB(name, sql)                                                                   \
    static struct kw_result name(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err) \
    {                                                                                              \
        (void)job;                                                                                 \
        return run_sql(tx, sql, err);                                                              \
    }

/* --- values --- */

static const struct kw_id some_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static struct kw_result insert_kinds(struct kw_store_job *job, struct kw_tx *tx,
                                     struct kw_error *err)
{
    struct kw_stmt *stmt;

    (void)job;
    KW_TRY(kw_sql(tx, "INSERT INTO kinds VALUES ($1, $2, $3, $4, $5, $6)", &stmt, err));
    kw_bind_id(stmt, 1, &some_id);
    kw_bind_blob(stmt, 2, KW_BYTES_NONE);
    kw_bind_text(stmt, 3, "text");
    kw_bind_text(stmt, 4, NULL);
    kw_bind_i64(stmt, 5, INT64_MIN);
    return kw_exec(stmt, NULL, err); /* $6 is not bound */
}

static struct kw_result check_kinds(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct kw_stmt *stmt;
    struct kw_id id;
    bool row;

    (void)job;
    KW_TRY(kw_sql(tx, "SELECT * FROM kinds", &stmt, err));
    KW_TRY(kw_step(stmt, &row, err));
    cr_assert(row);
    KW_TRY(kw_col_id(stmt, 0, &id, err));
    cr_assert(kw_id_equal(id, some_id));
    cr_assert(not(kw_col_is_null(stmt, 1)));
    cr_assert(zero(sz, kw_col_blob(stmt, 1).len));
    cr_assert(eq(str, (char *)kw_col_text(stmt, 2), "text"));
    cr_assert(kw_col_is_null(stmt, 3));
    cr_assert(eq(str, (char *)kw_col_text(stmt, 3), ""));
    cr_assert(eq(i64, kw_col_i64(stmt, 4), INT64_MIN));
    cr_assert(kw_col_is_null(stmt, 5));
    return KW_OK;
}

Test(store_sql, values_come_back_as_they_went)
{
    cr_assert(eq(int, write_with(insert_kinds), KW_E_NONE));
    cr_assert(eq(int, read_with(check_kinds), KW_E_NONE));
}

static struct kw_result read_short_id(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *err)
{
    struct kw_stmt *stmt;
    struct kw_id id;
    bool row;

    (void)job;
    KW_TRY(kw_sql(tx, "SELECT $1", &stmt, err));
    kw_bind_blob(stmt, 1, KW_BYTES("\1\2", 2));
    KW_TRY(kw_step(stmt, &row, err));
    return kw_col_id(stmt, 0, &id, err);
}

Test(store_sql, an_id_of_another_length_is_refused)
{
    cr_assert(eq(int, read_with(read_short_id), KW_E_INTERNAL));
}

/* SQLite would number these parameters in order of appearance. */
static struct kw_result subtract(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, "SELECT $2 - $1 - $1", &stmt, err));
    kw_bind_i64(stmt, 1, 1);
    kw_bind_i64(stmt, 2, 10);
    KW_TRY(kw_step(stmt, &row, err));
    ((struct store_test_job *)job)->number = kw_col_i64(stmt, 0);
    return KW_OK;
}

Test(store_sql, parameters_go_by_their_number)
{
    struct store_test_job job = store_test_job(&f, subtract, 0, NULL);

    cr_assert(eq(int, store_test_read(&job).reason, KW_E_NONE));
    cr_assert(eq(i64, job.number, 8));
}

static struct kw_result bind_out_of_range(struct kw_store_job *job, struct kw_tx *tx,
                                          struct kw_error *err)
{
    struct kw_stmt *stmt;

    (void)job;
    KW_TRY(kw_sql(tx, "INSERT INTO t (id) VALUES ($1)", &stmt, err));
    kw_bind_i64(stmt, 2, 1);
    kw_bind_i64(stmt, 1, 1);
    return kw_exec(stmt, NULL, err);
}

Test(store_sql, a_wrong_index_shows_in_the_step)
{
    cr_assert(eq(int, write_with(bind_out_of_range), KW_E_INTERNAL));
    cr_assert(eq(i64, store_test_rows(&f), 0));
}

static struct kw_result step_past_the_end(struct kw_store_job *job, struct kw_tx *tx,
                                          struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, "INSERT INTO t DEFAULT VALUES", &stmt, err));
    KW_TRY(kw_step(stmt, &row, err));
    KW_TRY(kw_step(stmt, &row, err));
    cr_assert(not(row));
    return store_test_count(job, tx, err);
}

Test(store_sql, a_statement_at_its_end_does_not_run_again)
{
    struct store_test_job job = store_test_job(&f, step_past_the_end, 0, NULL);

    cr_assert(eq(int, store_test_write(&job).reason, KW_E_NONE));
    cr_assert(eq(i64, job.number, 1));
}

static struct kw_result upsert(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, "INSERT INTO t (id) VALUES (1) ON CONFLICT DO NOTHING", &stmt, err));
    return kw_exec(stmt, &((struct store_test_job *)job)->number, err);
}

Test(store_sql, changed_rows_are_counted)
{
    struct store_test_job job = store_test_job(&f, upsert, 0, NULL);

    cr_assert(eq(int, store_test_write(&job).reason, KW_E_NONE));
    cr_assert(eq(i64, job.number, 1));
    cr_assert(eq(int, store_test_write(&job).reason, KW_E_NONE));
    cr_assert(eq(i64, job.number, 0));
}

static struct kw_result check_computed(struct kw_store_job *job, struct kw_tx *tx,
                                       struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    (void)job;
    KW_TRY(kw_sql(tx, "SELECT -7, count(*), 2 > 1, 1 + $1, max(id), sum(id) FROM t", &stmt, err));
    kw_bind_i64(stmt, 1, INT64_MAX - 1);
    KW_TRY(kw_step(stmt, &row, err));
    cr_assert(eq(i64, kw_col_i64(stmt, 0), -7));
    cr_assert(eq(i64, kw_col_i64(stmt, 1), 2));
    cr_assert(eq(i64, kw_col_i64(stmt, 2), 1));
    cr_assert(eq(i64, kw_col_i64(stmt, 3), INT64_MAX));
    cr_assert(eq(i64, kw_col_i64(stmt, 4), -2));
    cr_assert(eq(i64, kw_col_i64(stmt, 5), -5));
    return KW_OK;
}

Test(store_sql, numbers_may_be_computed)
{
    cr_assert(eq(int, insert(-2, NULL), KW_E_NONE));
    cr_assert(eq(int, insert(-3, NULL), KW_E_NONE));
    cr_assert(eq(int, read_with(check_computed), KW_E_NONE));
}

/* Counts the rows in this state, or all. There is no $1. */
static struct kw_result count_filtered(struct kw_store_job *job, struct kw_tx *tx,
                                       struct kw_error *err)
{
    struct store_test_job *mine = (struct store_test_job *)job;
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx,
                  "SELECT count(*) FROM t WHERE CASE WHEN text IS NULL THEN 1 ELSE 2 END = $2"
                  " OR $2 IS NULL",
                  &stmt, err));
    if (mine->id != 0) {
        kw_bind_i64(stmt, 2, mine->id);
    }
    KW_TRY(kw_step(stmt, &row, err));
    mine->number = kw_col_i64(stmt, 0);
    return KW_OK;
}

/* In one connection, so that the statement is the same one. */
Test(store_sql, a_parameter_may_be_left_out_and_bound_later)
{
    const int64_t states[] = {0, 1, 2, 0};
    const int64_t counts[] = {3, 2, 1, 3};

    for (int64_t id = 1; id <= 3; id++) {
        cr_assert(eq(int, insert(id, id == 2 ? "two" : NULL), KW_E_NONE));
    }
    for (int i = 0; i < 4; i++) {
        struct store_test_job job = store_test_job(&f, count_filtered, states[i], NULL);

        cr_assert(eq(int, store_test_write(&job).reason, KW_E_NONE), "%s", job.job.error.message);
        cr_assert(eq(i64, job.number, counts[i]));
    }
}

STATEMENT_JOB(lock_rows, "SELECT id FROM t WHERE id > 0 FOR UPDATE")

Test(store_sql, a_write_job_may_lock_rows_and_a_read_job_may_not)
{
    cr_assert(eq(int, insert(1, NULL), KW_E_NONE));
    cr_assert(eq(int, write_with(lock_rows), KW_E_NONE));
    cr_assert(eq(int, read_with(lock_rows), KW_E_INTERNAL));
    cr_assert(eq(int, write_with(lock_rows), KW_E_NONE));
}

/* --- failures --- */

Test(store_sql, a_duplicate_already_exists)
{
    cr_assert(eq(int, insert(1, "one"), KW_E_NONE));
    cr_assert(eq(int, insert(1, "same key"), KW_E_ALREADY_EXISTS));
    cr_assert(eq(int, insert(2, "one"), KW_E_ALREADY_EXISTS));
    cr_assert(eq(i64, store_test_rows(&f), 1));
}

static struct kw_result insert_or_next(struct kw_store_job *job, struct kw_tx *tx,
                                       struct kw_error *err)
{
    struct kw_result first = store_test_insert(job, tx, err);

    cr_assert(eq(int, first.reason, KW_E_ALREADY_EXISTS));
    ((struct store_test_job *)job)->id++;
    return store_test_insert(job, tx, err);
}

Test(store_sql, a_job_may_go_on_after_a_duplicate)
{
    struct store_test_job job = store_test_job(&f, insert_or_next, 1, NULL);

    cr_assert(eq(int, insert(1, NULL), KW_E_NONE));
    cr_assert(eq(int, store_test_write(&job).reason, KW_E_NONE));
    cr_assert(eq(i64, store_test_rows(&f), 2));
}

STATEMENT_JOB(break_a_check, "INSERT INTO child (id, number) VALUES (1, 11)")

static struct kw_result go_on_after_failure(struct kw_store_job *job, struct kw_tx *tx,
                                            struct kw_error *err)
{
    KW_TRY(store_test_insert(job, tx, err));
    KW_IGNORE(break_a_check(job, tx, NULL));
    return KW_OK;
}

Test(store_sql, a_job_may_not_go_on_after_another_failure)
{
    cr_assert(eq(int, write_with(go_on_after_failure), KW_E_INTERNAL));
    cr_assert(eq(i64, store_test_rows(&f), 0));
}

STATEMENT_JOB(add_orphan, "INSERT INTO child (id, parent) VALUES (1, 42)")

Test(store_sql, an_open_foreign_key_fails_its_job_alone)
{
    struct store_test_job jobs[] = {
        store_test_job(&f, add_orphan, 0, NULL),
        store_test_job(&f, store_test_insert, 1, NULL),
    };

    store_test_write_all(&f, jobs, 2);
    store_test_wait(&jobs[1]);
    cr_assert(eq(int, jobs[0].job.result.reason, KW_E_INTERNAL));
    cr_assert(eq(int, jobs[1].job.result.reason, KW_E_NONE));
    cr_assert(eq(i64, store_test_rows(&f), 1));
}

STATEMENT_JOB(speak_nonsense, "SELEKT 1")
STATEMENT_JOB(run_two_statements, "DELETE FROM t; DELETE FROM child")
STATEMENT_JOB(use_unnumbered_parameter, "DELETE FROM t WHERE id = ?")

Test(store_sql, wrong_sql_is_our_bug)
{
    cr_assert(eq(int, write_with(speak_nonsense), KW_E_INTERNAL));
    cr_assert(eq(int, write_with(run_two_statements), KW_E_INTERNAL));
    cr_assert(eq(int, write_with(use_unnumbered_parameter), KW_E_INTERNAL));
    cr_assert(eq(int, write_with(break_a_check), KW_E_INTERNAL));
    cr_assert(zero(int, f.failures));
}

STATEMENT_JOB(delete_all, "DELETE FROM t")

Test(store_sql, a_read_job_can_not_write)
{
    cr_assert(eq(int, insert(1, NULL), KW_E_NONE));
    cr_assert(eq(int, read_with(delete_all), KW_E_INTERNAL));
    cr_assert(eq(i64, store_test_rows(&f), 1));
}
