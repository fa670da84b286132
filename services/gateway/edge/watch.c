/* What may take too long, for connections and for calls.
 *
 * One timer each. It is set for the earliest thing that could be late and looks again when it
 * fires; it is never moved later, because most deadlines are overtaken by their event long before.
 */
#include "common/base/clock.h"
#include "services/gateway/edge/edge_internal.h"

/* When something that began at `since_ns` is late; never, if it has not begun. */
static uint64_t late_at(uint64_t since_ns, uint32_t limit_ms)
{
    return since_ns == 0 ? UINT64_MAX : since_ns + (uint64_t)limit_ms * KW_NS_PER_MS;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void set_earlier(struct kw_edge *edge, struct kw_edge_timer *timer, uint64_t due_ns)
{
    if (timer->fire != NULL && due_ns != UINT64_MAX &&
        (timer->place == 0 || due_ns < timer->due_ns)) {
        kw_edge_set_timer(edge, timer, due_ns);
    }
}

/* --- connections --- */

static uint64_t idle_at(const struct kw_edge_connection *conn)
{
    return conn->call_count > 0 ? UINT64_MAX : late_at(conn->active_ns, conn->edge->limits.idle_ms);
}

static uint64_t transfer_late_at(const struct kw_edge_connection *conn)
{
    return earlier(late_at(conn->header_since_ns, conn->edge->limits.header_ms),
                   late_at(conn->write_since_ns, conn->edge->limits.stall_ms));
}

static uint64_t connection_due(const struct kw_edge_connection *conn)
{
    const struct kw_edge_limits *limits = &conn->edge->limits;

    switch (conn->phase) {
    case KW_EDGE_HANDSHAKE:
    case KW_EDGE_GREETING:
        return late_at(conn->phase_since_ns, limits->handshake_ms);
    case KW_EDGE_OPEN:
        return earlier(transfer_late_at(conn), earlier(idle_at(conn), conn->age_due_ns));
    case KW_EDGE_LEAVING:
        return earlier(transfer_late_at(conn),
                       late_at(conn->phase_since_ns,
                               conn->goaway_sent ? limits->age_grace_ms : KW_EDGE_GOAWAY_MS));
    case KW_EDGE_CLOSING:
        return late_at(conn->phase_since_ns, KW_EDGE_CLOSE_MS);
    case KW_EDGE_CLOSED:
        break;
    }
    return UINT64_MAX;
}

void kw_edge_watch(struct kw_edge_connection *conn)
{
    set_earlier(conn->edge, &conn->timer, connection_due(conn));
}

static void cut_late(struct kw_edge_connection *conn, const char *limit)
{
    kw_edge_connection_blame(conn, limit);
    kw_edge_connection_cut(conn);
}

/* Something of an open connection is late: find out what. */
static void open_is_late(struct kw_edge_connection *conn, uint64_t now_ns)
{
    if (late_at(conn->write_since_ns, conn->edge->limits.stall_ms) <= now_ns) {
        cut_late(conn, "stall");
    } else if (late_at(conn->header_since_ns, conn->edge->limits.header_ms) <= now_ns) {
        cut_late(conn, "headers_late");
    } else if (conn->phase == KW_EDGE_OPEN) {
        kw_edge_connection_leave(conn);
    } else if (conn->goaway_sent) {
        cut_late(conn, "grace");
    } else {
        kw_edge_h2_goaway(conn); /* the PING was not answered */
    }
}

static void connection_is_late(struct kw_edge_connection *conn, uint64_t now_ns)
{
    switch (conn->phase) {
    case KW_EDGE_HANDSHAKE:
    case KW_EDGE_GREETING:
        kw_edge_handshake_failed(conn, "timeout");
        kw_edge_connection_cut(conn);
        break;
    case KW_EDGE_OPEN:
    case KW_EDGE_LEAVING:
        open_is_late(conn, now_ns);
        break;
    case KW_EDGE_CLOSING:
        kw_edge_connection_cut(conn);
        break;
    case KW_EDGE_CLOSED:
        break;
    }
}

void kw_edge_watch_fire(struct kw_edge_timer *timer)
{
    struct kw_edge_connection *conn = KW_CONTAINER_OF(timer, struct kw_edge_connection, timer);
    uint64_t now_ns = kw_clock_mono_ns();

    if (connection_due(conn) <= now_ns) {
        connection_is_late(conn, now_ns);
    }
    kw_edge_watch(conn);
}

/* --- calls --- */

static uint64_t deadline_at(const struct kw_edge_call *call)
{
    return call->phase == KW_EDGE_CALL_SERVED && call->deadline_ns != 0 ? call->deadline_ns
                                                                        : UINT64_MAX;
}

static uint64_t message_late_at(const struct kw_edge_call *call)
{
    return late_at(call->in_since_ns, call->connection->edge->limits.message_ms);
}

static uint64_t stall_at(const struct kw_edge_call *call)
{
    return late_at(call->out_since_ns, call->connection->edge->limits.stall_ms);
}

void kw_edge_watch_call(struct kw_edge_call *call)
{
    set_earlier(call->connection->edge, &call->timer,
                earlier(deadline_at(call), earlier(message_late_at(call), stall_at(call))));
}

void kw_edge_watch_call_fire(struct kw_edge_timer *timer)
{
    struct kw_edge_call *call = KW_CONTAINER_OF(timer, struct kw_edge_call, timer);
    uint64_t now_ns = kw_clock_mono_ns();

    if (stall_at(call) <= now_ns) {
        kw_edge_respond_reset(call); /* an answer would wait behind what is not taken */
    } else if (deadline_at(call) <= now_ns || message_late_at(call) <= now_ns) {
        kw_edge_call_fail(call, KW_E_DEADLINE_EXCEEDED);
    }
    kw_edge_watch_call(call);
}
