/* Stream: one connection to Redis, from the attempt to its end: bytes out, bytes in, by TCP, by TLS, or
 * by a Unix socket.
 *
 *     CONNECTING ──▶ HANDSHAKE (TLS only) ──▶ OPEN ──▶ CLOSED
 *
 * Nothing is sent and nothing told before it is OPEN, and by TLS it is OPEN only when the other end
 * has shown that it is the one we want. Loop thread.
 */
#ifndef KW_SERVICES_GATEWAY_CACHE_STREAM_H
#define KW_SERVICES_GATEWAY_CACHE_STREAM_H

#include "common/base/bytes.h"
#include "common/loop/loop.h"

#include <openssl/ssl.h>

struct kw_redis_stream;

/* Why there is no connection: labels of keyward_request_cache_connects_total. */
enum kw_redis_end {
    KW_REDIS_END_UNREACHABLE, /* not there, or gone */
    KW_REDIS_END_CERTIFICATE, /* it shows none that we take */
    KW_REDIS_END_TLS,         /* it speaks no TLS, or none that we do */
};

/* `open` once, then `bytes`; `ended` once, the last of all. `why` is valid during the call. Any of them
 * may cut the stream. */
struct kw_redis_stream_events {
    void (*open)(void *context);
    void (*bytes)(void *context, struct kw_bytes bytes);
    void (*ended)(void *context, enum kw_redis_end end, const char *why);
    void *context;
};

/* Where to: an address, or else a path. */
struct kw_redis_stream_target {
    const struct sockaddr *address;
    const char *path;
    const char *host; /* whose certificate it must show */
    SSL_CTX *tls;     /* NULL: plain */
};

/* Begins to connect; no event comes before this returns. Fails: SYSTEM, CRYPTO, MEMORY. */
struct kw_result kw_redis_stream_open(struct kw_loop *loop,
                                      const struct kw_redis_stream_target *target,
                                      const struct kw_redis_stream_events *events,
                                      struct kw_redis_stream **ret_stream, struct kw_error *err);

/* What is sent next: the caller appends to it, then marks it. It is written at the end of the turn. */
struct kw_buf *kw_redis_stream_out(struct kw_redis_stream *stream);
void kw_redis_stream_mark(struct kw_redis_stream *stream);

/* Is it still shaking hands? */
bool kw_redis_stream_in_handshake(const struct kw_redis_stream *stream);

/* Ends it at once, without any event; `stream` is gone for the caller. */
void kw_redis_stream_cut(struct kw_redis_stream *stream);

#endif
