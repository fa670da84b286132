/* The mesh, the identities, the dialling. */
#include "tests/component/door_drill.h"

#include "tests/support/core_services.h"

#include <stdio.h>

#define HOUR_MS 3600000U

/* From the outside in; the layers are numbered so. */
static const char *const services[] = {
    [KW_LAYER_GATEWAY] = "gateway",
    [KW_LAYER_AUTHZ] = "authz",
    [KW_LAYER_ORCHESTRATOR] = "orchestrator",
    [KW_LAYER_CORE] = "cryptocore",
};

struct door door;

static struct identity *identity_add(enum kw_role role, const char *name)
{
    struct identity *identity = &door.identities[door.identity_count++];

    REQUIRE(door.identity_count <= DOOR_IDENTITIES_MAX, "more identities than there is room for");
    *identity = (struct identity){.role = role, .layer = (enum kw_layer)DOOR_LAYERS};
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
    core_service_credentials(&door.mesh.core, id, dir, 0, HOUR_MS, identity->credentials);
}

static void services_add(const char *region, const char *cell)
{
    bool ours = strcmp(region, KW_MESH_REGION) == 0 && strcmp(cell, KW_MESH_CELL) == 0;

    for (enum kw_layer layer = 0; layer < DOOR_LAYERS; layer++) {
        service_add(region, cell, services[layer], ours ? layer : (enum kw_layer)DOOR_LAYERS);
    }
    service_add(region, cell, "replicator", (enum kw_layer)DOOR_LAYERS);
}

static void caller_add(enum kw_role role, const struct core_caller *caller, const char *ca)
{
    struct identity *identity = identity_add(role, kw_role_name(role));

    core_caller_credentials(&door.mesh.core, caller, ca, identity->name, identity->credentials);
}

/* A role that is added to the table is at the doors too, or the drills don't begin. */
static void roles_check(void)
{
    unsigned seen = 0;

    for (size_t i = 0; i < door.identity_count; i++) {
        seen |= 1U << door.identities[i].role;
    }
    REQUIRE(seen == (1U << KW_ROLE_COUNT_) - 1, "a role has no identity here");
}

/* Nobody of another region: no CA here certifies one (region_test), and a peer is let in by its whole name. */
static void identities_make(void)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_id invited = {{3}};

    door.identity_count = 0;
    core_member(&door.mesh.core, KW_ROLE_PARTNER, &door.partner);
    core_member(&door.mesh.core, KW_ROLE_STATION, &door.station);
    core_invite(&door.mesh.core, KW_ROLE_PARTNER, invited, &door.invitation, &record);
    caller_add(KW_ROLE_PARTNER, &door.partner, "ca-partners.pem");
    caller_add(KW_ROLE_STATION, &door.station, "ca-stations.pem");
    caller_add(KW_ROLE_OPERATOR, &door.mesh.core.officer, "ca-operators.pem");
    caller_add(KW_ROLE_INVITATION, &door.invitation, "ca-partners.pem");
    services_add(KW_MESH_REGION, KW_MESH_CELL);
    services_add(KW_MESH_REGION, "b");
    roles_check();
}

void door_up(void)
{
    mesh_fixture_init(&door.mesh);
    mesh_fixture_outer(&door.mesh);
    identities_make();
}

void door_down(void)
{
    core_caller_done(&door.partner);
    core_caller_done(&door.station);
    core_caller_done(&door.invitation);
    mesh_fixture_done(&door.mesh);
}

/* --- dialling --- */

const char *door_service(enum kw_layer layer)
{
    return services[layer];
}

const struct identity *door_outer(enum kw_layer layer)
{
    for (size_t i = 0; i < door.identity_count; i++) {
        if (door.identities[i].layer == layer - 1) {
            return &door.identities[i];
        }
    }
    cr_fatal("nobody is outside of %s", services[layer]);
    return NULL;
}

int door_port(enum kw_layer layer)
{
    const int ports[DOOR_LAYERS] = {
        [KW_LAYER_GATEWAY] = door.mesh.gateway.port,
        [KW_LAYER_AUTHZ] = door.mesh.authz.port,
        [KW_LAYER_ORCHESTRATOR] = door.mesh.orchestrator.port,
        [KW_LAYER_CORE] = door.mesh.core.core.port,
    };

    return ports[layer];
}

struct kw_hop_client *door_dial(enum kw_layer layer, const struct identity *identity)
{
    char target[64];
    char peer[256];
    const char *const targets[] = {target, NULL};
    const struct kw_hop_client_options options = {.targets = targets,
                                                  .credentials_dir = identity->credentials,
                                                  .trust_domain = KW_MESH_TRUST_DOMAIN,
                                                  .peer = peer};
    struct kw_hop_client *client;

    snprintf(target, sizeof(target), "127.0.0.1:%d", door_port(layer));
    snprintf(peer, sizeof(peer),
             "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" KW_MESH_REGION "/cell/" KW_MESH_CELL
             "/svc/%s",
             door_service(layer));
    MUST(kw_hop_client_new(door.mesh.core.rpc, &options, &client, err));
    EVENTUALLY(&door.mesh.core,
               kw_hop_client_connected(client) || kw_hop_client_stats(client).failed_connects > 0);
    return client;
}

static void on_closed(void *context)
{
    *(bool *)context = true;
}

void door_hang_up(struct kw_hop_client *client)
{
    bool closed = false;

    kw_hop_client_close(client, on_closed, &closed);
    EVENTUALLY(&door.mesh.core, closed);
}
