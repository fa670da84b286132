/* Observe: the three pages as a client sees them. */
#include "common/observe/observe.h"

#include "common/base/metrics.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_bool store_up = true;
static atomic_bool is_alive = true;
static struct kw_observe *observe;
static char reply[65536];

static void readiness(void *context, struct kw_readiness *ready)
{
    (void)context;
    kw_readiness_add(ready, "store", atomic_load(&store_up));
    kw_readiness_add(ready, "hsm", true);
}

static bool alive(const struct kw_process *process)
{
    (void)process;
    return atomic_load(&is_alive);
}

static const struct kw_observe_hooks hooks = {.readiness = readiness, .alive = alive};

static void setup(void)
{
    struct kw_error err;

    cr_assert(kw_ok(kw_observe_start("127.0.0.1:0", &hooks, &observe, &err)), "%s", err.message);
    cr_assert(lt(u16, 0, kw_observe_port(observe)));
}

static void cleanup(void)
{
    kw_observe_stop(observe);
}

TestSuite(observe, .init = setup, .fini = cleanup);

/* Sends one request and returns all that comes back until the server closes. */
static const char *request(const char *line)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(kw_observe_port(observe)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[256];
    size_t len = 0;
    ssize_t got;

    (void)snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", line);
    cr_assert(eq(int, connect(fd, (struct sockaddr *)&to, sizeof(to)), 0));
    cr_assert(eq(long, write(fd, text, strlen(text)), (long)strlen(text)));
    while ((got = read(fd, reply + len, sizeof(reply) - 1 - len)) > 0) {
        len += (size_t)got;
    }
    reply[len] = '\0';
    (void)close(fd);
    return reply;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

Test(observe, metrics_are_served_as_prometheus_wants_them)
{
    kw_metric_add(KW_M_DENIALS, "quota", 3);
    cr_assert(starts_with(request("GET /metrics"), "HTTP/1.1 200 "));
    cr_assert(
        ne(ptr, strstr(reply, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), NULL));
    cr_assert(ne(ptr, strstr(reply, "\nkeyward_denials_total{reason=\"quota\"} 3\n"), NULL));
    cr_assert(ne(ptr, strstr(reply, "\nkeyward_build_info{version=\""), NULL));
}

Test(observe, ready_when_every_condition_holds)
{
    cr_assert(starts_with(request("GET /readyz"), "HTTP/1.1 200 "));
    cr_assert(
        ne(ptr,
           strstr(reply, "\r\n\r\n{\"ready\":true,\"conditions\":{\"store\":true,\"hsm\":true}}\n"),
           NULL));
}

Test(observe, not_ready_says_why)
{
    atomic_store(&store_up, false);
    cr_assert(starts_with(request("GET /readyz"), "HTTP/1.1 503 "));
    cr_assert(ne(ptr,
                 strstr(reply, "{\"ready\":false,\"conditions\":{\"store\":false,\"hsm\":true}}\n"),
                 NULL));
    atomic_store(&store_up, true);
    cr_assert(starts_with(request("GET /readyz"), "HTTP/1.1 200 "));
}

Test(observe, live_is_not_ready)
{
    atomic_store(&store_up, false);
    cr_assert(starts_with(request("GET /livez"), "HTTP/1.1 200 "));
    atomic_store(&is_alive, false);
    cr_assert(starts_with(request("GET /livez"), "HTTP/1.1 503 "));
}

Test(observe, anything_else_is_refused)
{
    cr_assert(starts_with(request("GET /"), "HTTP/1.1 404 "));
    cr_assert(starts_with(request("GET /metrics/x"), "HTTP/1.1 404 "));
    cr_assert(starts_with(request("POST /metrics"), "HTTP/1.1 405 "));
    cr_assert(starts_with(request("DELETE /livez"), "HTTP/1.1 405 "));
    cr_assert(starts_with(request("HEAD /livez"), "HTTP/1.1 200 "));
}

Test(observe, taken_port_is_a_named_failure)
{
    struct kw_observe *second = NULL;
    struct kw_error err;
    char address[32];

    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", kw_observe_port(observe));
    cr_assert(eq(int, kw_observe_start(address, &hooks, &second, &err).reason, KW_E_SYSTEM));
    cr_assert(eq(ptr, second, NULL));
}

Test(observe, malformed_address_is_refused)
{
    const char *bad[] = {"",
                         ":80",
                         "127.0.0.1",
                         "localhost:0",
                         "127.0.0.1:",
                         "127.0.0.1:http",
                         "127.0.0.1:65536",
                         "127.0.0.1:+1",
                         "[]:0",
                         "[::1:0",
                         "::1]:0"};
    struct kw_observe *second = NULL;
    struct kw_error err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert(
            eq(int, kw_observe_start(bad[i], &hooks, &second, &err).reason, KW_E_CONFIG_INVALID),
            "%s", bad[i]);
    }
    kw_observe_stop(NULL);
}
