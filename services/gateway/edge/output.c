/* Everything that goes out on a connection: once a turn, all frames that are ready become as few
 * TLS records as possible and one write. Coalescing is the edge's whole advantage in CPU: a write
 * for each frame costs 4 times. */
#include "common/base/clock.h"
#include "services/gateway/edge/edge_internal.h"

#define WIRE_KEPT_LEN (4 * KW_EDGE_READ_LEN) /* a larger buffer is given back after use */

void kw_edge_output_mark(struct kw_edge_connection *conn)
{
    if (conn->phase != KW_EDGE_CLOSED) {
        kw_loop_mark(conn->edge->loop, &conn->flush);
    }
}

/* Adds `bytes` to the record that is being put together, and encrypts each that is full. */
static bool put_record(struct kw_edge_connection *conn, struct kw_bytes bytes, size_t *filled)
{
    struct kw_edge *edge = conn->edge;

    while (bytes.len > 0) {
        size_t room = sizeof(edge->record) - *filled;
        size_t len = bytes.len < room ? bytes.len : room;

        kw_copy(edge->record + *filled, bytes.data, len);
        bytes = KW_BYTES(bytes.data + len, bytes.len - len);
        *filled += len;
        if (*filled == sizeof(edge->record)) {
            *filled = 0;
            if (!kw_tls_write(&conn->tls, KW_BYTES_OF(edge->record))) {
                return false;
            }
        }
    }
    return true;
}

/* nghttp2 gives one frame at a time. A turn's bound keeps one connection from holding the loop. */
static bool encrypt_frames(struct kw_edge_connection *conn)
{
    size_t filled = 0;
    size_t total = 0;

    while (conn->h2 != NULL) {
        const uint8_t *frame;
        ssize_t len = nghttp2_session_mem_send(conn->h2, &frame);

        if (len < 0 || !put_record(conn, KW_BYTES(frame, (size_t)len), &filled)) {
            return false;
        }
        total += (size_t)len;
        if (len == 0) {
            break;
        }
        if (total >= KW_EDGE_WRITE_LEN_MAX) {
            kw_edge_set_timer(conn->edge, &conn->resume, kw_clock_mono_ns());
            break;
        }
    }
    return kw_tls_write(&conn->tls, KW_BYTES(conn->edge->record, filled));
}

/* Ciphertext needs no wiping. */
static void forget_wire(struct kw_edge_connection *conn)
{
    conn->tls.wire.len = 0;
    if (conn->tls.wire.cap > WIRE_KEPT_LEN) {
        kw_buf_done(&conn->tls.wire);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct kw_edge_connection *conn = write->data;

    conn->writing = false;
    conn->write_since_ns = 0;
    if (status != 0) {
        kw_edge_connection_cut(conn);
        return;
    }
    forget_wire(conn);
    kw_edge_output_mark(conn);
}

/* What the socket does not take at once is written by libuv; until then nothing more is read or
 * made, which is the back-pressure. */
static void write_rest(struct kw_edge_connection *conn, size_t written)
{
    uv_buf_t rest = uv_buf_init((char *)conn->tls.wire.data + written,
                                (unsigned)(conn->tls.wire.len - written));

    conn->write.data = conn;
    if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, &rest, 1, on_written) != 0) {
        kw_edge_connection_cut(conn);
        return;
    }
    conn->writing = true;
    conn->write_since_ns = kw_clock_mono_ns();
    kw_edge_connection_read(conn, false);
}

static void write_wire(struct kw_edge_connection *conn)
{
    uv_buf_t all = uv_buf_init((char *)conn->tls.wire.data, (unsigned)conn->tls.wire.len);
    int written;

    if (conn->tls.wire.len == 0) {
        return;
    }
    written = uv_try_write((uv_stream_t *)&conn->tcp, &all, 1);
    if (written < 0 && written != UV_EAGAIN) {
        kw_edge_connection_cut(conn);
    } else if (written >= 0 && (size_t)written == conn->tls.wire.len) {
        forget_wire(conn);
    } else {
        write_rest(conn, written > 0 ? (size_t)written : 0);
    }
}

static bool session_is_over(const struct kw_edge_connection *conn)
{
    return conn->h2 != NULL && !nghttp2_session_want_read(conn->h2) &&
           !nghttp2_session_want_write(conn->h2);
}

static void on_shut(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status; /* the peer's end of file, or watch.c, closes */
}

static void shut(struct kw_edge_connection *conn)
{
    if (conn->shut) {
        return;
    }
    conn->shut = true;
    if (uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->tcp, on_shut) != 0) {
        kw_edge_connection_cut(conn);
    }
}

/* The timer may be set already, for earlier: then this is asked again. */
static bool is_paused(struct kw_edge_connection *conn)
{
    if (conn->paused_until_ns <= kw_clock_mono_ns()) {
        conn->paused_until_ns = 0;
    } else if (conn->resume.place == 0) {
        kw_edge_set_timer(conn->edge, &conn->resume, conn->paused_until_ns);
    }
    return conn->paused_until_ns != 0;
}

static void after_write(struct kw_edge_connection *conn)
{
    if (conn->phase == KW_EDGE_CLOSED) {
        return;
    }
    if (!conn->writing) {
        kw_edge_connection_read(conn, conn->phase == KW_EDGE_CLOSING || !is_paused(conn));
        if (conn->phase == KW_EDGE_CLOSING) {
            shut(conn);
        }
    }
    kw_edge_watch(conn);
}

static void run(struct kw_flush *flush)
{
    struct kw_edge_connection *conn = KW_CONTAINER_OF(flush, struct kw_edge_connection, flush);

    if (conn->phase == KW_EDGE_CLOSED || conn->writing || conn->shut) {
        return;
    }
    if (!encrypt_frames(conn)) {
        kw_edge_connection_cut(conn);
        return;
    }
    kw_edge_calls_deliver(conn);
    if (session_is_over(conn)) {
        kw_edge_connection_finish(conn);
    }
    if (conn->phase == KW_EDGE_CLOSING) {
        kw_tls_end(&conn->tls);
    }
    write_wire(conn);
    after_write(conn);
}

void kw_edge_output_init(struct kw_edge_connection *conn)
{
    conn->flush.run = run;
}

void kw_edge_output_resume(struct kw_edge_timer *timer)
{
    kw_edge_output_mark(KW_CONTAINER_OF(timer, struct kw_edge_connection, resume));
}
