/* HTTP/2: the nghttp2 session of a connection, its limits, and what its callbacks note for later.
 *
 * nghttp2 bounds resets, CONTINUATIONs, acknowledgements and concurrent streams itself and answers
 * with GOAWAY, which takes effect when it is sent; that is why no more than KW_EDGE_READ_LEN is
 * read before each write.
 */
#include "common/base/clock.h"
#include "services/gateway/edge/edge_internal.h"

#define FRAME_HEADER_LEN 9
#define PING_LEN         8

static const uint8_t goaway_ping[PING_LEN] = {'k', 'w', 'g', 'o', 'a', 'w', 'a', 'y'};

static struct kw_edge_call *call_of(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

/* --- what comes in --- */

static void header_begun(struct kw_edge_connection *conn, int32_t stream)
{
    conn->header_since_ns = kw_clock_mono_ns();
    conn->header_stream = stream;
}

/* However it ended; that of another stream goes on. */
static void header_over(struct kw_edge_connection *conn, int32_t stream)
{
    if (conn->header_stream == stream) {
        conn->header_since_ns = 0;
    }
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct kw_edge_connection *conn = user;
    struct kw_edge_call *call;

    header_begun(conn, frame->hd.stream_id);
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        return 0; /* trailers of a request: ignored */
    }
    call = kw_edge_call_new(conn, frame->hd.stream_id);
    if (call == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    (void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct kw_edge_connection *conn = user;
    struct kw_edge_call *call = call_of(session, frame->hd.stream_id);

    (void)flags;
    if (call == NULL ||
        kw_edge_request_header(call, KW_BYTES(name, name_len), KW_BYTES(value, value_len))) {
        return 0;
    }
    kw_metric_add(KW_M_EDGE_LIMITS, "header_list", 1);
    conn->h2_error = NGHTTP2_ENHANCE_YOUR_CALM;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream,
                         const uint8_t *data, size_t len, void *user)
{
    struct kw_edge_call *call = call_of(session, stream);

    (void)flags;
    (void)user;
    (void)nghttp2_session_consume_connection(session, len);
    if (call == NULL || call->phase == KW_EDGE_CALL_DONE) {
        (void)nghttp2_session_consume_stream(session, stream, len);
        return 0;
    }
    if (!kw_ok(kw_edge_inbox_put(&call->in, KW_BYTES(data, len), NULL))) {
        call->request.refusal = KW_E_MEMORY;
    }
    kw_edge_call_ready(call);
    return 0;
}

static void on_end(struct kw_edge_call *call, const nghttp2_frame *frame)
{
    if (call != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        call->remote_ended = true;
        kw_edge_call_ready(call);
    }
}

static void on_headers_frame(struct kw_edge_connection *conn, struct kw_edge_call *call,
                             const nghttp2_frame *frame)
{
    header_over(conn, frame->hd.stream_id);
    if (call == NULL) {
        return;
    }
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        kw_edge_budget_refund(&conn->budget, FRAME_HEADER_LEN + frame->hd.length);
        kw_edge_request_complete(call);
        kw_edge_call_ready(call);
    }
    on_end(call, frame);
}

static void on_data_frame(struct kw_edge_connection *conn, struct kw_edge_call *call,
                          const nghttp2_frame *frame)
{
    bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    if (call != NULL && (frame->hd.length > frame->data.padlen || ends)) {
        kw_edge_budget_refund(&conn->budget,
                              FRAME_HEADER_LEN + frame->hd.length - frame->data.padlen);
    }
    on_end(call, frame);
}

static void on_ping_frame(struct kw_edge_connection *conn, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && conn->phase == KW_EDGE_LEAVING &&
        memcmp(frame->ping.opaque_data, goaway_ping, PING_LEN) == 0) {
        kw_edge_h2_goaway(conn);
    }
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct kw_edge_connection *conn = user;
    struct kw_edge_call *call =
        frame->hd.stream_id != 0 ? call_of(session, frame->hd.stream_id) : NULL;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        on_headers_frame(conn, call, frame);
        break;
    case NGHTTP2_DATA:
        on_data_frame(conn, call, frame);
        break;
    case NGHTTP2_SETTINGS:
        if (conn->phase == KW_EDGE_GREETING) {
            kw_edge_connection_move(conn, KW_EDGE_OPEN);
        }
        break;
    case NGHTTP2_PING:
        on_ping_frame(conn, frame);
        break;
    default: /* nghttp2 has dealt with it; the waste budget has charged for it */
        break;
    }
    return 0;
}

/* A header block that nghttp2 refuses: it resets the stream and says nothing more of the frame. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *user)
{
    (void)session;
    (void)error;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        header_over(user, frame->hd.stream_id);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error_code,
                           void *user)
{
    struct kw_edge_call *call = call_of(session, stream);

    (void)error_code;
    header_over(user, stream);
    if (call != NULL) {
        call->stream_closed = true;
        kw_edge_call_ready(call);
    }
    return 0;
}

/* --- what goes out --- */

/* The answer is complete while the client still sends: without this it would go on uploading. */
static void stop_upload(nghttp2_session *session, const nghttp2_frame *frame)
{
    struct kw_edge_call *call = call_of(session, frame->hd.stream_id);

    if (call != NULL && !call->remote_ended && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                        NGHTTP2_NO_ERROR);
    }
}

/* NO_ERROR: the call was answered early, and what the client sends before it reads of that is not
 * waste. INTERNAL_ERROR is ours, REFUSED_STREAM a matter of timing. All others say that the client
 * broke the protocol: a flood of calls that are made to be reset (CVE-2025-8671) never shows as
 * RST_STREAMs that come in. */
static void note_reset(struct kw_edge_connection *conn, nghttp2_session *session,
                       const nghttp2_frame *frame)
{
    uint32_t error = frame->rst_stream.error_code;

    if (error == NGHTTP2_NO_ERROR) {
        int32_t window = nghttp2_session_get_stream_local_window_size(session, frame->hd.stream_id);

        kw_edge_budget_forgive(&conn->budget, window > 0 ? (size_t)window : 0);
    } else if (error != NGHTTP2_INTERNAL_ERROR && error != NGHTTP2_REFUSED_STREAM) {
        kw_edge_budget_punish(&conn->budget);
    }
}

static void note_goaway(struct kw_edge_connection *conn, const nghttp2_frame *frame)
{
    if (frame->goaway.error_code == NGHTTP2_NO_ERROR) {
        return;
    }
    kw_edge_connection_blame(conn, nghttp2_http2_strerror(frame->goaway.error_code));
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct kw_edge_connection *conn = user;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        stop_upload(session, frame);
        break;
    case NGHTTP2_RST_STREAM:
        note_reset(conn, session, frame);
        break;
    case NGHTTP2_DATA:
        kw_edge_budget_refund(&conn->budget, 0); /* pays for the WINDOW_UPDATEs it brings */
        break;
    case NGHTTP2_GOAWAY:
        note_goaway(conn, frame);
        break;
    default:
        break;
    }
    return 0;
}

void kw_edge_h2_goaway(struct kw_edge_connection *conn)
{
    if (conn->goaway_sent) {
        return;
    }
    conn->goaway_sent = true;
    (void)nghttp2_submit_goaway(conn->h2, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(conn->h2), NGHTTP2_NO_ERROR,
                                NULL, 0);
    kw_edge_output_mark(conn);
}

void kw_edge_h2_notice(struct kw_edge_connection *conn)
{
    (void)nghttp2_submit_shutdown_notice(conn->h2);
    (void)nghttp2_submit_ping(conn->h2, NGHTTP2_FLAG_NONE, goaway_ping);
    kw_edge_output_mark(conn);
}

/* --- the session --- */

struct kw_result kw_edge_h2_setup(struct kw_edge *edge, struct kw_error *err)
{
    nghttp2_session_callbacks *callbacks;

    KW_ENSURE(nghttp2_session_callbacks_new(&edge->h2_callbacks) == 0, err, MEMORY,
              "HTTP/2 callbacks");
    KW_ENSURE(nghttp2_option_new(&edge->h2_options) == 0, err, MEMORY, "HTTP/2 options");
    callbacks = edge->h2_callbacks;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);

    nghttp2_option_set_no_auto_window_update(edge->h2_options, 1);
    nghttp2_option_set_stream_reset_rate_limit(edge->h2_options, KW_EDGE_RESET_BURST,
                                               KW_EDGE_RESET_PER_S);
    nghttp2_option_set_max_continuations(edge->h2_options, KW_EDGE_CONTINUATIONS_MAX);
    nghttp2_option_set_max_outbound_ack(edge->h2_options, KW_EDGE_OUTBOUND_ACKS_MAX);
    nghttp2_option_set_max_settings(edge->h2_options, KW_EDGE_SETTINGS_ENTRIES_MAX);
    nghttp2_option_set_no_closed_streams(edge->h2_options, 1);
    return KW_OK;
}

/* A stream's window must hold a whole message even when half of it is consumed but not yet given
 * back, which is when nghttp2 sends its WINDOW_UPDATE. */
static uint32_t stream_window(const struct kw_edge *edge)
{
    return 2 * (edge->limits.message_len + KW_EDGE_PREFIX_LEN) + KW_EDGE_READ_LEN;
}

struct kw_result kw_edge_h2_start(struct kw_edge_connection *conn, struct kw_error *err)
{
    const struct kw_edge *edge = conn->edge;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, edge->limits.streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window(edge)},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, edge->limits.header_list_len},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };

    KW_ENSURE(nghttp2_session_server_new2(&conn->h2, edge->h2_callbacks, conn, edge->h2_options) ==
                  0,
              err, MEMORY, "HTTP/2 session");
    KW_ENSURE(nghttp2_submit_settings(conn->h2, NGHTTP2_FLAG_NONE, settings,
                                      sizeof(settings) / sizeof(settings[0])) == 0 &&
                  nghttp2_session_set_local_window_size(conn->h2, NGHTTP2_FLAG_NONE, 0,
                                                        KW_EDGE_CONNECTION_WINDOW) == 0,
              err, MEMORY, "HTTP/2 settings");
    return KW_OK;
}

bool kw_edge_h2_receive(struct kw_edge_connection *conn, struct kw_bytes plain)
{
    ssize_t taken = nghttp2_session_mem_recv(conn->h2, plain.data, plain.len);

    if (taken >= 0) {
        return true;
    }
    if (conn->h2_error == NGHTTP2_NO_ERROR) {
        conn->h2_error = taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
                                                               : NGHTTP2_ENHANCE_YOUR_CALM;
    }
    (void)nghttp2_session_terminate_session(conn->h2, conn->h2_error);
    return false;
}
