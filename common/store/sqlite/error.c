/* SQLite's result codes as our reasons: the duplicate that a caller may cause, the mistakes that
 * only we can make, trouble that passes, and everything else, after which the file can't be relied
 * on.
 */
#include "common/store/sqlite/sqlite.h"

#include <errno.h>

#define PRIMARY_CODE(code) ((code)&0xff) /* the rest tells the cause (sqlite.org/rescode.html) */

/* A full disk shows as SQLITE_FULL in a write; otherwise where the shared memory's file grows, or as
 * a failed write with the error of a quota. Not in a sync: what that did not write is lost. */
static bool is_out_of_room(sqlite3 *db, int code)
{
    return code == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE ||
           (code == SQLITE_IOERR_WRITE && sqlite3_system_errno(db) == EDQUOT);
}

/* Trouble in which nothing was to be durable yet: the transaction is undone and the next one may
 * succeed. KW_E_NONE: it is of another kind. */
static enum kw_reason passing_trouble(sqlite3 *db, int code)
{
    if (is_out_of_room(db, code)) {
        return KW_E_STORE_FULL;
    }
    if (PRIMARY_CODE(code) == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM) {
        return KW_E_MEMORY;
    }
    if (PRIMARY_CODE(code) == SQLITE_BUSY || PRIMARY_CODE(code) == SQLITE_LOCKED ||
        PRIMARY_CODE(code) == SQLITE_INTERRUPT) { /* a read that was late */
        return KW_E_STORE_UNAVAILABLE;
    }
    return KW_E_NONE;
}

static bool is_duplicate(int code)
{
    return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
           code == SQLITE_CONSTRAINT_ROWID;
}

static bool is_our_bug(int code)
{
    switch (PRIMARY_CODE(code)) {
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_TOOBIG:
        return true;
    case SQLITE_READONLY:
        return code == SQLITE_READONLY; /* a read job that writes; trouble with the file has a
                                           longer code */
    default:
        return false;
    }
}

struct kw_result kw_sqlite_error(struct kw_conn *conn, int code, const char *what,
                                 struct kw_error *err)
{
    bool is_latest = sqlite3_extended_errcode(conn->db) == code;
    const char *text = is_latest ? sqlite3_errmsg(conn->db) : sqlite3_errstr(code);
    enum kw_reason passing = passing_trouble(conn->db, code);

    if (passing != KW_E_NONE) {
        conn->trouble = passing;
        text = passing == KW_E_STORE_FULL ? "the disk is full" : text;
        return kw_error_make(err, passing, __FILE__, __LINE__, "%s: %s (%d)", what, text, code);
    }
    if (is_duplicate(code)) {
        KW_FAIL(err, ALREADY_EXISTS, "%s: %s (%d)", what, text, code);
    }
    if (is_our_bug(code)) {
        KW_FAIL(err, INTERNAL, "%s: %s (%d)", what, text, code);
    }
    conn->broken = true;
    KW_FAIL(err, STORE_UNAVAILABLE, "%s: %s (%d)", what, text, code);
}
