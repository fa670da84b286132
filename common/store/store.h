/* Store: one database of one owner in one cell. SQLite or PostgreSQL behind it, same SQL.
 *
 *     loop thread                    writer thread                   reader threads
 *     kw_store_write(job) ──▶ queue ──▶ BEGIN; every waiting job in a
 *                                       savepoint; COMMIT (fsync) ──┐
 *     job->done ◀────────────────────────────── mailbox ◀───────────┤
 *     kw_store_read(job) ───▶ queue ─────────────────────────────▶ one read transaction
 *
 * A job's `run` is ordinary blocking code on the store's thread: it sees one consistent state and
 * everything it writes becomes durable together with the group, before `done` runs. A job that
 * fails is rolled back alone. A failed commit or fsync of SQLite ends the process: nobody may
 * be told what may not be durable. What fails before anything was to be durable (no room, no
 * memory, a stranger's lock) undoes its group, which is told so, and the store goes on.
 */
#ifndef KW_COMMON_STORE_STORE_H
#define KW_COMMON_STORE_STORE_H

#include "common/base/bytes.h"
#include "common/base/id.h"
#include "common/loop/loop.h"

struct kw_store;
struct kw_tx;   /* the transaction a job runs in */
struct kw_stmt; /* one prepared statement, cached per connection by its SQL text */

struct kw_migration {
    const char *name; /* "0001_initial": recorded once applied */
    const char *sql;
};

/* Either `path` or `url`. */
struct kw_store_options {
    const char *path; /* of a file; `<path>.lock` beside it keeps other processes out */
    /* In order. One that was applied never changes; new ones come at the end. */
    const struct kw_migration *migrations;
    size_t migration_count;
    /* The store can't go on: stop the process. Required. Loop thread, once, before the `done` of
     * the jobs that failed by it; after kw_store_close if that is when it happened. */
    void (*failed)(const struct kw_error *error, void *context);
    void *context;
    uint32_t read_ms_max; /* 0: KW_STORE_READ_MS_MAX */
    const char *url;      /* of a PostgreSQL database (postgres/README.md) */
};

/* Embedded in the object that waits for it; stays valid until `done` ran. */
struct kw_store_job {
    struct kw_mail mail;
    struct kw_store_job *next;
    struct kw_result result;
    struct kw_error error;
    bool vital; /* a write that may use the last of the disk: what is owed, what takes away */
    struct kw_result (*run)(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err);
    void (*done)(struct kw_store_job *job); /* loop thread; `result` says how it went */
};

/* Opens, checks and migrates, blocking: at start-up only. `options` is read and not kept, the path
 * included. Fails: STORE_UNAVAILABLE (no access, in use by another process, input/output error),
 * CONFIG_INVALID (an applied migration is missing or differs; no path; a URL or a server that is not
 * safe), INTERNAL (a migration's SQL is wrong). */
struct kw_result kw_store_open(struct kw_loop *loop, const struct kw_store_options *options,
                               struct kw_store **ret_store, struct kw_error *err);

/* Which store this is: an id drawn when the database was made, the same for its life. */
struct kw_id kw_store_id(const struct kw_store *store);

/* Finishes what is queued, checkpoints, closes and joins; blocks. The `done` of what was queued
 * runs afterwards, when the loop turns, and must not use the store. Loop thread, before
 * kw_loop_stop. Accepts NULL. */
void kw_store_close(struct kw_store *store);

/* Fails: LIMIT_REACHED (KW_STORE_JOBS_MAX wait already), STORE_UNAVAILABLE (the store has failed),
 * STORE_FULL (as kw_store_room, unless the job is vital). Then `done` will not run. Loop thread.
 * Writes run in the order given; a read sees every write whose `done` has run. A job's `result` is
 * what `run` returned, or why its group was undone: STORE_FULL, MEMORY, STORE_UNAVAILABLE. Then it
 * is unknown whether the write will be there after a restart, and the caller retries with the same
 * request id. */
struct kw_result kw_store_write(struct kw_store *store, struct kw_store_job *job,
                                struct kw_error *err);
struct kw_result kw_store_read(struct kw_store *store, struct kw_store_job *job,
                               struct kw_error *err);

/* Is there room for more than what is owed? Fails: STORE_FULL (the disk refused, or less than
 * KW_STORE_RESERVE_BYTES are free), until there is space again. Any thread. */
struct kw_result kw_store_room(struct kw_store *store, struct kw_error *err);

/* False once the store has failed: what it refused it will never take. Any thread. */
bool kw_store_alive(struct kw_store *store);

/* What failed for this reason may succeed later: no room, no memory, too much to do, a stranger's
 * lock, the system; and the store lives. Any thread. */
bool kw_store_may_pass(struct kw_store *store, enum kw_reason reason);

/* What is to be done once that which a write job wrote is durable. Embedded in who wants to know. */
struct kw_commit_hook {
    struct kw_commit_hook *next;
    void (*run)(struct kw_commit_hook *hook); /* on the writer's thread: it only posts */
    bool marked;
};

/* Has `hook` run once this job's group is durable, before the `done` of its jobs; once, however often
 * it is marked. Not if the group is undone; if the job alone is, it may. Inside a write job. */
void kw_tx_mark(struct kw_tx *tx, struct kw_commit_hook *hook);

/* What a write job puts off until its end, so that it is done once, however often. Embedded in who puts
 * it off. */
struct kw_tx_late {
    struct kw_tx_late *next;
    struct kw_result (*write)(struct kw_tx_late *late, struct kw_tx *tx, struct kw_error *err);
    bool owed; /* from kw_tx_put_off until it is written, or the job has failed */
};

/* Has `late` written when the job has done the rest; if the job fails, never. Once, however often it is
 * put off. */
void kw_tx_put_off(struct kw_tx *tx, struct kw_tx_late *late);

/* Is the database another one than when this was asked last, of the same id: restored from a copy, set back to an
 * earlier session (SQLite), or one of two? It notes which it is, so the answer is the transaction's: undone, it is
 * given again. False the first time, and where that can't be told (a disk that was copied whole). Write job. Fails: as
 * the store. */
struct kw_result kw_store_moved(struct kw_tx *tx, bool *ret_moved, struct kw_error *err);

/* Writes now what was put off: for who looks at what it will change. Fails: as what is written. */
struct kw_result kw_tx_catch_up(struct kw_tx *tx, struct kw_error *err);

/* What happened since it was opened. */
struct kw_store_stats {
    uint64_t commits; /* groups made durable; writes / commits is the mean group */
    uint64_t writes;  /* write jobs answered, failed ones included */
    uint64_t writes_failed;
    uint64_t undone; /* groups that were rolled back whole; the store went on */
    uint64_t reads;
    uint64_t checkpoints;
    uint64_t wal_pages; /* in the log after the last commit */
    uint64_t writes_waiting;
    uint64_t reads_waiting;
};

/* Any thread. */
void kw_store_stats(struct kw_store *store, struct kw_store_stats *ret_stats);

/* --- SQL, on the store's threads, inside a job ---
 *
 * After ALREADY_EXISTS of an INSERT a job may go on, for the statement left nothing behind (but ON
 * CONFLICT says it better). After any other failure it returns that; one
 * that claims success is failed with INTERNAL. */

/* The statement for `sql`, reset and unbound. `sql` is a constant: the cache is keyed by its
 * address. Parameters are $1, $2, … numbered from 1; one that is not bound is NULL. Fails:
 * STORE_UNAVAILABLE, MEMORY, INTERNAL (wrong SQL, which may also show at the first step; more
 * statements than KW_STORE_STATEMENTS_MAX). A SELECT in a write job that ends with FOR UPDATE has its
 * rows to itself until the group is durable. */
struct kw_result kw_sql(struct kw_tx *tx, const char *sql, struct kw_stmt **ret_stmt,
                        struct kw_error *err);

/* Binding keeps a reference until the statement is next used; it can't fail (a failure shows in the
 * step). */
void kw_bind_blob(struct kw_stmt *stmt, int index, struct kw_bytes value); /* empty: not NULL */
void kw_bind_id(struct kw_stmt *stmt, int index, const struct kw_id *value);
void kw_bind_text(struct kw_stmt *stmt, int index, const char *value); /* NULL: SQL NULL */
void kw_bind_i64(struct kw_stmt *stmt, int index, int64_t value);

/* One row (`*ret_row` true) or the end. Fails: ALREADY_EXISTS (unique or primary key),
 * STORE_UNAVAILABLE, INTERNAL (another constraint, a bad index, a write in a read job: our bug).
 * After the end it stays at the end. */
struct kw_result kw_step(struct kw_stmt *stmt, bool *ret_row, struct kw_error *err);

/* For INSERT, UPDATE, DELETE whose rows nobody wants. `ret_changed` (may be NULL): rows changed.
 * Fails: as kw_step. */
struct kw_result kw_exec(struct kw_stmt *stmt, int64_t *ret_changed, struct kw_error *err);

/* Columns from 0. Bytes and text are valid until the next step or reset: copy what you keep. */
struct kw_bytes kw_col_blob(struct kw_stmt *stmt, int column); /* empty for NULL */

/* Fails: INTERNAL (what is stored is not 16 bytes). */
struct kw_result kw_col_id(struct kw_stmt *stmt, int column, struct kw_id *ret_id,
                           struct kw_error *err);
const char *kw_col_text(struct kw_stmt *stmt, int column); /* "" for NULL */
int64_t kw_col_i64(struct kw_stmt *stmt, int column);
bool kw_col_is_null(struct kw_stmt *stmt, int column);

#endif
