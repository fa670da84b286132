/* SQLite's result codes as our reasons: the duplicate that a caller may cause, the mistakes that
 * only we can make, and everything else, which is trouble with the database.
 */
#include "common/store/store_internal.h"

#define PRIMARY_CODE(code) ((code)&0xff) /* the rest tells the cause (sqlite.org/rescode.html) */

static bool breaks_the_file(int code)
{
    switch (PRIMARY_CODE(code)) {
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return true;
    default:
        return false;
    }
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

struct kw_result kw_conn_error(struct kw_conn *conn, int code, const char *what,
                               struct kw_error *err)
{
    bool is_latest = sqlite3_extended_errcode(conn->db) == code;
    const char *text = is_latest ? sqlite3_errmsg(conn->db) : sqlite3_errstr(code);

    if (breaks_the_file(code)) {
        conn->broken = true;
    }
    if (is_duplicate(code)) {
        KW_FAIL(err, ALREADY_EXISTS, "%s: %s (%d)", what, text, code);
    }
    if (is_our_bug(code)) {
        KW_FAIL(err, INTERNAL, "%s: %s (%d)", what, text, code);
    }
    KW_FAIL(err, STORE_UNAVAILABLE, "%s: %s (%d)", what, text, code);
}
