/* The edges of a transaction: what begins and ends it, and what is owed when a job or the
 * connection is over. */
#include "common/base/clock.h"
#include "common/store/backend.h"

struct kw_result kw_conn_ready(struct kw_conn *conn, struct kw_error *err)
{
    return conn->backend->ready == NULL ? KW_OK : conn->backend->ready(conn, err);
}

struct kw_result kw_conn_control(struct kw_conn *conn, enum kw_control control,
                                 struct kw_error *err)
{
    return conn->backend->control(conn, control, err);
}

struct kw_result kw_conn_failpoint(struct kw_conn *conn, enum kw_failpoint point,
                                   struct kw_error *err)
{
    if (kw_failpoint_hit(point)) {
        conn->broken = true;
        KW_FAIL(err, STORE_UNAVAILABLE, "failpoint %s", kw_failpoint_row(point)->name);
    }
    return KW_OK;
}

bool kw_conn_is_late(const struct kw_conn *conn)
{
    return conn->until_ns != 0 && kw_clock_mono_ns() >= conn->until_ns;
}

/* The next of what was put off, which is owed no more. NULL: that was all. */
static struct kw_tx_late *take_late(struct kw_tx *tx)
{
    struct kw_tx_late *late = tx->late;

    if (late != NULL) {
        tx->late = late->next;
        late->owed = false;
    }
    return late;
}

void kw_conn_settle(struct kw_conn *conn)
{
    struct kw_stmt *stmt = conn->tx.used;

    while (stmt != NULL) {
        struct kw_stmt *next = stmt->next_used;

        conn->backend->unbind(stmt);
        stmt->used = false;
        stmt = next;
    }
    conn->tx.used = NULL;
    conn->tx.failed = false;
    while (take_late(&conn->tx) != NULL) { /* the job has failed */
    }
}

void kw_tx_put_off(struct kw_tx *tx, struct kw_tx_late *late)
{
    if (!late->owed) {
        late->owed = true;
        late->next = tx->late;
        tx->late = late;
    }
}

struct kw_result kw_tx_catch_up(struct kw_tx *tx, struct kw_error *err)
{
    struct kw_tx_late *late;

    while ((late = take_late(tx)) != NULL) {
        KW_TRY(late->write(late, tx, err));
    }
    return KW_OK;
}

void kw_tx_mark(struct kw_tx *tx, struct kw_commit_hook *hook)
{
    if (!hook->marked) {
        hook->marked = true;
        hook->next = tx->conn->hooks;
        tx->conn->hooks = hook;
    }
}

void kw_conn_tell_hooks(struct kw_conn *conn, bool durable)
{
    struct kw_commit_hook *hook = conn->hooks;

    conn->hooks = NULL;
    while (hook != NULL) {
        struct kw_commit_hook *next = hook->next;

        hook->marked = false;
        if (durable) {
            hook->run(hook);
        }
        hook = next;
    }
}

void kw_conn_rollback(struct kw_conn *conn)
{
    kw_conn_settle(conn);
    if (conn->backend->in_transaction(conn)) {
        KW_IGNORE(kw_conn_control(conn, KW_ROLLBACK, NULL));
    }
}

void kw_conn_close(struct kw_conn *conn)
{
    if (conn->backend == NULL) {
        return;
    }
    for (size_t i = 0; i < KW_CONN_SLOTS; i++) {
        if (conn->cache[i].sql != NULL) {
            conn->backend->finalize(&conn->cache[i]);
        }
    }
    conn->backend->close(conn);
    conn->backend = NULL;
}
