/* The fault proxy from a C test: the fixture says, waits, and ends it. What each fault does is proxy_test.py's. */
#include "tests/support/must.h"
#include "tests/support/proxy/fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 30000

/* A target that listens, and a connection to it through a link. */
struct wire {
    struct proxy proxy;
    struct proxy_link link;
    int listener;
    int client;
    int server;
};

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listen_anywhere(int *ret_port)
{
    struct sockaddr_in at = loopback(0);
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    REQUIRE(bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 1) == 0 &&
                getsockname(fd, (struct sockaddr *)&at, &len) == 0,
            "listen");
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static int connect_to(int port)
{
    struct sockaddr_in at = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    REQUIRE(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0, "connect");
    return fd;
}

static void wire_up(struct wire *wire)
{
    int port;

    wire->listener = listen_anywhere(&port);
    proxy_start(&wire->proxy);
    proxy_link(&wire->proxy, port, &wire->link);
    wire->client = connect_to(wire->link.port);
    wire->server = accept(wire->listener, NULL, NULL);
    REQUIRE(wire->server >= 0, "accept");
}

static void wire_down(struct wire *wire)
{
    proxy_stop(&wire->proxy);
    close(wire->client);
    close(wire->server);
    close(wire->listener);
}

static bool is_readable(int fd, int within_ms)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    return poll(&readable, 1, within_ms) == 1;
}

Test(proxy_fixture, a_fault_is_in_force_until_it_is_lifted)
{
    struct wire wire;
    char came[4] = "";

    wire_up(&wire);
    proxy_set(&wire.link, "way=up stall=%d", 1);
    cr_assert(eq(sz, (size_t)write(wire.client, "held", 4), 4));
    proxy_await(&wire.link, "up.held", 4);
    cr_expect(not(is_readable(wire.server, 0)));
    cr_assert(eq(sz, (size_t)write(wire.server, "goes", 4), 4));
    cr_expect(is_readable(wire.client, PATIENCE_MS));
    proxy_heal(&wire.link);
    cr_assert(is_readable(wire.server, PATIENCE_MS));
    cr_assert(eq(sz, (size_t)read(wire.server, came, sizeof(came)), 4));
    cr_expect(eq(int, memcmp(came, "held", 4), 0));
    wire_down(&wire);
}

Test(proxy_fixture, a_reset_is_seen_and_counted)
{
    struct wire wire;
    char byte;

    wire_up(&wire);
    proxy_reset(&wire.link);
    cr_assert(is_readable(wire.client, PATIENCE_MS));
    cr_expect(eq(int, (int)read(wire.client, &byte, 1), -1));
    cr_expect(eq(int, errno, ECONNRESET));
    cr_expect(eq(u64, proxy_count(&wire.link, "resets"), 1));
    wire_down(&wire);
}
