/* SQLite's table of operations, and those that need no file of their own: the edges of
 * transactions. */
#include "common/store/sqlite/sqlite.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static const char *const texts[KW_CONTROL_COUNT] = {
    [KW_BEGIN_WRITE] = "BEGIN IMMEDIATE", [KW_BEGIN_READ] = "BEGIN",
    [KW_SAVEPOINT] = "SAVEPOINT job",     [KW_ROLLBACK_TO] = "ROLLBACK TO job",
    [KW_RELEASE] = "RELEASE job",         [KW_COMMIT] = "COMMIT",
    [KW_ROLLBACK] = "ROLLBACK",
};

static struct kw_result control(struct kw_conn *conn, enum kw_control what, struct kw_error *err)
{
    struct kw_stmt *stmt;
    struct kw_result result = KW_OK;
    int code;

    KW_TRY(kw_conn_statement(conn, texts[what], &stmt, err));
    code = sqlite3_step(stmt->sqlite.handle);
    if (code != SQLITE_DONE) {
        result = kw_sqlite_error(conn, code, texts[what], err);
    }
    (void)sqlite3_reset(stmt->sqlite.handle);
    return result;
}

static struct kw_result script(struct kw_conn *conn, const char *what, const char *sql,
                               struct kw_error *err)
{
    int code = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? KW_OK : kw_sqlite_error(conn, code, what, err);
}

static bool in_transaction(const struct kw_conn *conn)
{
    return sqlite3_get_autocommit(conn->db) == 0;
}

/* Of a file that was copied the inode is another, or it is one that is used again, and then it was born at
 * another time. Its path says nothing, and its device's number may change with each start of the
 * machine. */
static struct kw_result place(struct kw_conn *conn, char ret_place[KW_STORE_PLACE_SIZE],
                              struct kw_error *err)
{
    const char *path = sqlite3_db_filename(conn->db, "main");
    struct statx file;

    (void)err;
    ret_place[0] = '\0';
    if (path != NULL && statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &file) == 0) {
        bool born = (file.stx_mask & STATX_BTIME) != 0;

        (void)snprintf(ret_place, KW_STORE_PLACE_SIZE, "%llx %llx.%x",
                       (unsigned long long)file.stx_ino,
                       born ? (unsigned long long)file.stx_btime.tv_sec : 0,
                       born ? file.stx_btime.tv_nsec : 0);
    }
    return KW_OK;
}

/* SQLite ends the whole transaction on some errors; then the group is lost, not the job alone. */
static bool is_whole(const struct kw_conn *conn)
{
    return !conn->broken && in_transaction(conn);
}

/* A deferred foreign key that is still open would fail the whole group if it were left to COMMIT. */
static struct kw_result check_job(struct kw_conn *conn, struct kw_error *err)
{
    int owed = 0;
    int high = 0;

    (void)sqlite3_db_status(conn->db, SQLITE_DBSTATUS_DEFERRED_FKS, &owed, &high, 0);
    KW_ENSURE(owed == 0, err, INTERNAL, "a job left a foreign key unresolved");
    return KW_OK;
}

/* Nothing of the group was to be durable yet, and SQLite is back where it was before. False: it is
 * not, or the trouble is of the other kind. */
static bool undo(struct kw_conn *conn, enum kw_reason reason)
{
    if (conn->broken || conn->trouble == KW_E_NONE || conn->trouble != reason) {
        return false;
    }
    kw_conn_rollback(conn);
    return !in_transaction(conn);
}

const struct kw_backend kw_sqlite_backend = {
    .claim = kw_sqlite_lock,
    .open = kw_sqlite_open,
    .close = kw_sqlite_close,
    .script = script,
    .session = kw_sqlite_session,
    .place = place,
    .control = control,
    .in_transaction = in_transaction,
    .is_whole = is_whole,
    .check_job = check_job,
    .undo = undo,
    .checkpoint = kw_sqlite_checkpoint,
    .prepare = kw_sqlite_prepare,
    .finalize = kw_sqlite_finalize,
    .unbind = kw_sqlite_unbind,
    .rewind = kw_sqlite_rewind,
    .bind_blob = kw_sqlite_bind_blob,
    .bind_text = kw_sqlite_bind_text,
    .bind_i64 = kw_sqlite_bind_i64,
    .step = kw_sqlite_step,
    .changed = kw_sqlite_changed,
    .col_blob = kw_sqlite_col_blob,
    .col_text = kw_sqlite_col_text,
    .col_i64 = kw_sqlite_col_i64,
    .col_is_null = kw_sqlite_col_is_null,
};
