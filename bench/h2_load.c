/* h2_load: unary echo calls on one connection, coalesced: all answers of a read are taken before
 * all next calls leave in one write, which is what a client with many callers behind it can do and
 * gRPC core's does not. Prints BEGIN, END, FIGURES as grpc_load does.
 *
 *     h2_load DIR PORT IN_FLIGHT SECONDS     DIR/{key,cert,ca}.pem
 */
#include "bench/echo.h"
#include "bench/watch.h"
#include "common/base/clock.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_LEN 256U
#define PREFIX_LEN  5U
#define BUFFER_LEN  65536U

struct connection {
    SSL *ssl;
    nghttp2_session *session;
    struct bench_watch watch;
    uint8_t out[BUFFER_LEN];
    size_t out_len;
};

struct call {
    struct connection *connection;
    uint64_t start_ns;
    size_t sent;
    size_t received;
    int status_ok;
};

/* A gRPC message: no compression, length, zeros. */
static const uint8_t body[PREFIX_LEN + MESSAGE_LEN] = {0, 0, 0, MESSAGE_LEN >> 8,
                                                       MESSAGE_LEN & 0xff};

static ssize_t on_read_body(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t len,
                            uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct call *call = source->ptr;
    size_t part = sizeof(body) - call->sent < len ? sizeof(body) - call->sent : len;

    (void)session;
    (void)id;
    (void)user;
    memcpy(buffer, body + call->sent, part);
    call->sent += part;
    if (call->sent == sizeof(body)) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)part;
}

#define FIELD(name, value)                                                                         \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1,             \
            sizeof(value) - 1, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE        \
    }

static void call_start(struct call *call)
{
    static const nghttp2_nv fields[] = {
        FIELD(":method", "POST"),     FIELD(":scheme", "https"),
        FIELD(":path", ECHO_PATH),    FIELD(":authority", "bench"),
        FIELD("te", "trailers"),      FIELD("content-type", "application/grpc"),
        FIELD("grpc-timeout", "20S"), FIELD("user-agent", "bench"),
    };
    nghttp2_data_provider provider = {.source = {.ptr = call}, .read_callback = on_read_body};

    *call = (struct call){.connection = call->connection, .start_ns = kw_clock_mono_ns()};
    bench_require(nghttp2_submit_request(call->connection->session, NULL, fields,
                                         sizeof(fields) / sizeof(fields[0]), &provider, call) > 0,
                  "request");
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    static const char status[] = "grpc-status";
    struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags;
    (void)user;
    if (call != NULL && name_len == sizeof(status) - 1 && memcmp(name, status, name_len) == 0) {
        call->status_ok = value_len == 1 && value[0] == '0';
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user)
{
    struct call *call = nghttp2_session_get_stream_user_data(session, id);

    (void)flags;
    (void)data;
    (void)user;
    if (call != NULL) {
        call->received += len;
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct connection *connection = user;
    struct call *call = nghttp2_session_get_stream_user_data(session, id);

    bench_watch_call(&connection->watch, call->start_ns,
                     code != NGHTTP2_NO_ERROR || !call->status_ok ||
                         call->received != sizeof(body));
    call_start(call);
    return 0;
}

/* --- the connection --- */

static void write_out(struct connection *connection)
{
    if (connection->out_len > 0) {
        bench_require(SSL_write(connection->ssl, connection->out, (int)connection->out_len) ==
                          (int)connection->out_len,
                      "write");
        connection->out_len = 0;
    }
}

/* Frames are put together and written once. */
static void flush(struct connection *connection)
{
    const uint8_t *data;
    ssize_t len;

    while ((len = nghttp2_session_mem_send(connection->session, &data)) > 0) {
        if (connection->out_len + (size_t)len > BUFFER_LEN) {
            write_out(connection);
        }
        memcpy(connection->out + connection->out_len, data, (size_t)len);
        connection->out_len += (size_t)len;
    }
    bench_require(len == 0, "session");
    write_out(connection);
}

/* Blocks for the first bytes, then takes what else is there. */
static void receive(struct connection *connection)
{
    uint8_t buffer[BUFFER_LEN];

    do {
        int len = SSL_read(connection->ssl, buffer, sizeof(buffer));

        bench_require(len > 0, "the server has closed the connection");
        bench_require(nghttp2_session_mem_recv(connection->session, buffer, (size_t)len) == len,
                      "frames");
    } while (SSL_pending(connection->ssl) > 0);
}

static SSL_CTX *context_new(const char *dir)
{
    SSL_CTX *context = bench_must(SSL_CTX_new(TLS_client_method()));
    char key[PATH_MAX];
    char cert[PATH_MAX];
    char ca[PATH_MAX];

    (void)snprintf(key, sizeof(key), "%s/key.pem", dir);
    (void)snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    (void)snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
    bench_require(SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 &&
                      SSL_CTX_use_certificate_chain_file(context, cert) == 1 &&
                      SSL_CTX_load_verify_locations(context, ca, NULL) == 1,
                  "credentials");
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_read_ahead(context, 1);
    bench_require(SSL_CTX_set_alpn_protos(context, (const uint8_t *)"\x02h2", 3) == 0, "ALPN");
    return context;
}

static SSL *dial(const char *dir, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)},
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    SSL *ssl = bench_must(SSL_new(context_new(dir)));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    bench_require(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0, "connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    bench_require(SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1, "handshake");
    return ssl;
}

static nghttp2_session *session_new(struct connection *connection)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;

    bench_require(nghttp2_session_callbacks_new(&callbacks) == 0, "memory");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    bench_require(nghttp2_session_client_new(&session, callbacks, connection) == 0 &&
                      nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0) == 0,
                  "session");
    nghttp2_session_callbacks_del(callbacks);
    return session;
}

static void tell(const struct bench_watch *watch, enum bench_moment moment)
{
    bench_watch_print(watch, moment);
    if (moment == BENCH_FIGURES) {
        _exit(EXIT_SUCCESS);
    }
}

int main(int argc, char **argv)
{
    static struct connection connection;
    size_t in_flight;

    bench_require(argc == 5, "usage: h2_load DIR PORT IN_FLIGHT SECONDS");
    in_flight = strtoul(argv[3], NULL, 10);
    connection.ssl = dial(argv[1], argv[2]);
    connection.session = session_new(&connection);
    bench_watch_init(&connection.watch, strtod(argv[4], NULL), STDOUT_FILENO, tell);
    for (size_t i = 0; i < in_flight; i++) {
        struct call *call = bench_must(calloc(1, sizeof(*call)));

        call->connection = &connection;
        call_start(call);
    }
    for (;;) {
        flush(&connection);
        receive(&connection);
    }
}
