/* Sockets of both kinds. A link's address is taken by a socket that never listens, so that a link can refuse
 * (nobody listens, the kernel says so) and take connections again at the same port. */
#include "tests/support/proxy/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNIX_PREFIX "unix:"
#define HOST_SIZE   16U /* 255.255.255.255 */

static bool parse_unix(const char *path, struct endpoint *ret_endpoint)
{
    struct sockaddr_un *un = &ret_endpoint->address.un;

    if (*path == '\0' || strlen(path) >= sizeof(un->sun_path)) {
        return false;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, strlen(path));
    ret_endpoint->len = sizeof(*un);
    return true;
}

static bool parse_ip(const char *text, struct endpoint *ret_endpoint)
{
    const char *colon = strrchr(text, ':');
    struct sockaddr_in *in = &ret_endpoint->address.in;
    char host[HOST_SIZE] = {0};
    char *end;
    unsigned long port;

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) || colon[1] == '\0') {
        return false;
    }
    memcpy(host, text, (size_t)(colon - text));
    port = strtoul(colon + 1, &end, 10);
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)port);
    ret_endpoint->len = sizeof(*in);
    return *end == '\0' && port <= UINT16_MAX && inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

struct kw_result endpoint_parse(const char *text, struct endpoint *ret_endpoint,
                                struct kw_error *err)
{
    struct endpoint endpoint = {0};
    bool is_unix = strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;

    KW_ENSURE(is_unix ? parse_unix(text + strlen(UNIX_PREFIX), &endpoint)
                      : parse_ip(text, &endpoint),
              err, ARGUMENT_INVALID, "no address: %s", text);
    *ret_endpoint = endpoint;
    return KW_OK;
}

bool endpoint_is_unix(const struct endpoint *endpoint)
{
    return endpoint->address.any.sa_family == AF_UNIX;
}

int endpoint_port(const struct endpoint *endpoint)
{
    return endpoint_is_unix(endpoint) ? 0 : ntohs(endpoint->address.in.sin_port);
}

/* Two sockets share the port: the one that holds it, and while the link takes connections the one that listens. */
static struct kw_result bound(const struct endpoint *endpoint, int *ret_fd, struct kw_error *err)
{
    const int on = 1;
    int fd = socket(endpoint->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    KW_ENSURE(fd >= 0, err, SYSTEM, "socket: %s", strerror(errno));
    if (!endpoint_is_unix(endpoint)) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    }
    if (bind(fd, &endpoint->address.any, endpoint->len) != 0) {
        int code = errno;

        close(fd);
        KW_FAIL(err, SYSTEM, "bind: %s", strerror(code));
    }
    *ret_fd = fd;
    return KW_OK;
}

struct kw_result endpoint_hold(struct endpoint *endpoint, int *ret_fd, struct kw_error *err)
{
    KW_TRY(bound(endpoint, ret_fd, err));
    if (!endpoint_is_unix(endpoint)) {
        socklen_t len = sizeof(endpoint->address);

        (void)getsockname(*ret_fd, &endpoint->address.any, &len);
    }
    return KW_OK;
}

struct kw_result endpoint_open(const struct endpoint *endpoint, uv_loop_t *loop,
                               union endpoint_stream *stream, struct kw_error *err)
{
    int fd;

    if (endpoint_is_unix(endpoint)) {
        (void)unlink(endpoint->address.un.sun_path);
    }
    KW_TRY(bound(endpoint, &fd, err));
    endpoint_init(endpoint, loop, stream);
    if (endpoint_is_unix(endpoint)) {
        (void)uv_pipe_open(&stream->pipe, fd);
    } else {
        (void)uv_tcp_open(&stream->tcp, fd);
    }
    return KW_OK;
}

void endpoint_init(const struct endpoint *endpoint, uv_loop_t *loop, union endpoint_stream *stream)
{
    if (endpoint_is_unix(endpoint)) {
        (void)uv_pipe_init(loop, &stream->pipe, 0);
    } else {
        (void)uv_tcp_init(loop, &stream->tcp);
    }
}

void endpoint_no_delay(union endpoint_stream *stream)
{
    if (stream->handle.type == UV_TCP) {
        (void)uv_tcp_nodelay(&stream->tcp, 1);
    }
}

/* One that can't even begin is told to the caller in the same way as one that fails. */
void endpoint_connect(const struct endpoint *endpoint, union endpoint_stream *stream,
                      uv_connect_t *request, uv_connect_cb connected)
{
    int rc = 0;

    if (endpoint_is_unix(endpoint)) {
        uv_pipe_connect(request, &stream->pipe, endpoint->address.un.sun_path, connected);
        return;
    }
    rc = uv_tcp_connect(request, &stream->tcp, &endpoint->address.any, connected);
    if (rc != 0) {
        connected(request, rc);
    }
}

void endpoint_reset_at_close(union endpoint_stream *stream)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    uv_os_fd_t fd;

    if (stream->handle.type == UV_TCP && uv_fileno(&stream->handle, &fd) == 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
}
