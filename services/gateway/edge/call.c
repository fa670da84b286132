/* The life of a call.
 *
 *     NEW ──open──▶ SERVED ──kw_edge_finish, cancel──▶ DONE
 *       └────────────refused here─────────────────────▶ DONE
 *
 * It is freed when it is DONE and its stream is closed.
 *
 * nghttp2's callbacks put a call on its connection's ready list. kw_edge_calls_deliver, outside of
 * them, tells the handler. So a call that is opened and reset within one read never reaches the
 * handler.
 */
#include "common/base/clock.h"
#include "services/gateway/edge/edge_internal.h"

#include <assert.h>
#include <stdlib.h>

struct kw_edge_call *kw_edge_call_new(struct kw_edge_connection *conn, int32_t stream)
{
    struct kw_edge_call *call = calloc(1, sizeof(*call));

    if (call == NULL) {
        return NULL;
    }
    if (!kw_ok(
            kw_edge_timers_add(&conn->edge->timers, &call->timer, kw_edge_watch_call_fire, NULL))) {
        free(call);
        return NULL;
    }
    call->connection = conn;
    call->stream = stream;
    call->next = conn->calls;
    if (call->next != NULL) {
        call->next->prev = call;
    }
    conn->calls = call;
    conn->call_count++;
    return call;
}

static void unlink_call(struct kw_edge_call *call)
{
    struct kw_edge_connection *conn = call->connection;

    *(call->prev != NULL ? &call->prev->next : &conn->calls) = call->next;
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
    conn->call_count--;
    conn->active_ns = kw_clock_mono_ns();
}

/* Tells the buffer limits how much the call holds now. */
static void count_held(struct kw_edge_call *call, size_t held)
{
    struct kw_edge_connection *conn = call->connection;

    conn->buffered = conn->buffered - call->in_counted + held;
    conn->edge->buffered = conn->edge->buffered - call->in_counted + held;
    call->in_counted = held;
}

void kw_edge_calls_taken(struct kw_edge_connection *conn, size_t len)
{
    conn->unsent -= len;
    if (!conn->held_back || conn->unsent >= KW_EDGE_UNSENT_HOLD) {
        return;
    }
    conn->held_back = false;
    for (struct kw_edge_call *call = conn->calls; call != NULL; call = call->next) {
        if (call->phase == KW_EDGE_CALL_NEW) {
            kw_edge_call_ready(call);
        }
    }
}

static void free_call(struct kw_edge_call *call)
{
    kw_edge_calls_taken(call->connection, call->out.len - call->out_taken);
    (void)nghttp2_session_set_stream_user_data(call->connection->h2, call->stream, NULL);
    count_held(call, 0);
    unlink_call(call);
    kw_edge_timers_remove(&call->connection->edge->timers, &call->timer);
    kw_buf_done(&call->request.text);
    kw_edge_inbox_done(&call->in);
    kw_buf_done(&call->out);
    kw_edge_fields_done(&call->trailers);
    free(call);
}

void kw_edge_call_ready(struct kw_edge_call *call)
{
    struct kw_edge_connection *conn = call->connection;

    if (call->ready) {
        return;
    }
    call->ready = true;
    call->next_ready = NULL;
    *conn->ready_tail = call;
    conn->ready_tail = &call->next_ready;
    kw_edge_output_mark(conn); /* which delivers, if nobody does before */
}

/* The handler lets go of the call, or never had it. What it still held of the window goes back to
 * the client. The inbox stays: the handler may be looking at a message of it while it finishes the
 * call. */
static void let_go(struct kw_edge_call *call)
{
    size_t held = kw_edge_inbox_held(&call->in);

    if (call->phase == KW_EDGE_CALL_SERVED) {
        call->connection->edge->held--;
    }
    call->phase = KW_EDGE_CALL_DONE;
    (void)nghttp2_session_consume_stream(call->connection->h2, call->stream, held + call->in_owed);
    call->in_owed = 0;
    call->in_since_ns = 0;
    count_held(call, 0);
    if (call->stream_closed) {
        kw_edge_call_ready(call);
    }
}

static void cancel(struct kw_edge_call *call, enum kw_reason reason)
{
    struct kw_edge_handler *handler = &call->connection->edge->handler;

    if (call->phase == KW_EDGE_CALL_SERVED) {
        let_go(call);
        handler->cancel(call, reason, call->user);
    } else if (call->phase == KW_EDGE_CALL_NEW) {
        let_go(call);
    }
}

void kw_edge_call_fail(struct kw_edge_call *call, enum kw_reason reason)
{
    const struct kw_reason_row *row = kw_reason_row(reason);
    struct kw_edge_handler *handler = &call->connection->edge->handler;
    struct kw_edge_status status = {.code = row->grpc_code, .message = row->text};
    KW_SCOPED(kw_buf_done) struct kw_buf details = {0};

    kw_metric_add(KW_M_EDGE_CALLS, "ended_here", 1);
    cancel(call, reason);
    if (call->stream_closed) {
        return;
    }
    if (handler->describe != NULL) {
        handler->describe(reason, &details, handler->context);
    }
    status.details = kw_buf_bytes(&details);
    if (reason == KW_E_COMPRESSION_UNSUPPORTED) {
        call->request.refusal =
            reason; /* a message's flag: the answer says which encodings are taken */
    }
    kw_edge_respond_status(call, &status);
}

static enum kw_reason refusal(const struct kw_edge_call *call)
{
    const struct kw_edge *edge = call->connection->edge;

    if (call->request.refusal != KW_E_NONE) {
        return call->request.refusal;
    }
    if (call->deadline_ns != 0 && call->deadline_ns <= kw_clock_mono_ns()) {
        return KW_E_DEADLINE_EXCEEDED;
    }
    return edge->held >= edge->limits.calls ? KW_E_RATE_LIMITED : KW_E_NONE;
}

static void open_call(struct kw_edge_call *call)
{
    struct kw_edge *edge = call->connection->edge;
    const struct kw_edge_request *request = &call->request;
    const struct kw_edge_open open = {
        .path = kw_edge_request_bytes(request, request->path),
        .deadline_ns = call->deadline_ns,
        .signature = kw_edge_request_bytes(request, request->signature),
        .wait = kw_edge_request_bytes(request, request->wait),
        .traceparent = kw_edge_request_bytes(request, request->traceparent),
        .request_id = kw_edge_request_bytes(request, request->request_id),
        .peer = &call->connection->peer,
    };

    kw_metric_add(KW_M_EDGE_CALLS, "passed", 1);
    edge->handler.open(call, &open, edge->handler.context);
    if (call->phase == KW_EDGE_CALL_NEW) {
        kw_edge_call_fail(call, KW_E_INTERNAL);
    }
}

static void deliver_new(struct kw_edge_call *call)
{
    enum kw_reason reason;

    if (call->stream_closed) {
        cancel(call, KW_E_CANCELLED);
        return;
    }
    if (!call->headers_done) {
        return;
    }
    if (call->connection->unsent >= KW_EDGE_UNSENT_HOLD) { /* who asks shall read */
        call->connection->held_back = true;
        return;
    }
    if (call->request.http_status != 0) {
        let_go(call);
        kw_edge_respond_http(call);
        return;
    }
    reason = refusal(call);
    if (reason == KW_E_RATE_LIMITED) {
        kw_edge_pause(call);
    }
    if (reason != KW_E_NONE) {
        kw_edge_call_fail(call, reason);
    } else {
        open_call(call);
    }
}

/* Gives the handler every whole message. False: the call was failed. */
static bool deliver_messages(struct kw_edge_call *call)
{
    const struct kw_edge *edge = call->connection->edge;
    size_t held_before = call->in_counted;
    bool any = false;
    bool whole = true;

    while (call->phase == KW_EDGE_CALL_SERVED) {
        struct kw_bytes message;
        struct kw_result r =
            kw_edge_inbox_next(&call->in, edge->limits.message_len, &message, &whole, NULL);

        if (!kw_ok(r)) {
            kw_edge_call_fail(call, r.reason);
            return false;
        }
        if (!whole) {
            break;
        }
        any = true;
        (void)nghttp2_session_consume_stream(call->connection->h2, call->stream,
                                             KW_EDGE_PREFIX_LEN);
        call->in_owed += message.len;
        edge->handler.message(call, message, call->user);
    }
    if (call->phase == KW_EDGE_CALL_SERVED && (any || held_before == 0)) {
        call->in_since_ns = kw_edge_inbox_held(&call->in) > 0 ? kw_clock_mono_ns() : 0;
    }
    return true;
}

static void check_buffers(struct kw_edge_call *call)
{
    const struct kw_edge_connection *conn = call->connection;

    count_held(call, kw_edge_inbox_held(&call->in));
    if (conn->buffered > conn->edge->limits.buffered_per_connection ||
        conn->edge->buffered > conn->edge->limits.buffered) {
        kw_edge_call_fail(call, KW_E_LIMIT_REACHED);
    }
}

static void deliver_end(struct kw_edge_call *call)
{
    if (!call->remote_ended || call->end_told) {
        return;
    }
    call->end_told = true;
    if (kw_edge_inbox_held(&call->in) > 0) {
        kw_edge_call_fail(call, KW_E_ENCODING_INVALID);
    } else {
        call->connection->edge->handler.end(call, call->user);
    }
}

static void deliver_room(struct kw_edge_call *call)
{
    struct kw_edge_handler *handler = &call->connection->edge->handler;

    if (call->wants_room && call->out.len - call->out_taken <= KW_EDGE_SEND_QUEUE_MAX / 2) {
        call->wants_room = false;
        if (handler->writable != NULL) {
            handler->writable(call, call->user);
        }
    }
}

static void deliver_served(struct kw_edge_call *call)
{
    if (call->stream_closed) {
        cancel(call, KW_E_CANCELLED);
        return;
    }
    if (call->request.refusal != KW_E_NONE) { /* no memory for a message */
        kw_edge_call_fail(call, call->request.refusal);
        return;
    }
    if (!deliver_messages(call) || call->phase != KW_EDGE_CALL_SERVED) {
        return;
    }
    check_buffers(call);
    if (call->phase == KW_EDGE_CALL_SERVED) {
        deliver_end(call);
    }
    if (call->phase == KW_EDGE_CALL_SERVED) {
        deliver_room(call);
    }
}

static void deliver(struct kw_edge_call *call)
{
    if (call->phase == KW_EDGE_CALL_NEW) {
        deliver_new(call);
    }
    if (call->phase == KW_EDGE_CALL_SERVED) {
        deliver_served(call);
    }
    if (call->phase != KW_EDGE_CALL_DONE) {
        kw_edge_watch_call(call);
    } else if (call->stream_closed && !call->ready) {
        free_call(call);
    } else {
        kw_edge_inbox_done(&call->in);
    }
}

void kw_edge_calls_deliver(struct kw_edge_connection *conn)
{
    while (conn->ready != NULL) {
        struct kw_edge_call *call = conn->ready;

        conn->ready = call->next_ready;
        if (conn->ready == NULL) {
            conn->ready_tail = &conn->ready;
        }
        call->ready = false;
        deliver(call);
    }
}

void kw_edge_calls_end(struct kw_edge_connection *conn)
{
    for (struct kw_edge_call *call = conn->calls; call != NULL; call = call->next) {
        call->stream_closed = true;
        kw_edge_call_ready(call);
    }
    kw_edge_calls_deliver(conn);
}

/* --- the handler's side --- */

void kw_edge_serve(struct kw_edge_call *call, void *user)
{
    assert(call->phase == KW_EDGE_CALL_NEW);
    call->phase = KW_EDGE_CALL_SERVED;
    call->user = user;
    call->connection->edge->held++;
}

void kw_edge_pause(struct kw_edge_call *call)
{
    kw_edge_connection_pause(call->connection);
}

void kw_edge_set_deadline(struct kw_edge_call *call, uint64_t deadline_ns)
{
    if (call->deadline_ns == 0 || deadline_ns < call->deadline_ns) {
        call->deadline_ns = deadline_ns;
        kw_edge_watch_call(call);
    }
}

uint64_t kw_edge_deadline_ns(const struct kw_edge_call *call)
{
    return call->deadline_ns;
}

void kw_edge_consume(struct kw_edge_call *call, size_t len)
{
    assert(len <= call->in_owed);
    call->in_owed -= len;
    (void)nghttp2_session_consume_stream(call->connection->h2, call->stream, len);
    kw_edge_output_mark(call->connection);
}

/* One message there is always room for: a unary answer. */
static bool has_room(const struct kw_edge_call *call)
{
    size_t waits = call->out.len - call->out_taken;

    return waits == 0 ||
           (waits < KW_EDGE_SEND_QUEUE_MAX && call->connection->unsent < KW_EDGE_UNSENT_MAX);
}

bool kw_edge_send(struct kw_edge_call *call, struct kw_bytes message)
{
    assert(call->phase == KW_EDGE_CALL_SERVED);
    if (!has_room(call)) {
        call->wants_room = true;
        return false;
    }
    if (!call->stream_closed) {
        kw_edge_respond(call, message);
    }
    return true;
}

void kw_edge_finish(struct kw_edge_call *call, const struct kw_edge_status *status)
{
    assert(call->phase != KW_EDGE_CALL_DONE);
    let_go(call);
    if (!call->stream_closed) {
        kw_edge_respond_status(call, status);
    }
}
