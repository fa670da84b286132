/* What the files of this folder share. Nobody outside needs it but tests that look into the file. */
#ifndef KW_COMMON_STORE_SQLITE_H
#define KW_COMMON_STORE_SQLITE_H

#include "common/store/backend.h"

#include <sqlite3.h>

/* --- lock.c --- */

/* Takes the database for this process and makes its file private. Fails: STORE_UNAVAILABLE (in use,
 * no access), CONFIG_INVALID (path too long). `*ret_fd` is the lock: closing it gives it up. */
struct kw_result kw_sqlite_lock(const struct kw_store_options *options, int *ret_fd,
                                struct kw_error *err);

/* --- session.c --- */

/* Begins one; if the file is not as the last one left it, forgets its place, so that it has moved. Fails: STORE_UNAVAILABLE,
 * CONFIG_INVALID (name too long). */
struct kw_result kw_sqlite_session(struct kw_conn *conn, struct kw_error *err);

/* --- conn.c --- */

/* Opens and sets up; every setting is read back. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_sqlite_open(struct kw_conn *conn, const struct kw_store_options *options,
                                enum kw_conn_role role, struct kw_error *err);

/* The writer's close checkpoints unless it is broken. Accepts one that could not be opened. */
void kw_sqlite_close(struct kw_conn *conn);

/* --- error.c --- */

/* The error for SQLite's result `code`; `what` is put in front of its message. Notes in the
 * connection what it means for it: `broken`, `trouble`. */
struct kw_result kw_sqlite_error(struct kw_conn *conn, int code, const char *what,
                                 struct kw_error *err);

/* --- statement.c --- */

struct kw_result kw_sqlite_prepare(struct kw_conn *conn, const char *sql, struct kw_stmt *stmt,
                                   struct kw_error *err);
void kw_sqlite_finalize(struct kw_stmt *stmt);
void kw_sqlite_unbind(struct kw_stmt *stmt);
void kw_sqlite_rewind(struct kw_stmt *stmt);
void kw_sqlite_bind_blob(struct kw_stmt *stmt, int index, struct kw_bytes value);
void kw_sqlite_bind_text(struct kw_stmt *stmt, int index, const char *value);
void kw_sqlite_bind_i64(struct kw_stmt *stmt, int index, int64_t value);
struct kw_result kw_sqlite_step(struct kw_stmt *stmt, bool *ret_row, struct kw_error *err);
int64_t kw_sqlite_changed(const struct kw_stmt *stmt);
struct kw_bytes kw_sqlite_col_blob(struct kw_stmt *stmt, int column);
const char *kw_sqlite_col_text(struct kw_stmt *stmt, int column);
int64_t kw_sqlite_col_i64(struct kw_stmt *stmt, int column);
bool kw_sqlite_col_is_null(struct kw_stmt *stmt, int column);

/* --- checkpoint.c --- */

/* Copies the log into the database when it has grown; `*ret_done` when it did. Fails:
 * STORE_UNAVAILABLE. */
struct kw_result kw_sqlite_checkpoint(struct kw_conn *conn, bool *ret_done, struct kw_error *err);

#endif
