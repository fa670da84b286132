/* One SQLite connection, opened with settings that are read back. Used by one thread at a time. */
#include "common/store/sqlite/sqlite.h"

#include <stdio.h>

#define SETTING_TEXT_SIZE 64
#define STEPS_A_LOOK      10000 /* of SQLite's machine, between two looks at the clock: about 1 ms */
#define TEXT_OF_(value)   #value
#define TEXT_OF(value)    TEXT_OF_(value)

/* `PRAGMA name=value`, after which `PRAGMA name` must answer `reads`. */
struct setting {
    const char *name;
    const char *value;
    const char *reads;
};

/* The log is checkpointed by the writer thread between commits, never inside one, and by nobody
 * else: two connections that do can damage the file (WAL-reset bug of SQLite before 3.51.3). */
static const struct setting common_settings[] = {
    {"trusted_schema", "OFF", "0"}, /* nothing stored in the file may call functions of ours */
    {"cell_size_check", "ON", "1"}, /* notice a damaged page when it is read */
    {"foreign_keys", "ON", "1"},    /* off by default, and per connection */
    {"temp_store", "MEMORY", "2"},  /* no temporary files that could keep what was deleted */
    {"cache_size", "-" TEXT_OF(KW_STORE_CACHE_KIB), "-" TEXT_OF(KW_STORE_CACHE_KIB)},
    {"wal_autocheckpoint", "0", "0"},
};

static const struct setting writer_settings[] = {
    /* A commit is durable when it returns. More than FULL in one thing: the journal with which the
     * very first opening turns to WAL is gone for good before there is a log. One that came back
     * after a power cut would take the whole log with it. So it is set first. */
    {"synchronous", "EXTRA", "3"},
    {"journal_mode", "WAL", "wal"},
    {"secure_delete", "ON", "1"}, /* what is deleted is overwritten */
    {"busy_timeout", "0", "0"},   /* it is the only writer: waiting would hide that it is not */
};

static const struct setting reader_settings[] = {
    {"query_only", "ON", "1"},
    {"busy_timeout", TEXT_OF(KW_STORE_READ_WAIT_MS), TEXT_OF(KW_STORE_READ_WAIT_MS)},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct kw_result check_setting(struct kw_conn *conn, const struct setting *setting,
                                      struct kw_error *err)
{
    char sql[SETTING_TEXT_SIZE];
    sqlite3_stmt *stmt = NULL;
    const char *reads = NULL;
    bool as_set;

    (void)snprintf(sql, sizeof(sql), "PRAGMA %s", setting->name);
    if (sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        reads = (const char *)sqlite3_column_text(stmt, 0);
    }
    as_set = reads != NULL && strcmp(reads, setting->reads) == 0;
    (void)sqlite3_finalize(stmt);
    KW_ENSURE(as_set, err, STORE_UNAVAILABLE, "SQLite does not take %s=%s", setting->name,
              setting->value);
    return KW_OK;
}

static struct kw_result apply_settings(struct kw_conn *conn, const struct setting *settings,
                                       size_t count, struct kw_error *err)
{
    for (size_t i = 0; i < count; i++) {
        char sql[SETTING_TEXT_SIZE];
        int code;

        (void)snprintf(sql, sizeof(sql), "PRAGMA %s=%s", settings[i].name, settings[i].value);
        code = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);
        if (code != SQLITE_OK) {
            return kw_sqlite_error(conn, code, sql, err);
        }
        KW_TRY(check_setting(conn, &settings[i], err));
    }
    return KW_OK;
}

/* What can't be said by a pragma: no SQL may damage the file, "x" is a name and never a string, and
 * there is one database only. */
static void harden(sqlite3 *db)
{
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
}

static int note_wal_pages(void *context, sqlite3 *db, const char *name, int pages)
{
    struct kw_conn *conn = context;

    (void)db;
    (void)name;
    conn->wal_pages = pages;
    return SQLITE_OK;
}

static int interrupt_late(void *context)
{
    return kw_conn_is_late(context) ? 1 : 0;
}

static struct kw_result set_up(struct kw_conn *conn, enum kw_conn_role role, struct kw_error *err)
{
    harden(conn->db);
    KW_TRY(apply_settings(conn, common_settings, COUNT_OF(common_settings), err));
    if (role == KW_CONN_READER) {
        (void)sqlite3_db_config(conn->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_progress_handler(conn->db, STEPS_A_LOOK, interrupt_late, conn);
        return apply_settings(conn, reader_settings, COUNT_OF(reader_settings), err);
    }
    KW_TRY(apply_settings(conn, writer_settings, COUNT_OF(writer_settings), err));
    (void)sqlite3_wal_hook(conn->db, note_wal_pages, conn);
    return KW_OK;
}

struct kw_result kw_sqlite_open(struct kw_conn *conn, const struct kw_store_options *options,
                                enum kw_conn_role role, struct kw_error *err)
{
    int mode = role == KW_CONN_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    int flags = mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(options->path, &conn->db, flags, NULL);

    conn->backend = &kw_sqlite_backend;
    conn->role = role;
    conn->tx.conn = conn;
    KW_ENSURE(conn->db != NULL, err, STORE_UNAVAILABLE, "open %s: out of memory", options->path);
    if (code != SQLITE_OK) {
        return kw_sqlite_error(conn, code, options->path, err);
    }
    return set_up(conn, role, err);
}

void kw_sqlite_close(struct kw_conn *conn)
{
    if (conn->db == NULL) {
        return;
    }
    if (conn->broken) { /* after a failed fsync, what a checkpoint copies may not be what was
                           written */
        (void)sqlite3_db_config(conn->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    (void)sqlite3_close(conn->db);
    conn->db = NULL;
}
