/* What differs between databases: one table of operations for each, and the connections and
 * statements they work on. Everything else of the store is written once, above this.
 *
 * A connection belongs to the one thread that was given it (before the threads start, to
 * kw_store_open; after they are joined, to kw_store_close).
 */
#ifndef KW_COMMON_STORE_BACKEND_H
#define KW_COMMON_STORE_BACKEND_H

#include "common/base/failpoint.h"
#include "common/base/limits.h"
#include "common/store/store.h"

enum kw_conn_role {
    KW_CONN_WRITER,
    KW_CONN_READER
};

/* --- statements --- */

struct sqlite3;
struct sqlite3_stmt;
struct kw_pg;      /* postgres/postgres.h */
struct kw_pg_stmt; /* the same */

/* SQLite's part of a statement. */
struct kw_sqlite_stmt {
    struct sqlite3_stmt *handle;
    int bind_code; /* of the first bind that failed, reported by the step */
    uint8_t slots[KW_STORE_PARAMETERS_MAX +
                  1]; /* $n is SQLite's parameter slots[n]; 0: there is none */
};

struct kw_stmt {
    const char *sql; /* the key: its address; NULL marks a free slot */
    uint32_t sum;    /* of the text: it is a constant */
    struct kw_tx *tx;
    struct kw_stmt *next_used;
    bool used;  /* by the present job, hence in tx->used */
    bool ended; /* stepped to its end: another step must not run it again */
    union {
        struct kw_sqlite_stmt sqlite;
        struct kw_pg_stmt *pg;
    };
};

struct kw_tx {
    struct kw_conn *conn;
    struct kw_stmt *used;
    struct kw_tx_late *late; /* what the present job has put off */
    bool failed;             /* a statement failed in a way that a job may not overlook */
};

/* --- connections --- */

/* Open addressing wants free slots: the table is twice as large as what may be in it. */
#define KW_CONN_SLOTS (2U * KW_STORE_STATEMENTS_MAX)

#define KW_STORE_PLACE_SIZE 64 /* text, NUL included */

struct kw_conn {
    const struct kw_backend *backend;
    enum kw_conn_role role;
    struct kw_tx tx;        /* the one that is running: a connection has one at a time */
    uint64_t until_ns;      /* a read must be over by then; 0: a write, which takes its time */
    bool broken;            /* it can't be relied on: input/output error, damage, a lost link */
    enum kw_reason trouble; /* the last that passes: no room, no memory, busy */
    struct kw_commit_hook *hooks;    /* marked by the group that is being written */
    int wal_pages;                   /* in the log after the last commit (SQLite's writer) */
    char place[KW_STORE_PLACE_SIZE]; /* of the writer; "": not known */
    size_t cached;
    struct kw_stmt cache[KW_CONN_SLOTS];
    union {
        struct sqlite3 *db;
        struct kw_pg *pg;
    };
};

/* The edges of transactions; each backend says them its own way. */
enum kw_control {
    KW_BEGIN_WRITE,
    KW_BEGIN_READ,
    KW_SAVEPOINT, /* of one job */
    KW_ROLLBACK_TO,
    KW_RELEASE,
    KW_COMMIT,
    KW_ROLLBACK,
    KW_CONTROL_COUNT
};

/* --- the operations --- */

/* "Fails" is in every case STORE_UNAVAILABLE, and what is said beside it. */
struct kw_backend {
    /* Takes the database for this process as far as its kind asks for. `*ret_fd` (or -1) is closed
     * to give it up. Fails: CONFIG_INVALID. */
    struct kw_result (*claim)(const struct kw_store_options *options, int *ret_fd,
                              struct kw_error *err);

    /* Opens and sets up; every setting is read back. `conn` is zeroed before. Fails:
     * CONFIG_INVALID (settings of the server that are not safe). */
    struct kw_result (*open)(struct kw_conn *conn, const struct kw_store_options *options,
                             enum kw_conn_role role, struct kw_error *err);

    /* Releases everything. Accepts zeroed. */
    void (*close)(struct kw_conn *conn);

    /* Before a transaction: is there a connection? One that was lost is made anew. NULL: a
     * connection that failed once is at its end. Fails: CONFIG_INVALID and INTERNAL when it will
     * never be what it was. */
    struct kw_result (*ready)(struct kw_conn *conn, struct kw_error *err);

    /* Keeps other processes from migrating meanwhile. NULL: there are none. */
    struct kw_result (*migrate_begin)(struct kw_conn *conn, struct kw_error *err);
    struct kw_result (*migrate_end)(struct kw_conn *conn, struct kw_error *err);

    /* Several statements without parameters, as migrations have; `what` is for the error. Fails:
     * INTERNAL. */
    struct kw_result (*script)(struct kw_conn *conn, const char *what, const char *sql,
                               struct kw_error *err);

    /* An opening begins: a database that is not as the last one left it forgets its place. NULL: that is not told. Fails:
     * CONFIG_INVALID. */
    struct kw_result (*session)(struct kw_conn *conn, struct kw_error *err);

    /* What a copy of this database would have otherwise, as text: of a file, say, its inode. "": that
     * is not known. */
    struct kw_result (*place)(struct kw_conn *conn, char ret_place[KW_STORE_PLACE_SIZE],
                              struct kw_error *err);

    struct kw_result (*control)(struct kw_conn *conn, enum kw_control control,
                                struct kw_error *err);
    bool (*in_transaction)(const struct kw_conn *conn);

    /* After a job, failed or not: can its group go on? */
    bool (*is_whole)(const struct kw_conn *conn);

    /* Before a job's savepoint is released: an open foreign key is its own failure. Fails: INTERNAL.
     */
    struct kw_result (*check_job)(struct kw_conn *conn, struct kw_error *err);

    /* The group failed with `reason`: everything is back where it was before it, or as good as.
     * False: nothing may be believed any more. */
    bool (*undo)(struct kw_conn *conn, enum kw_reason reason);

    /* After a commit; `*ret_done` when the log was copied into the database. NULL: the database does
     * that itself. */
    struct kw_result (*checkpoint)(struct kw_conn *conn, bool *ret_done, struct kw_error *err);

    /* Prepares `stmt` for `sql`. Fails: INTERNAL. */
    struct kw_result (*prepare)(struct kw_conn *conn, const char *sql, struct kw_stmt *stmt,
                                struct kw_error *err);
    void (*finalize)(struct kw_stmt *stmt);
    void (*unbind)(struct kw_stmt *stmt); /* and rewinds */
    void (*rewind)(struct kw_stmt *stmt);
    void (*bind_blob)(struct kw_stmt *stmt, int index, struct kw_bytes value);
    void (*bind_text)(struct kw_stmt *stmt, int index, const char *value);
    void (*bind_i64)(struct kw_stmt *stmt, int index, int64_t value);

    /* As kw_step. */
    struct kw_result (*step)(struct kw_stmt *stmt, bool *ret_row, struct kw_error *err);
    int64_t (*changed)(const struct kw_stmt *stmt);
    struct kw_bytes (*col_blob)(struct kw_stmt *stmt, int column);
    const char *(*col_text)(struct kw_stmt *stmt, int column); /* NULL for NULL */
    int64_t (*col_i64)(struct kw_stmt *stmt, int column);
    bool (*col_is_null)(struct kw_stmt *stmt, int column);
};

extern const struct kw_backend kw_sqlite_backend;
extern const struct kw_backend kw_pg_backend;

/* --- statement.c, transaction.c --- */

/* A read that is to be over. */
bool kw_conn_is_late(const struct kw_conn *conn);

/* Finalizes every statement and closes. Accepts zeroed. */
void kw_conn_close(struct kw_conn *conn);

/* The cached statement, not yet marked as used. Fails: INTERNAL (bad SQL, cache full),
 * STORE_UNAVAILABLE. */
struct kw_result kw_conn_statement(struct kw_conn *conn, const char *sql, struct kw_stmt **ret_stmt,
                                   struct kw_error *err);

/* Before a transaction. Fails: as the backend's `ready`. */
struct kw_result kw_conn_ready(struct kw_conn *conn, struct kw_error *err);

struct kw_result kw_conn_control(struct kw_conn *conn, enum kw_control control,
                                 struct kw_error *err);

/* As a sync that failed would do. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_conn_failpoint(struct kw_conn *conn, enum kw_failpoint point,
                                   struct kw_error *err);

/* Rewinds and unbinds all that the job used, so that no statement outlives it and no binding
 * dangles; what it had put off and not written is forgotten. */
void kw_conn_settle(struct kw_conn *conn);

/* Settles and leaves the transaction, if there still is one. */
void kw_conn_rollback(struct kw_conn *conn);

/* The group is durable, or undone: runs what it has marked, or forgets it. */
void kw_conn_tell_hooks(struct kw_conn *conn, bool durable);

#endif
