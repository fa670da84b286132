/* PostgreSQL's table of operations, and those that need no file of their own: the edges of
 * transactions, migrations, and what a failure leaves. */
#include "common/store/postgres/postgres.h"

#include <stdio.h>

static const char *const texts[KW_CONTROL_COUNT] = {
    [KW_BEGIN_WRITE] = "BEGIN ISOLATION LEVEL READ COMMITTED",
    [KW_BEGIN_READ] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    [KW_SAVEPOINT] = "SAVEPOINT job",
    [KW_ROLLBACK_TO] = "ROLLBACK TO SAVEPOINT job",
    [KW_RELEASE] = "RELEASE SAVEPOINT job",
    [KW_COMMIT] = "COMMIT",
    [KW_ROLLBACK] = "ROLLBACK",
};

/* --- the edges of transactions --- */

/* What COMMIT leaves is unknown unless it says COMMIT, and nothing besides: a transaction that had
 * failed says ROLLBACK, and one whose standby did not answer in time warns. */
static struct kw_result commit(struct kw_conn *conn, struct kw_error *err)
{
    PGresult *answer = NULL;
    struct kw_error why = {.message = "no COMMIT was said"};
    struct kw_result result = kw_pg_owe(conn, texts[KW_COMMIT], &why);
    bool committed;

    if (kw_ok(result)) {
        result = kw_pg_flush(conn, &answer, &why);
    }
    committed = kw_ok(result) && strcmp(PQcmdStatus(answer), "COMMIT") == 0 && !conn->pg->warned;
    PQclear(answer);
    conn->pg->open = false;
    KW_ENSURE(result.reason != KW_E_STORE_FULL, err, STORE_FULL, "%s", why.message);
    KW_ENSURE(result.reason != KW_E_MEMORY, err, MEMORY, "%s", why.message);
    KW_ENSURE(committed, err, STORE_UNAVAILABLE, "the commit's outcome is unknown: %s",
              why.message);
    return KW_OK;
}

/* One that the server has not heard of yet need not be ended. */
static struct kw_result roll_back(struct kw_conn *conn, struct kw_error *err)
{
    struct kw_pg *pg = conn->pg;

    pg->open = false;
    pg->owed_count = 0;
    if (conn->broken || pg->link == NULL || PQtransactionStatus(pg->link) == PQTRANS_IDLE) {
        return KW_OK;
    }
    KW_TRY(kw_pg_owe(conn, texts[KW_ROLLBACK], err));
    return kw_pg_flush(conn, NULL, err);
}

static struct kw_result control(struct kw_conn *conn, enum kw_control what, struct kw_error *err)
{
    if (what == KW_COMMIT) {
        return commit(conn, err);
    }
    if (what == KW_ROLLBACK) {
        return roll_back(conn, err);
    }
    if (what == KW_BEGIN_WRITE || what == KW_BEGIN_READ) {
        conn->pg->open = true;
    }
    return kw_pg_owe(conn, texts[what], err);
}

/* Seen from either side: one that failed at its end is still open over there. */
static bool in_transaction(const struct kw_conn *conn)
{
    const struct kw_pg *pg = conn->pg;

    return pg->open ||
           (pg->link != NULL && !conn->broken && PQtransactionStatus(pg->link) != PQTRANS_IDLE);
}

static bool is_whole(const struct kw_conn *conn)
{
    return !conn->broken && conn->trouble == KW_E_NONE && conn->pg->open;
}

/* A foreign key that is checked late would fail the whole group at COMMIT. */
static struct kw_result check_job(struct kw_conn *conn, struct kw_error *err)
{
    if (conn->role == KW_CONN_READER || !conn->pg->defers) {
        return KW_OK;
    }
    KW_TRY(kw_pg_owe(conn, "SET CONSTRAINTS ALL IMMEDIATE", err));
    KW_TRY(kw_pg_flush(conn, NULL, err));
    return kw_pg_owe(conn, "SET CONSTRAINTS ALL DEFERRED", err);
}

/* What was to be durable may be or not be: the server knows, and whoever asks again with the same
 * request id will hear it. The next group gets a link that works. */
static bool undo(struct kw_conn *conn, enum kw_reason reason)
{
    (void)reason;
    if (conn->pg->foreign) {
        return false;
    }
    kw_conn_rollback(conn);
    if (conn->broken) {
        kw_pg_drop(conn);
    }
    return true;
}

/* --- migrations --- */

/* Any number; the same for every store of ours in one database server's database. */
#define MIGRATION_LOCK "7741531294"

static struct kw_result migrate_begin(struct kw_conn *conn, struct kw_error *err)
{
    KW_TRY(kw_pg_limits_of_migration(conn, err));
    return kw_pg_script(conn, "migration lock", "SELECT pg_advisory_lock(" MIGRATION_LOCK ")", err);
}

static struct kw_result note_constraints(struct kw_conn *conn, struct kw_error *err)
{
    PGresult *answer = NULL;

    KW_TRY(kw_pg_ask(conn, "SELECT 1 FROM pg_constraint WHERE condeferrable LIMIT 1", NULL, &answer,
                     err));
    conn->pg->defers = PQntuples(answer) > 0;
    PQclear(answer);
    return KW_OK;
}

static struct kw_result migrate_end(struct kw_conn *conn, struct kw_error *err)
{
    KW_TRY(kw_pg_identify(conn, err));
    KW_TRY(note_constraints(conn, err));
    KW_TRY(
        kw_pg_script(conn, "migration lock", "SELECT pg_advisory_unlock(" MIGRATION_LOCK ")", err));
    return kw_pg_limits(conn, err);
}

/* In its own transaction when there is none. */
static struct kw_result script(struct kw_conn *conn, const char *what, const char *sql,
                               struct kw_error *err)
{
    struct kw_buf text = {0};
    struct kw_result result = kw_pg_translate(sql, &text, err);

    if (kw_ok(result) && conn->pg->owed_count > 0) {
        result = kw_pg_flush(conn, NULL, err);
    }
    if (kw_ok(result)) {
        result = kw_pg_script(conn, what, (const char *)text.data, err);
    }
    kw_buf_done(&text);
    return result;
}

/* As it was identified when migrations ended. */
static struct kw_result place(struct kw_conn *conn, char ret_place[KW_STORE_PLACE_SIZE],
                              struct kw_error *err)
{
    (void)err;
    (void)snprintf(ret_place, KW_STORE_PLACE_SIZE, "%s", conn->pg->place);
    return KW_OK;
}

const struct kw_backend kw_pg_backend = {
    .claim = kw_pg_claim,
    .open = kw_pg_open,
    .close = kw_pg_close,
    .ready = kw_pg_ready,
    .migrate_begin = migrate_begin,
    .migrate_end = migrate_end,
    .script = script,
    .place = place,
    .control = control,
    .in_transaction = in_transaction,
    .is_whole = is_whole,
    .check_job = check_job,
    .undo = undo,
    .prepare = kw_pg_prepare,
    .finalize = kw_pg_finalize,
    .unbind = kw_pg_unbind,
    .rewind = kw_pg_rewind,
    .bind_blob = kw_pg_bind_blob,
    .bind_text = kw_pg_bind_text,
    .bind_i64 = kw_pg_bind_i64,
    .step = kw_pg_step,
    .changed = kw_pg_changed,
    .col_blob = kw_pg_col_blob,
    .col_text = kw_pg_col_text,
    .col_i64 = kw_pg_col_i64,
    .col_is_null = kw_pg_col_is_null,
};
