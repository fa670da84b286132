/* Who gets onto a hop: one URI SAN, the right one, from the right CA, over TLS 1.3, and no other
 * method. */
#include "common/rpc/client.h"
#include "tests/support/hop_fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OTHER_ID "spiffe://test/region/r/cell/c/svc/other"

/* Both ends up, then neither may have heard of the other. */
static void assert_refused(struct hop_fixture *fx)
{
    hop_start_inner(fx);
    hop_start_outer(fx);
    HOP_EVENTUALLY(fx, kw_hop_client_stats(fx->client).failed_connects >= 2);
    cr_assert(eq(uint, fx->connects, 0));
    cr_assert(eq(uint, fx->opened, 0));
}

/* The right name and another, whichever comes first. */
static void assert_two_names_refused(bool is_outer, const char *right)
{
    const char *const orders[][3] = {{right, OTHER_ID, NULL}, {OTHER_ID, right, NULL}};

    for (size_t i = 0; i < 2; i++) {
        struct hop_fixture fx;

        hop_fixture_init(&fx);
        test_credentials(is_outer ? fx.outer_dir : fx.inner_dir, &fx.ca, &fx.ca, orders[i]);
        assert_refused(&fx);
        hop_fixture_done(&fx);
    }
}

Test(hop_tls, outer_side_with_two_uri_sans_is_refused)
{
    assert_two_names_refused(true, OUTER_ID);
}

Test(hop_tls, inner_side_with_two_uri_sans_is_refused)
{
    assert_two_names_refused(false, INNER_ID);
}

Test(hop_tls, outer_side_without_a_name_is_refused)
{
    static const char *const uris[] = {NULL};
    struct hop_fixture fx;

    hop_fixture_init(&fx);
    test_credentials(fx.outer_dir, &fx.ca, &fx.ca, uris);
    assert_refused(&fx);
    hop_fixture_done(&fx);
}

Test(hop_tls, outer_side_with_another_name_is_refused)
{
    static const char *const uris[] = {OTHER_ID, NULL};
    struct hop_fixture fx;

    hop_fixture_init(&fx);
    test_credentials(fx.outer_dir, &fx.ca, &fx.ca, uris);
    assert_refused(&fx);
    hop_fixture_done(&fx);
}

Test(hop_tls, inner_side_with_another_name_is_refused)
{
    static const char *const uris[] = {OTHER_ID, NULL};
    struct hop_fixture fx;

    hop_fixture_init(&fx);
    test_credentials(fx.inner_dir, &fx.ca, &fx.ca, uris);
    assert_refused(&fx);
    hop_fixture_done(&fx);
}

Test(hop_tls, name_with_more_after_it_is_refused)
{
    static const char *const uris[] = {OUTER_ID "/more", NULL};
    struct hop_fixture fx;

    hop_fixture_init(&fx);
    test_credentials(fx.outer_dir, &fx.ca, &fx.ca, uris);
    assert_refused(&fx);
    hop_fixture_done(&fx);
}

Test(hop_tls, outer_side_of_a_foreign_ca_is_refused)
{
    static const char *const uris[] = {OUTER_ID, NULL};
    struct hop_fixture fx;
    struct test_ca foreign;

    hop_fixture_init(&fx);
    test_ca_init(&foreign, "services");
    test_credentials(fx.outer_dir, &foreign, &fx.ca, uris);
    assert_refused(&fx);
    test_ca_done(&foreign);
    hop_fixture_done(&fx);
}

/* The inner side believes a CA that names a region, by which the outer side comes. */
static void region_ca_trusted(struct hop_fixture *fx, struct test_ca *ca, const char *region)
{
    static const char *const inner[] = {INNER_ID, NULL};
    static const char *const outer[] = {OUTER_ID, NULL};

    hop_fixture_init(fx);
    test_ca_init_region(ca, "services of a region", region);
    test_credentials(fx->inner_dir, &fx->ca, ca, inner);
    test_credentials(fx->outer_dir, ca, &fx->ca, outer);
}

Test(hop_tls, outer_side_by_the_ca_of_its_region_is_let_in)
{
    struct hop_fixture fx;
    struct test_ca ca;

    region_ca_trusted(&fx, &ca, "r");
    hop_start_inner(&fx);
    hop_start_outer(&fx);
    HOP_EVENTUALLY(&fx, fx.connects == 1);
    test_ca_done(&ca);
    hop_fixture_done(&fx);
}

Test(hop_tls, outer_side_by_the_ca_of_another_region_is_refused)
{
    struct hop_fixture fx;
    struct test_ca ca;

    region_ca_trusted(&fx, &ca, "q");
    assert_refused(&fx);
    test_ca_done(&ca);
    hop_fixture_done(&fx);
}

Test(hop_tls, inner_side_of_a_foreign_ca_is_refused)
{
    static const char *const uris[] = {INNER_ID, NULL};
    struct hop_fixture fx;
    struct test_ca foreign;

    hop_fixture_init(&fx);
    test_ca_init(&foreign, "services");
    test_credentials(fx.inner_dir, &foreign, &fx.ca, uris);
    assert_refused(&fx);
    test_ca_done(&foreign);
    hop_fixture_done(&fx);
}

Test(hop_tls, outer_side_of_a_foreign_trust_domain_is_refused)
{
    static const char *const uris[] = {"spiffe://tset/region/r/cell/c/svc/outer", NULL};
    struct hop_fixture fx;

    hop_fixture_init(&fx);
    test_credentials(fx.outer_dir, &fx.ca, &fx.ca, uris);
    assert_refused(&fx);
    hop_fixture_done(&fx);
}

Test(hop_tls, inner_side_of_a_foreign_trust_domain_is_refused)
{
    static const char *const uris[] = {"spiffe://tset/region/r/cell/c/svc/inner", NULL};
    struct hop_fixture fx;

    hop_fixture_init(&fx);
    test_credentials(fx.inner_dir, &fx.ca, &fx.ca, uris);
    assert_refused(&fx);
    hop_fixture_done(&fx);
}

/* One side's certificate is good from `from_s` to `to_s` seconds from now. */
static void assert_out_of_time(bool is_outer, long from_s, long to_s)
{
    static const char *const outer[] = {OUTER_ID, NULL};
    static const char *const inner[] = {INNER_ID, NULL};
    struct hop_fixture fx;

    hop_fixture_init(&fx);
    test_credentials_valid(is_outer ? fx.outer_dir : fx.inner_dir, &fx.ca, &fx.ca,
                           is_outer ? outer : inner, from_s, to_s);
    assert_refused(&fx);
    hop_fixture_done(&fx);
}

Test(hop_tls, outer_side_whose_certificate_has_ended_is_refused)
{
    assert_out_of_time(true, -120, -60);
}

Test(hop_tls, inner_side_whose_certificate_has_ended_is_refused)
{
    assert_out_of_time(false, -120, -60);
}

Test(hop_tls, outer_side_whose_certificate_has_not_begun_is_refused)
{
    assert_out_of_time(true, 600, 1200);
}

Test(hop_tls, new_credentials_are_used_without_restart)
{
    static const char *const wrong[] = {OTHER_ID, NULL};
    static const char *const right[] = {OUTER_ID, NULL};
    struct hop_fixture fx;

    hop_fixture_init(&fx);
    test_credentials(fx.outer_dir, &fx.ca, &fx.ca, wrong);
    assert_refused(&fx);
    test_credentials(fx.outer_dir, &fx.ca, &fx.ca, right);
    HOP_EVENTUALLY(&fx, kw_hop_client_connected(fx.client));
    hop_fixture_done(&fx);
}

/* --- the TLS version, seen by a client that is not ours --- */

static int dial(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert(eq(int, connect(fd, (struct sockaddr *)&address, sizeof(address)), 0));
    return fd;
}

/* Shakes hands with the outer side's good certificate; `version` is the only one offered. */
static bool handshake(const struct hop_fixture *fx, int version)
{
    static const unsigned char h2[] = {2, 'h', '2'};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    char path[128];
    SSL *ssl;
    bool done;
    int fd = dial(fx->port);

    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
    snprintf(path, sizeof(path), "%s/cert.pem", fx->outer_dir);
    cr_assert(eq(int, SSL_CTX_use_certificate_chain_file(ctx, path), 1));
    snprintf(path, sizeof(path), "%s/key.pem", fx->outer_dir);
    cr_assert(eq(int, SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM), 1));
    ssl = SSL_new(ctx);
    SSL_set_alpn_protos(ssl, h2, sizeof(h2));
    SSL_set_fd(ssl, fd);
    done = SSL_connect(ssl) == 1;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    return done;
}

Test(hop_tls, only_tls_1_3_is_spoken)
{
    struct hop_fixture fx;

    hop_fixture_init(&fx);
    hop_start_inner(&fx);
    cr_assert(handshake(&fx, TLS1_3_VERSION));
    cr_assert(not(handshake(&fx, TLS1_2_VERSION)));
    hop_fixture_done(&fx);
}

/* --- other methods --- */

Test(hop_tls, unknown_method_is_answered_at_once)
{
    struct hop_fixture fx;
    struct kw_client *client;
    struct kw_client_reply reply;
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    const struct kw_client_call call = {.path = "/keyward.internal.v1.Hop/Other",
                                        .timeout_ms = 5000};

    hop_fixture_init(&fx);
    hop_start_inner(&fx);
    client = hop_outer_client(&fx);
    hop_turn_aside(&fx); /* this thread waits for what the loop answers */
    cr_assert(kw_ok(kw_client_unary(client, &call, kw_bytes_str(""), arena, &reply, NULL)));
    hop_turn_here(&fx);
    cr_assert(eq(int, reply.code, KW_GRPC_UNIMPLEMENTED));
    kw_client_free(client);
    kw_arena_free(arena);
    hop_fixture_done(&fx);
}

/* --- what is wrong with the files is said at the start --- */

Test(hop_tls, missing_credentials_are_a_config_error)
{
    struct hop_fixture fx;
    struct kw_hop_client *client = NULL;
    struct kw_error error;
    const char *const targets[] = {"127.0.0.1:1", NULL};
    struct kw_hop_client_options options = {.targets = targets,
                                            .credentials_dir = "/nowhere",
                                            .trust_domain = "test",
                                            .peer = INNER_ID};

    hop_fixture_init(&fx);
    cr_assert(
        eq(int, kw_hop_client_new(fx.rpc, &options, &client, &error).reason, KW_E_CONFIG_INVALID));
    cr_assert(eq(ptr, client, NULL));
    hop_fixture_done(&fx);
}

Test(hop_tls, peer_of_another_trust_domain_is_a_config_error)
{
    struct hop_fixture fx;
    struct kw_hop_client *client = NULL;
    const char *const targets[] = {"127.0.0.1:1", NULL};
    struct kw_hop_client_options options = {
        .targets = targets, .trust_domain = "tes", .peer = INNER_ID};

    hop_fixture_init(&fx);
    options.credentials_dir = fx.outer_dir;
    cr_assert(
        eq(int, kw_hop_client_new(fx.rpc, &options, &client, NULL).reason, KW_E_CONFIG_INVALID));
    hop_fixture_done(&fx);
}
