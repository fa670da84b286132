/* Making and ending an edge without any client: each way in which it can fail, and what it
 * releases. */
#include "services/gateway/edge/edge.h"
#include "tests/support/certs.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const uris[] = {"spiffe://example.test/svc/gateway", NULL};

static struct kw_loop *loop;
static struct kw_edge *edge;
static char dir[64];
static char ca_file[80];
static int ended;

static void no_call(struct kw_edge_call *call, const struct kw_edge_open *open, void *context)
{
    (void)call;
    (void)open;
    (void)context;
    cr_assert(false, "nobody called");
}

static void set_up(void)
{
    struct test_ca ca;

    (void)snprintf(dir, sizeof(dir), "/tmp/edge_new_test.%d", (int)getpid());
    (void)snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", dir);
    test_ca_init(&ca, "test");
    test_credentials(dir, &ca, &ca, uris);
    test_ca_done(&ca);
    cr_assert(kw_ok(kw_loop_new(&loop, NULL)));
}

static void tear_down(void)
{
    kw_loop_stop(loop);
    kw_loop_run(loop);
    kw_loop_free(loop);
    test_credentials_remove(dir);
}

TestSuite(edge_new, .init = set_up, .fini = tear_down);

static struct kw_edge_options options_at(const char *address)
{
    return (struct kw_edge_options){
        .listen = address,
        .credentials_dir = dir,
        .client_ca_file = ca_file,
        .version = "1",
        .region = "r",
        .handler = {.open = no_call},
    };
}

static enum kw_reason try_new(const struct kw_edge_options *options)
{
    int port;

    return kw_edge_new(loop, options, &edge, &port, NULL).reason;
}

static void note_end(void *context)
{
    (void)context;
    ended++;
}

static void close_edge(void *context)
{
    (void)context;
    ended++;
    kw_edge_close(edge, note_end, NULL);
}

/* A port that somebody listens on. */
static int occupy(int *ret_socket)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);

    *ret_socket = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(eq(int, bind(*ret_socket, (struct sockaddr *)&address, len), 0));
    cr_assert(eq(int, listen(*ret_socket, 1), 0));
    cr_assert(eq(int, getsockname(*ret_socket, (struct sockaddr *)&address, &len), 0));
    return ntohs(address.sin_port);
}

Test(edge_new, address_that_is_none)
{
    struct kw_edge_options options = options_at("localhost:0");

    cr_assert(try_new(&options) == KW_E_CONFIG_INVALID);
}

Test(edge_new, port_in_use)
{
    char address[32];
    int other;

    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", occupy(&other));
    {
        struct kw_edge_options options = options_at(address);

        cr_assert(try_new(&options) == KW_E_SYSTEM);
    }
    (void)close(other);
}

Test(edge_new, credentials_missing)
{
    struct kw_edge_options options = options_at("127.0.0.1:0");

    options.credentials_dir = "/tmp/there-is-nothing-here";
    cr_assert(try_new(&options) == KW_E_CRYPTO);
}

Test(edge_new, client_cas_missing)
{
    struct kw_edge_options options = options_at("127.0.0.1:0");

    options.client_ca_file = "/tmp/there-is-nothing-here.pem";
    cr_assert(try_new(&options) == KW_E_CRYPTO);
}

Test(edge_new, key_of_another_certificate)
{
    struct kw_edge_options options = options_at("127.0.0.1:0");
    char path[96];
    char other[80];
    char other_key[96];
    struct test_ca ca;

    (void)snprintf(other, sizeof(other), "%s.other", dir);
    test_ca_init(&ca, "test");
    test_credentials(other, &ca, &ca, uris);
    test_ca_done(&ca);
    (void)snprintf(path, sizeof(path), "%s/key.pem", dir);
    (void)snprintf(other_key, sizeof(other_key), "%s/key.pem", other);
    cr_assert(eq(int, rename(other_key, path), 0));
    cr_assert(try_new(&options) == KW_E_CRYPTO);
    test_credentials_remove(other);
}

Test(edge_new, drains_and_closes_without_connections)
{
    struct kw_edge_options options = options_at("127.0.0.1:0");

    cr_assert(try_new(&options) == KW_E_NONE);
    cr_assert(eq(sz, kw_edge_connections(edge), 0));
    cr_assert(eq(sz, kw_edge_in_flight(edge), 0));
    kw_edge_drain(edge, close_edge, NULL);
    cr_assert(eq(int, ended, 0));
    kw_loop_stop(loop);
    kw_loop_run(loop);
    cr_assert(eq(int, ended, 2));
}

Test(edge_new, closing_forgets_a_drain)
{
    struct kw_edge_options options = options_at("[::1]:0");

    cr_assert(try_new(&options) == KW_E_NONE);
    kw_edge_drain(edge, close_edge, NULL);
    kw_edge_close(edge, note_end, NULL);
    kw_loop_stop(loop);
    kw_loop_run(loop);
    cr_assert(eq(int, ended, 1));
}
