/* TCP, never waited for without a limit. */
#include "common/health/wire.h"

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/health/address.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

static struct kw_result await(const struct kw_health_wire *wire, short events, struct kw_error *err)
{
    struct pollfd watched = {.fd = wire->fd, .events = events};
    uint64_t now_ns = kw_clock_mono_ns();
    int ready = -1;

    while (ready < 0 && now_ns < wire->deadline_ns) {
        ready = poll(&watched, 1, (int)((wire->deadline_ns - now_ns) / KW_NS_PER_MS) + 1);
        KW_ENSURE(ready >= 0 || errno == EINTR, err, SYSTEM, "poll: %s", strerror(errno));
        now_ns = kw_clock_mono_ns();
    }
    KW_ENSURE(ready > 0, err, DEADLINE_EXCEEDED, "no answer in time");
    return KW_OK;
}

static struct kw_result resolve(const struct kw_health_address *address, struct addrinfo **ret_info,
                                struct kw_error *err)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    int status = getaddrinfo(address->host, address->port, &hints, ret_info);

    KW_ENSURE(status == 0, err, CONFIG_INVALID, "%s: %s", address->host, gai_strerror(status));
    return KW_OK;
}

/* A connection in progress is one when it can be written to and no error is on it. */
static struct kw_result finish_connect(const struct kw_health_wire *wire, struct kw_error *err)
{
    int error = 0;
    socklen_t len = sizeof(error);

    KW_TRY(await(wire, POLLOUT, err));
    KW_ENSURE(getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0, err,
              PEER_UNAVAILABLE, "connect: %s", strerror(error));
    return KW_OK;
}

static struct kw_result connect_to(struct kw_health_wire *wire, const struct addrinfo *info,
                                   struct kw_error *err)
{
    wire->fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                      info->ai_protocol);
    KW_ENSURE(wire->fd >= 0, err, SYSTEM, "socket: %s", strerror(errno));
    if (connect(wire->fd, info->ai_addr, info->ai_addrlen) == 0) {
        return KW_OK;
    }
    KW_ENSURE(errno == EINPROGRESS, err, PEER_UNAVAILABLE, "connect: %s", strerror(errno));
    return finish_connect(wire, err);
}

struct kw_result kw_health_dial(const char *listen, uint64_t deadline_ns,
                                struct kw_health_wire *ret_wire, struct kw_error *err)
{
    struct kw_health_wire wire = {-1, deadline_ns};
    struct kw_health_address address;
    struct addrinfo *info;
    struct kw_result result;

    KW_TRY(kw_health_address(listen, &address, err));
    KW_TRY(resolve(&address, &info, err));
    result = connect_to(&wire, info, err);
    freeaddrinfo(info);
    if (!kw_ok(result)) {
        kw_health_hang_up(&wire);
        return result;
    }
    *ret_wire = wire;
    return KW_OK;
}

struct kw_result kw_health_send(struct kw_health_wire *wire, struct kw_bytes bytes,
                                struct kw_error *err)
{
    while (bytes.len > 0) {
        ssize_t sent;

        KW_TRY(await(wire, POLLOUT, err));
        sent = send(wire->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        KW_ENSURE(sent >= 0 || errno == EAGAIN || errno == EINTR, err, PEER_UNAVAILABLE, "send: %s",
                  strerror(errno));
        if (sent > 0) {
            bytes = KW_BYTES(bytes.data + sent, bytes.len - (size_t)sent);
        }
    }
    return KW_OK;
}

struct kw_result kw_health_receive(struct kw_health_wire *wire, uint8_t *out, size_t size,
                                   size_t *ret_len, struct kw_error *err)
{
    ssize_t got = -1;

    while (got < 0) {
        KW_TRY(await(wire, POLLIN, err));
        got = recv(wire->fd, out, size, 0);
        KW_ENSURE(got >= 0 || errno == EAGAIN || errno == EINTR, err, PEER_UNAVAILABLE,
                  "receive: %s", strerror(errno));
    }
    *ret_len = (size_t)got;
    return KW_OK;
}

void kw_health_hang_up(struct kw_health_wire *wire)
{
    kw_fd_close(&wire->fd);
}
