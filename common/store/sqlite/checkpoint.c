/* Checkpoints: by the writer alone, and only between commits. */
#include "common/base/failpoint.h"
#include "common/store/sqlite/sqlite.h"

static int checkpoint(struct kw_conn *conn, int mode, int wait_ms)
{
    sqlite3 *db = conn->db;
    int code;

    (void)sqlite3_busy_timeout(db, wait_ms);
    code = sqlite3_wal_checkpoint_v2(db, NULL, mode, NULL, NULL);
    (void)sqlite3_busy_timeout(db, 0);
    return code == SQLITE_BUSY ? SQLITE_OK : code; /* a reader is in the way: next time */
}

/* Without room or memory the log goes on; all that it holds stays valid. */
static struct kw_result put_off(const struct kw_conn *conn, struct kw_result result)
{
    return conn->broken ? result : KW_OK;
}

/* Usually without waiting for anybody; but when readers that overlap for ever have kept the log
 * from starting over, it waits for a moment without any. */
struct kw_result kw_sqlite_checkpoint(struct kw_conn *conn, bool *ret_done, struct kw_error *err)
{
    bool overgrown = conn->wal_pages >= KW_STORE_WAL_PAGES_MAX;
    int code;

    *ret_done = false;
    if (conn->wal_pages < KW_STORE_WAL_PAGES) {
        return KW_OK;
    }
    KW_TRY(kw_conn_failpoint(conn, KW_FP_STORE_BEFORE_CHECKPOINT, err));
    code = overgrown ? checkpoint(conn, SQLITE_CHECKPOINT_RESTART, KW_STORE_RESTART_WAIT_MS)
                     : checkpoint(conn, SQLITE_CHECKPOINT_PASSIVE, 0);
    if (code != SQLITE_OK) {
        return put_off(conn, kw_sqlite_error(conn, code, "checkpoint", err));
    }
    *ret_done = true;
    return kw_conn_failpoint(conn, KW_FP_STORE_AFTER_CHECKPOINT, err);
}
