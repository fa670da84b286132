/* Store: one database of one owner in one cell (design.md §6). SQLite behind it; PostgreSQL later, same SQL.
 *
 *     loop thread                    writer thread                         reader threads
 *     kw_store_write(job) ──▶ queue ──▶ BEGIN; every waiting job in a
 *                                       savepoint; COMMIT (fsync) ──┐
 *     job->done ◀───────────────────────────────── mailbox ◀────────┘
 *     kw_store_read(job) ─────────────────────────────────────────────▶ one read transaction ──▶ done
 *
 * A job's `run` is ordinary blocking code on the store's thread: it sees one consistent state and everything it
 * writes becomes durable together with the group, before `done` runs. A job that fails is rolled back alone.
 * A failed commit or fsync ends the process (design.md §6): nobody may be told what may not be durable.
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

struct kw_store_options {
    const char *path;
    const struct kw_migration *migrations;
    size_t migration_count;
    void (*failed)(const struct kw_error *error, void *context); /* the store can't go on: stop the process */
    void *context;
};

/* Embedded in the object that waits for it; stays valid until `done` ran. */
struct kw_store_job {
    struct kw_mail mail;
    struct kw_store_job *next;
    struct kw_result result;
    struct kw_error error;
    struct kw_result (*run)(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err);
    void (*done)(struct kw_store_job *job); /* loop thread; `result` says how it went */
};

/* Opens, checks and migrates, blocking: at start-up only. Fails: STORE_UNAVAILABLE, CONFIG_INVALID. */
struct kw_result kw_store_open(struct kw_loop *loop, const struct kw_store_options *options,
                               struct kw_store **ret_store, struct kw_error *err);

/* Finishes what is queued, checkpoints, closes and joins. Before kw_loop_stop. Accepts NULL. */
void kw_store_close(struct kw_store *store);

/* Fails: LIMIT_REACHED (KW_STORE_JOBS_MAX wait already). Then `done` will not run. Loop thread. */
struct kw_result kw_store_write(struct kw_store *store, struct kw_store_job *job, struct kw_error *err);
struct kw_result kw_store_read(struct kw_store *store, struct kw_store_job *job, struct kw_error *err);

/* --- SQL, on the store's threads, inside a job --- */

/* The statement for `sql`, reset and unbound. `sql` is a constant: the cache is keyed by its address.
 * Parameters are $1, $2, … numbered from 1. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_sql(struct kw_tx *tx, const char *sql, struct kw_stmt **ret_stmt, struct kw_error *err);

/* Binding keeps a reference until the statement is next used; it can't fail (a failure shows in the step). */
void kw_bind_blob(struct kw_stmt *stmt, int index, struct kw_bytes value);
void kw_bind_id(struct kw_stmt *stmt, int index, const struct kw_id *value);
void kw_bind_text(struct kw_stmt *stmt, int index, const char *value); /* NULL: SQL NULL */
void kw_bind_i64(struct kw_stmt *stmt, int index, int64_t value);

/* One row (`*ret_row` true) or the end. Fails: ALREADY_EXISTS (unique or primary key), STORE_UNAVAILABLE. */
struct kw_result kw_step(struct kw_stmt *stmt, bool *ret_row, struct kw_error *err);

/* For statements that return nothing. `ret_changed` (may be NULL): rows changed. */
struct kw_result kw_exec(struct kw_stmt *stmt, int64_t *ret_changed, struct kw_error *err);

/* Columns from 0. Bytes and text are valid until the next step or reset: copy what you keep. */
struct kw_bytes kw_col_blob(struct kw_stmt *stmt, int column);
struct kw_result kw_col_id(struct kw_stmt *stmt, int column, struct kw_id *ret_id, struct kw_error *err);
const char *kw_col_text(struct kw_stmt *stmt, int column); /* "" for NULL */
int64_t kw_col_i64(struct kw_stmt *stmt, int column);
bool kw_col_is_null(struct kw_stmt *stmt, int column);

#endif
