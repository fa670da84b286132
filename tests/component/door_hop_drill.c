/* Every identity at every door: a caller one layer too far in, another cell, another region, a
 * member, an officer. Who may come in where is worked out from the layers' order, not written down
 * case by case. */
#include "common/rpc/client.h"
#include "tests/component/door_drill.h"
#include "tests/support/certs.h"
#include "tests/support/core_services.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <unistd.h>

#define MINUTE_MS 60000U
#define CALL_MS   10000U

TestSuite(door, .init = door_up, .fini = door_down, .timeout = 240);

Test(door, each_hop_opens_to_the_layer_outside_it_and_to_nobody_else)
{
    for (enum kw_layer layer = KW_LAYER_AUTHZ; layer < DOOR_LAYERS; layer++) {
        for (size_t i = 0; i < door.identity_count; i++) {
            const struct identity *identity = &door.identities[i];
            struct kw_hop_client *client = door_dial(layer, identity);
            bool connected = kw_hop_client_connected(client);

            door_hang_up(client);
            cr_assert(eq(int, connected, identity->layer == layer - 1), "%s at %s: %s",
                      identity->name, door_service(layer), connected ? "let in" : "refused");
        }
    }
}

/* The right name for this door. */
static void outer_id(enum kw_layer layer, char id[KW_SPIFFE_TEXT_SIZE])
{
    snprintf(id, KW_SPIFFE_TEXT_SIZE,
             "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION "/cell/" KW_MESH_CELL
             "/svc/%s",
             door_service(layer - 1));
}

static void assert_refused(enum kw_layer layer, const struct identity *identity)
{
    struct kw_hop_client *client = door_dial(layer, identity);
    bool connected = kw_hop_client_connected(client);

    door_hang_up(client);
    cr_assert(not(connected), "%s lets in %s", door_service(layer), identity->name);
}

Test(door, the_right_name_in_a_certificate_that_has_ended_opens_nothing)
{
    for (enum kw_layer layer = KW_LAYER_AUTHZ; layer < DOOR_LAYERS; layer++) {
        struct identity old = {.name = "an ended certificate"};
        char id[KW_SPIFFE_TEXT_SIZE];

        outer_id(layer, id);
        core_service_credentials(&door.mesh.core, id, door_service(layer), 2 * MINUTE_MS, MINUTE_MS,
                                 old.credentials);
        assert_refused(layer, &old);
    }
}

Test(door, the_right_name_by_a_foreign_ca_opens_nothing)
{
    struct test_ca foreign;
    struct test_ca real = {0};
    char path[PATH_MAX];
    FILE *file = fopen(kw_mesh_path(&door.mesh.core.dir, "region/pki/ca-services.pem", path), "r");

    cr_assert_not_null(file);
    real.cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    test_ca_init(&foreign, "Keyward services CA");
    for (enum kw_layer layer = KW_LAYER_AUTHZ; layer < DOOR_LAYERS; layer++) {
        struct identity stranger = {.name = "a stranger"};
        char id[KW_SPIFFE_TEXT_SIZE];
        const char *const uris[] = {id, NULL};

        outer_id(layer, id);
        kw_mesh_path(&door.mesh.core.dir, "stranger", stranger.credentials);
        test_credentials(stranger.credentials, &foreign, &real, uris);
        assert_refused(layer, &stranger);
    }
    test_ca_done(&foreign);
    test_ca_done(&real);
}

/* --- the TLS version --- */

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "nobody listens");
    return fd;
}

/* Shakes hands in this version alone, with a certificate that this door would take. */
static bool speaks(enum kw_layer layer, int version)
{
    static const unsigned char h2[] = {2, 'h', '2'};
    const struct identity *identity =
        layer == KW_LAYER_GATEWAY ? &door.identities[0] : door_outer(layer);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int fd = connect_to(door_port(layer));
    char path[PATH_MAX + 16];
    SSL *ssl;
    bool done;

    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    snprintf(path, sizeof(path), "%s/cert.pem", identity->credentials);
    REQUIRE(SSL_CTX_use_certificate_chain_file(context, path) == 1, "%s", path);
    snprintf(path, sizeof(path), "%s/key.pem", identity->credentials);
    REQUIRE(SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1, "%s", path);
    ssl = SSL_new(context);
    SSL_set_alpn_protos(ssl, h2, sizeof(h2));
    SSL_set_fd(ssl, fd);
    done = SSL_connect(ssl) == 1;
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return done;
}

Test(door, every_listener_speaks_tls_1_3_alone)
{
    for (enum kw_layer layer = 0; layer < DOOR_LAYERS; layer++) {
        cr_assert(speaks(layer, TLS1_3_VERSION), "%s", door_service(layer));
        cr_assert(not(speaks(layer, TLS1_2_VERSION)), "%s", door_service(layer));
    }
}

/* --- the public listener --- */

/* Health is answered by the gateway itself: to get an answer is to be in. */
static enum kw_grpc_code knock(const struct identity *identity)
{
    char target[64];
    char key[PATH_MAX + 16];
    char cert[PATH_MAX + 16];
    char ca[PATH_MAX + 16];
    const struct kw_client_options options = {.target = target,
                                              .key_file = key,
                                              .cert_file = cert,
                                              .ca_file = ca,
                                              .peer = MESH_SERVICE_ID("gateway")};
    const struct kw_client_call call = {.path = "/grpc.health.v1.Health/Check",
                                        .timeout_ms = CALL_MS};
    struct kw_client_reply reply;
    struct kw_client *client;

    snprintf(target, sizeof(target), "127.0.0.1:%d", door_port(KW_LAYER_GATEWAY));
    snprintf(key, sizeof(key), "%s/key.pem", identity->credentials);
    snprintf(cert, sizeof(cert), "%s/cert.pem", identity->credentials);
    snprintf(ca, sizeof(ca), "%s/ca.pem", identity->credentials);
    MUST(kw_client_new(&options, &client, err));
    MUST(kw_client_unary(client, &call, KW_BYTES_NONE, door.mesh.core.arena, &reply, err));
    kw_client_free(client);
    return reply.code;
}

Test(door, the_public_listener_opens_to_callers_and_to_no_service)
{
    for (size_t i = 0; i < door.identity_count; i++) {
        enum kw_grpc_code code = knock(&door.identities[i]);

        cr_assert(eq(int, code,
                     door.identities[i].role == KW_ROLE_SERVICE ? KW_GRPC_UNAVAILABLE : KW_GRPC_OK),
                  "%s: %d", door.identities[i].name, (int)code);
    }
}
