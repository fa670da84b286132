/* A socket of libuv, and TLS between it and the bytes.
 *
 * The memory is freed when libuv has closed the socket, and nowhere else: after `cut` there may be
 * callbacks under way, which find the phase CLOSED.
 */
#include "services/gateway/cache/stream.h"

#include "common/base/container.h"
#include "common/crypto/openssl.h"
#include "services/gateway/cache/trust.h"
#include "services/gateway/tls/tls.h"

#include <stdlib.h>

#define READ_LEN     (16U * 1024U) /* a TLS record */
#define OUT_KEPT_LEN (64U * 1024U) /* a larger buffer is given back after use */

enum phase {
    CONNECTING,
    HANDSHAKE,
    OPEN,
    CLOSED
};

struct kw_redis_stream {
    struct kw_loop *loop;
    struct kw_redis_stream_events events;
    enum phase phase;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } at;
    uv_connect_t connect;
    uv_write_t write;
    struct kw_flush flush;
    struct kw_tls tls;     /* not started: plain */
    struct kw_buf out;     /* plaintext to be written */
    struct kw_buf writing; /* what the socket has been given and not taken yet */
    uint8_t received[READ_LEN];
    uint8_t plain[READ_LEN]; /* what TLS made of it */
};

/* --- the end --- */

static void on_closed(uv_handle_t *handle)
{
    struct kw_redis_stream *stream = handle->data;

    kw_tls_done(&stream->tls);
    kw_buf_done(&stream->out);
    kw_buf_done(&stream->writing);
    free(stream);
}

void kw_redis_stream_cut(struct kw_redis_stream *stream)
{
    if (stream->phase != CLOSED) {
        stream->phase = CLOSED;
        uv_close(&stream->at.handle, on_closed);
    }
}

static void end(struct kw_redis_stream *stream, enum kw_redis_end end, const char *why)
{
    struct kw_redis_stream_events events = stream->events;

    if (stream->phase != CLOSED) {
        kw_redis_stream_cut(stream);
        events.ended(events.context, end, why);
    }
}

static void end_by_socket(struct kw_redis_stream *stream, int status)
{
    end(stream, stream->phase == HANDSHAKE ? KW_REDIS_END_TLS : KW_REDIS_END_UNREACHABLE,
        uv_strerror(status));
}

/* --- out --- */

/* Wiped in either case: a password was in it, perhaps. */
static void forget(struct kw_buf *buf)
{
    if (buf->cap > OUT_KEPT_LEN) {
        kw_buf_done(buf);
    } else {
        kw_buf_clear(buf);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct kw_redis_stream *stream = write->data;

    if (stream->phase == CLOSED) {
        return;
    }
    forget(&stream->writing);
    if (status != 0) {
        end_by_socket(stream, status);
        return;
    }
    kw_redis_stream_mark(stream);
}

/* What the socket does not take at once is written by libuv. */
static void write_rest(struct kw_redis_stream *stream, size_t written)
{
    uv_buf_t rest = uv_buf_init((char *)stream->writing.data + written,
                                (unsigned)(stream->writing.len - written));
    int rc = uv_write(&stream->write, &stream->at.stream, &rest, 1, on_written);

    if (rc != 0) {
        end_by_socket(stream, rc);
    }
}

static void swap(struct kw_buf *a, struct kw_buf *b)
{
    struct kw_buf kept = *a;

    *a = *b;
    *b = kept;
}

/* False: TLS is of no use any more. */
static bool take_out(struct kw_redis_stream *stream)
{
    bool good = true;

    if (stream->tls.ssl == NULL) {
        swap(&stream->writing, &stream->out);
        return true;
    }
    if (stream->phase == OPEN) {
        good = kw_tls_write(&stream->tls, kw_buf_bytes(&stream->out));
        forget(&stream->out);
    }
    swap(&stream->writing, &stream->tls.wire);
    return good;
}

static void write_now(struct kw_redis_stream *stream)
{
    uv_buf_t all = uv_buf_init((char *)stream->writing.data, (unsigned)stream->writing.len);
    int written = uv_try_write(&stream->at.stream, &all, 1);

    if (written < 0 && written != UV_EAGAIN) {
        end_by_socket(stream, written);
    } else if (written >= 0 && (size_t)written == stream->writing.len) {
        forget(&stream->writing);
    } else {
        write_rest(stream, written > 0 ? (size_t)written : 0);
    }
}

/* While something is being written, the rest is collected. */
static void on_flush(struct kw_flush *flush)
{
    struct kw_redis_stream *stream = KW_CONTAINER_OF(flush, struct kw_redis_stream, flush);

    if (stream->phase == CLOSED || stream->phase == CONNECTING || stream->writing.len > 0) {
        return;
    }
    if (!take_out(stream)) {
        end(stream, KW_REDIS_END_TLS, kw_openssl_reason());
    } else if (stream->writing.len > 0) {
        write_now(stream);
    }
}

struct kw_buf *kw_redis_stream_out(struct kw_redis_stream *stream)
{
    return &stream->out;
}

void kw_redis_stream_mark(struct kw_redis_stream *stream)
{
    if (stream->phase != CLOSED) {
        kw_loop_mark(stream->loop, &stream->flush);
    }
}

bool kw_redis_stream_in_handshake(const struct kw_redis_stream *stream)
{
    return stream->phase == HANDSHAKE;
}

/* --- in --- */

/* The alert that tells Redis why is written if the socket takes it at once. */
static void fail_tls(struct kw_redis_stream *stream)
{
    long verdict = SSL_get_verify_result(stream->tls.ssl);
    const char *reason = kw_openssl_reason();
    uv_buf_t alert = uv_buf_init((char *)stream->tls.wire.data, (unsigned)stream->tls.wire.len);

    if (alert.len > 0 && stream->writing.len == 0) {
        (void)uv_try_write(&stream->at.stream, &alert, 1);
    }
    if (verdict != X509_V_OK) {
        end(stream, KW_REDIS_END_CERTIFICATE, X509_verify_cert_error_string(verdict));
    } else {
        end(stream, KW_REDIS_END_TLS, stream->tls.doom != NULL ? stream->tls.doom : reason);
    }
}

static void become_open(struct kw_redis_stream *stream)
{
    stream->phase = OPEN;
    stream->events.open(stream->events.context);
}

/* OpenSSL itself ends a handshake with a certificate that it does not take; asked once more, lest
 * that depend on a flag. */
static void shake_hands(struct kw_redis_stream *stream)
{
    enum kw_tls_state state = kw_tls_handshake(&stream->tls);

    if (state == KW_TLS_OK && SSL_get_verify_result(stream->tls.ssl) == X509_V_OK &&
        SSL_get0_peer_certificate(stream->tls.ssl) != NULL) {
        become_open(stream);
    } else if (state != KW_TLS_WAITS) {
        fail_tls(stream);
    }
}

static void read_records(struct kw_redis_stream *stream)
{
    while (stream->phase == OPEN) {
        size_t len = 0;
        enum kw_tls_state state =
            kw_tls_read(&stream->tls, stream->plain, sizeof(stream->plain), &len);

        if (state == KW_TLS_WAITS) {
            return;
        }
        if (state == KW_TLS_ENDED) {
            end(stream, KW_REDIS_END_UNREACHABLE, "closed by Redis");
        } else if (state == KW_TLS_FAILED) {
            fail_tls(stream);
        } else {
            stream->events.bytes(stream->events.context, KW_BYTES(stream->plain, len));
        }
    }
}

static void receive_tls(struct kw_redis_stream *stream, struct kw_bytes bytes)
{
    stream->tls.incoming = bytes;
    if (stream->phase == HANDSHAKE) {
        shake_hands(stream);
    }
    read_records(stream);
    stream->tls.incoming = KW_BYTES_NONE;
    kw_redis_stream_mark(stream); /* handshake messages */
}

static void on_read(uv_stream_t *at, ssize_t len, const uv_buf_t *buf)
{
    struct kw_redis_stream *stream = at->data;
    struct kw_bytes bytes = KW_BYTES(buf->base, len > 0 ? (size_t)len : 0);

    if (len < 0) {
        end_by_socket(stream, (int)len);
    } else if (len > 0 && stream->tls.ssl != NULL) {
        receive_tls(stream, bytes);
    } else if (len > 0) {
        stream->events.bytes(stream->events.context, bytes);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct kw_redis_stream *stream = handle->data;

    (void)suggested;
    *buf = uv_buf_init((char *)stream->received, sizeof(stream->received));
}

/* --- the beginning --- */

static void on_connected(uv_connect_t *connect, int status)
{
    struct kw_redis_stream *stream = connect->data;

    if (stream->phase == CLOSED) {
        return;
    }
    if (status == 0) {
        status = uv_read_start(&stream->at.stream, on_alloc, on_read);
    }
    if (status != 0) {
        end_by_socket(stream, status);
    } else if (stream->tls.ssl == NULL) {
        become_open(stream);
    } else {
        stream->phase = HANDSHAKE;
        receive_tls(stream, KW_BYTES_NONE);
    }
}

static int begin(struct kw_redis_stream *stream, const struct kw_redis_stream_target *target)
{
    int rc = 0;

    if (target->address == NULL) {
        (void)uv_pipe_init(kw_loop_uv(stream->loop), &stream->at.pipe, 0);
        uv_pipe_connect(&stream->connect, &stream->at.pipe, target->path, on_connected);
    } else {
        (void)uv_tcp_init(kw_loop_uv(stream->loop), &stream->at.tcp);
        (void)uv_tcp_nodelay(&stream->at.tcp, 1);
        rc = uv_tcp_connect(&stream->connect, &stream->at.tcp, target->address, on_connected);
    }
    stream->at.handle.data = stream;
    return rc;
}

static struct kw_result start_tls(struct kw_redis_stream *stream,
                                  const struct kw_redis_stream_target *target, struct kw_error *err)
{
    if (target->tls == NULL) {
        return KW_OK;
    }
    KW_TRY(kw_tls_setup(err));
    KW_TRY(kw_tls_start(&stream->tls, target->tls, err));
    return kw_redis_trust_expect(stream->tls.ssl, target->host, err);
}

struct kw_result kw_redis_stream_open(struct kw_loop *loop,
                                      const struct kw_redis_stream_target *target,
                                      const struct kw_redis_stream_events *events,
                                      struct kw_redis_stream **ret_stream, struct kw_error *err)
{
    struct kw_redis_stream *stream = calloc(1, sizeof(*stream));
    struct kw_result started;
    int rc;

    KW_ENSURE(stream != NULL, err, MEMORY, "connection to Redis");
    *stream = (struct kw_redis_stream){.loop = loop, .events = *events};
    stream->flush.run = on_flush;
    stream->connect.data = stream;
    stream->write.data = stream;
    started = start_tls(stream, target, err);
    if (!kw_ok(started)) {
        kw_tls_done(&stream->tls);
        free(stream);
        return started;
    }
    rc = begin(stream, target);
    if (rc != 0) {
        kw_redis_stream_cut(stream);
        KW_FAIL(err, SYSTEM, "%s", uv_strerror(rc));
    }
    *ret_stream = stream;
    return KW_OK;
}
