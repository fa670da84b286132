/* Every identity at every door: a caller one layer too far in, another cell, another region, a
 * member, an officer. The services are the real programs, the certificates by the real CAs; who may
 * come in where is worked out from the layers' order, not written down case by case. */
#include "common/pki/certificate.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/client.h"
#include "keyward/internal/v1/context.pb-c.h"
#include "tests/support/core_services.h"
#include "tests/support/mesh_fixture.h"

#include <criterion/new/assert.h>
#include <stdio.h>

#define HOUR_MS        3600000U
#define IDENTITIES_MAX 32
#define CALL_MS        10000U

/* From the outside in; the layers are numbered so. */
static const char *const services[] = {
    [KW_LAYER_GATEWAY] = "gateway",
    [KW_LAYER_AUTHZ] = "authz",
    [KW_LAYER_ORCHESTRATOR] = "orchestrator",
    [KW_LAYER_CORE] = "cryptocore",
};

#define LAYER_COUNT (sizeof(services) / sizeof(services[0]))

static struct mesh_fixture mesh;
static struct core_caller partner;
static struct core_caller station;
static struct core_caller invitation;

/* Somebody with a certificate. */
struct identity {
    enum kw_role role;
    enum kw_layer layer; /* of a service of this cell; LAYER_COUNT: none */
    char name[64];
    char credentials[PATH_MAX];
};

static struct identity identities[IDENTITIES_MAX];
static size_t identity_count;

static struct identity *identity_add(enum kw_role role, const char *name)
{
    struct identity *identity = &identities[identity_count++];

    REQUIRE(identity_count <= IDENTITIES_MAX, "more identities than there is room for");
    *identity = (struct identity){.role = role, .layer = (enum kw_layer)LAYER_COUNT};
    snprintf(identity->name, sizeof(identity->name), "%s", name);
    return identity;
}

/* A service of any region and cell. Those of ours at the first layers have what the ceremony gave
 * them; but a new certificate for the same name is as good, and says that it is the name which
 * counts. */
static void service_add(const char *region, const char *cell, const char *name, enum kw_layer layer)
{
    char id[256];
    char dir[128];
    struct identity *identity;

    snprintf(dir, sizeof(dir), "%s-%s-%s", region, cell, name);
    snprintf(id, sizeof(id), "spiffe://" KW_MESH_TRUST_DOMAIN "/region/%s/cell/%s/svc/%s", region,
             cell, name);
    identity = identity_add(KW_ROLE_SERVICE, dir);
    identity->layer = layer;
    core_service_credentials(&mesh.core, id, dir, 0, HOUR_MS, identity->credentials);
}

static void services_add(const char *region, const char *cell)
{
    bool ours = strcmp(region, KW_MESH_REGION) == 0 && strcmp(cell, KW_MESH_CELL) == 0;

    for (enum kw_layer layer = 0; layer < LAYER_COUNT; layer++) {
        service_add(region, cell, services[layer], ours ? layer : (enum kw_layer)LAYER_COUNT);
    }
    service_add(region, cell, "replicator", (enum kw_layer)LAYER_COUNT);
}

static void caller_add(enum kw_role role, const struct core_caller *caller, const char *ca)
{
    struct identity *identity = identity_add(role, kw_role_name(role));

    core_caller_credentials(&mesh.core, caller, ca, identity->name, identity->credentials);
}

static void identities_make(void)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_id invited = {{3}};

    identity_count = 0;
    core_member(&mesh.core, KW_ROLE_PARTNER, &partner);
    core_member(&mesh.core, KW_ROLE_STATION, &station);
    core_invite(&mesh.core, KW_ROLE_PARTNER, invited, &invitation, &record);
    caller_add(KW_ROLE_PARTNER, &partner, "ca-partners.pem");
    caller_add(KW_ROLE_STATION, &station, "ca-stations.pem");
    caller_add(KW_ROLE_OPERATOR, &mesh.core.officer, "ca-operators.pem");
    caller_add(KW_ROLE_INVITATION, &invitation, "ca-partners.pem");
    services_add(KW_MESH_REGION, KW_MESH_CELL);
    services_add(KW_MESH_REGION, "b");
    services_add("elsewhere", KW_MESH_CELL);
}

static void up(void)
{
    mesh_fixture_init(&mesh);
    mesh_fixture_outer(&mesh);
    identities_make();
}

static void down(void)
{
    core_caller_done(&partner);
    core_caller_done(&station);
    core_caller_done(&invitation);
    mesh_fixture_done(&mesh);
}

TestSuite(door, .init = up, .fini = down, .timeout = 240);

/* --- the hops --- */

static int port_of(enum kw_layer layer)
{
    const int ports[LAYER_COUNT] = {
        [KW_LAYER_GATEWAY] = mesh.gateway.port,
        [KW_LAYER_AUTHZ] = mesh.authz.port,
        [KW_LAYER_ORCHESTRATOR] = mesh.orchestrator.port,
        [KW_LAYER_CORE] = mesh.core.core.port,
    };

    return ports[layer];
}

static struct kw_hop_client *dial(enum kw_layer layer, const struct identity *identity)
{
    char target[64];
    char peer[256];
    const char *const targets[] = {target, NULL};
    const struct kw_hop_client_options options = {.targets = targets,
                                                  .credentials_dir = identity->credentials,
                                                  .trust_domain = KW_MESH_TRUST_DOMAIN,
                                                  .peer = peer};
    struct kw_hop_client *client;

    snprintf(target, sizeof(target), "127.0.0.1:%d", port_of(layer));
    snprintf(peer, sizeof(peer),
             "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION "/cell/" KW_MESH_CELL
             "/svc/%s",
             services[layer]);
    MUST(kw_hop_client_new(mesh.core.rpc, &options, &client, err));
    EVENTUALLY(&mesh.core,
               kw_hop_client_connected(client) || kw_hop_client_stats(client).failed_connects > 0);
    return client;
}

static void on_closed(void *context)
{
    *(bool *)context = true;
}

static void hang_up(struct kw_hop_client *client)
{
    bool closed = false;

    kw_hop_client_close(client, on_closed, &closed);
    EVENTUALLY(&mesh.core, closed);
}

Test(door, each_hop_opens_to_the_layer_outside_it_and_to_nobody_else)
{
    for (enum kw_layer layer = KW_LAYER_AUTHZ; layer < LAYER_COUNT; layer++) {
        for (size_t i = 0; i < identity_count; i++) {
            const struct identity *identity = &identities[i];
            struct kw_hop_client *client = dial(layer, identity);
            bool connected = kw_hop_client_connected(client);

            hang_up(client);
            cr_assert(eq(int, connected, identity->layer == layer - 1), "%s at %s: %s",
                      identity->name, services[layer], connected ? "let in" : "refused");
        }
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

    snprintf(target, sizeof(target), "127.0.0.1:%d", port_of(KW_LAYER_GATEWAY));
    snprintf(key, sizeof(key), "%s/key.pem", identity->credentials);
    snprintf(cert, sizeof(cert), "%s/cert.pem", identity->credentials);
    snprintf(ca, sizeof(ca), "%s/ca.pem", identity->credentials);
    MUST(kw_client_new(&options, &client, err));
    MUST(kw_client_unary(client, &call, KW_BYTES_NONE, mesh.core.arena, &reply, err));
    kw_client_free(client);
    return reply.code;
}

Test(door, the_public_listener_opens_to_callers_and_to_no_service)
{
    for (size_t i = 0; i < identity_count; i++) {
        enum kw_grpc_code code = knock(&identities[i]);

        cr_assert(
            eq(int, code, identities[i].role == KW_ROLE_SERVICE ? KW_GRPC_UNAVAILABLE : KW_GRPC_OK),
            "%s: %d", identities[i].name, (int)code);
    }
}

/* --- internal methods --- */

struct outcome {
    bool over;
    enum kw_reason reason;
};

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct outcome *outcome = user;

    (void)call;
    (void)context;
    outcome->over = true;
    outcome->reason = status->reason;
}

/* What authz gets from the gateway: the caller's certificate. */
static struct kw_bytes caller_context(const struct core_caller *caller)
{
    Keyward__Internal__V1__Caller message = KEYWARD__INTERNAL__V1__CALLER__INIT;
    struct kw_bytes packed;

    message.certificate = kw_field_bytes(kw_buf_bytes(&caller->certificate));
    message.peer_address = (char *)(uintptr_t) "192.0.2.1:1";
    MUST(kw_arena_pack(mesh.core.arena, &message.base, &packed, err));
    return packed;
}

/* What orchestrator and core get: a capsule, rightly sealed, for this caller and method, over an
 * empty request. */
static struct kw_bytes capsule_context(const struct kw_method *method,
                                       const struct core_caller *caller)
{
    static const Keyward__Internal__V1__Caller empty = KEYWARD__INTERNAL__V1__CALLER__INIT;
    struct core_ask ask;
    struct kw_bytes packed;

    core_ask_init(&mesh.core, &ask, method->id, &empty.base, caller);
    ask.unsigned_call = true;
    core_ask_authorize(&mesh.core, &ask);
    MUST(kw_arena_pack(mesh.core.arena, &ask.authorization.base, &packed, err));
    return packed;
}

static enum kw_reason call_through(struct kw_hop_client *client, const struct kw_method *method,
                                   struct kw_bytes context)
{
    static const struct kw_hop_events events = {.status = on_status};
    const struct kw_hop_open open = {.method = (uint32_t)method->id,
                                     .deadline_ns = kw_clock_mono_ns() + PATIENCE_NS,
                                     .item = {.context = context},
                                     .has_item = true,
                                     .end = true};
    struct outcome outcome = {0};
    struct kw_hop_call *call;

    MUST(kw_hop_open(client, &open, &events, &outcome, &call, err));
    EVENTUALLY(&mesh.core, outcome.over);
    return outcome.reason;
}

/* At each hop in its own right: the standing call for receipts is the orchestrator's with the core,
 * the renewal of a service goes inward and is judged by what is in it. No caller's name or capsule
 * makes them more. */
static enum kw_reason expected_of(const struct kw_method *method)
{
    return method->id == KW_METHOD_RENEW_SERVICE ? KW_E_ARGUMENT_INVALID /* an empty request */
                                                 : KW_E_METHOD_UNKNOWN;
}

static bool concerns(const struct kw_method *method, enum kw_layer layer)
{
    return kw_method_has(method, KW_METHOD_INTERNAL) &&
           !(method->id == KW_METHOD_RECEIPTS && layer == KW_LAYER_CORE);
}

/* A hop to this layer from the one outside it. */
static struct kw_hop_client *dial_rightly(enum kw_layer layer)
{
    for (size_t i = 0; i < identity_count; i++) {
        if (identities[i].layer == layer - 1) {
            return dial(layer, &identities[i]);
        }
    }
    cr_fatal("nobody is outside of %s", services[layer]);
    return NULL;
}

static void assert_unreachable(struct kw_hop_client *client, enum kw_layer layer,
                               const struct kw_method *method)
{
    const struct core_caller *const callers[] = {&partner, &station, &mesh.core.officer,
                                                 &invitation};

    for (size_t i = 0; i < sizeof(callers) / sizeof(callers[0]); i++) {
        enum kw_reason reason =
            call_through(client, method,
                         layer == KW_LAYER_AUTHZ ? caller_context(callers[i])
                                                 : capsule_context(method, callers[i]));

        cr_assert(eq(int, reason, expected_of(method)), "%s at %s by %s: %s", method->name,
                  services[layer], callers[i]->spiffe_id, kw_reason_row(reason)->name);
    }
}

Test(door, no_caller_reaches_an_internal_method)
{
    size_t count;
    const struct kw_method *table = kw_method_table(&count);

    for (enum kw_layer layer = KW_LAYER_AUTHZ; layer < LAYER_COUNT; layer++) {
        struct kw_hop_client *client = dial_rightly(layer);

        for (size_t i = 0; i < count; i++) {
            if (concerns(&table[i], layer)) {
                assert_unreachable(client, layer, &table[i]);
            }
        }
        hang_up(client);
    }
}

/* --- methods and roles --- */

static struct core_caller as_role(enum kw_role role)
{
    struct core_caller caller = partner;
    struct kw_spiffe id = {0};

    if (role == KW_ROLE_SERVICE) {
        MUST(kw_spiffe_service(KW_MESH_TRUST_DOMAIN, KW_MESH_REGION, KW_MESH_CELL, "authz", &id,
                               err));
    } else {
        MUST(kw_spiffe_caller(KW_MESH_TRUST_DOMAIN, role, partner.id, &id, err));
    }
    (void)kw_spiffe_text(&id, caller.spiffe_id);
    return caller;
}

/* A capsule is not believed on what the method table forbids. Whoever the row names gets further,
 * to fail at the empty request or not at all. (For the core: core_caller.) */
Test(door, each_method_at_the_orchestrator_is_for_the_roles_of_its_row)
{
    struct kw_hop_client *client = dial_rightly(KW_LAYER_ORCHESTRATOR);
    size_t count;
    const struct kw_method *table = kw_method_table(&count);

    for (size_t i = 0; i < count * KW_ROLE_COUNT_; i++) {
        const struct kw_method *method = &table[i / KW_ROLE_COUNT_];
        enum kw_role role = i % KW_ROLE_COUNT_;
        struct core_caller caller = as_role(role);
        bool here =
            method->ends >= KW_LAYER_ORCHESTRATOR && !kw_method_has(method, KW_METHOD_INTERNAL);

        if (here) {
            enum kw_reason reason = call_through(client, method, capsule_context(method, &caller));

            cr_assert(eq(int, reason == KW_E_PERMISSION_DENIED, !kw_method_admits(method, role)),
                      "%s by a %s: %s", method->name, kw_role_name(role),
                      kw_reason_row(reason)->name);
        }
    }
    hang_up(client);
}
