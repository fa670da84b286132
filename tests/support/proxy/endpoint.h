/* Endpoints of a link: an IPv4 address with a port, or the path of a Unix socket, and their sockets.
 *
 *     127.0.0.1:0    10.7.0.2:8443    unix:/run/x.sock
 */
#ifndef KW_TESTS_SUPPORT_PROXY_ENDPOINT_H
#define KW_TESTS_SUPPORT_PROXY_ENDPOINT_H

#include "common/base/result.h"

#include <netinet/in.h>
#include <sys/un.h>
#include <uv.h>

struct endpoint {
    socklen_t len; /* 0: none */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un un;
    } address;
};

/* A stream of either kind. */
union endpoint_stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

/* Fails: ARGUMENT_INVALID. */
struct kw_result endpoint_parse(const char *text, struct endpoint *ret_endpoint,
                                struct kw_error *err);

bool endpoint_is_unix(const struct endpoint *endpoint);

/* The port, 0 of a path. */
int endpoint_port(const struct endpoint *endpoint);

/* Takes the address for as long as *ret_fd is open, and fills in the port that the kernel chose. Nobody listens
 * yet: who connects is refused. Fails: SYSTEM. */
struct kw_result endpoint_hold(struct endpoint *endpoint, int *ret_fd, struct kw_error *err);

/* A socket of ours on an address that is held, for `stream` to listen with. Fails: SYSTEM. */
struct kw_result endpoint_open(const struct endpoint *endpoint, uv_loop_t *loop,
                               union endpoint_stream *stream, struct kw_error *err);

/* Initialises `stream` as one of this endpoint's kind. */
void endpoint_init(const struct endpoint *endpoint, uv_loop_t *loop, union endpoint_stream *stream);

/* Nothing is kept back to be sent with what follows. */
void endpoint_no_delay(union endpoint_stream *stream);

/* Connects; `connected` is called in any case. */
void endpoint_connect(const struct endpoint *endpoint, union endpoint_stream *stream,
                      uv_connect_t *request, uv_connect_cb connected);

/* Has the close that follows send a reset. A Unix socket knows none: its peer sees an end, or a reset if we
 * had not read all. */
void endpoint_reset_at_close(union endpoint_stream *stream);

#endif
