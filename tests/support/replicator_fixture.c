/* Building cells, and playing a peer. */
#include "tests/support/replicator_fixture.h"

#include "common/base/metrics.h"
#include "common/rpc/methods.h"
#include "services/replicator/pieces.h"
#include "tests/support/leaks.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    TURN_MS = 5
};

static const char *const services[] = {"replicator", "authz", "orchestrator"};

#define MESH_HEX "6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d6d"
static const struct kw_id mesh_id = {"mmmmmmmmmmmmmmmm"};

/* --- the loop --- */

static void on_turn(struct kw_timer *timer)
{
    (void)timer; /* only wakes the loop so that a condition is looked at */
}

void rep_turn(struct rep_mesh *mesh)
{
    (void)uv_run(kw_loop_uv(mesh->loop), UV_RUN_ONCE);
}

static void turn(void *context)
{
    rep_turn(context);
}

/* --- cells --- */

static void make_credentials(struct rep_cell *cell)
{
    for (size_t i = 0; i < 3; i++) {
        char id[REP_TEXT];
        const char *const ids[] = {id, NULL};

        (void)snprintf(id, sizeof(id), "spiffe://test/region/%s/cell/%s/svc/%s", cell->place.region,
                       cell->place.cell, services[i]);
        (void)snprintf(cell->credentials[i], REP_TEXT, "%s/%s-%s-%s", cell->mesh->dir,
                       cell->place.region, cell->place.cell, services[i]);
        test_credentials(cell->credentials[i], &cell->mesh->ca, &cell->mesh->ca, ids);
        if (i == 0) {
            memcpy(cell->spiffe_id, id, sizeof(id));
        }
    }
}

static void make_owner(struct rep_cell *cell, enum kw_owner kind)
{
    struct test_owner *owner = &cell->owners[kind];

    owner->loop = cell->mesh->loop;
    owner->kind = kind;
    owner->mesh = mesh_id;
    owner->store = (struct kw_id){{'s', (uint8_t)(cell->index + 1), (uint8_t)(kind + 1)}};
    owner->place = cell->place;
    owner->credentials_dir = cell->credentials[1 + (size_t)kind];
    owner->replicator = cell->spiffe_id;
    owner_start(owner);
}

static void add_cell(struct rep_mesh *mesh, const char *name)
{
    struct rep_cell *cell = &mesh->cells[mesh->count];

    REQUIRE(mesh->count < REP_CELLS_MAX, "cells");
    cell->mesh = mesh;
    cell->index = mesh->count++;
    REQUIRE(sscanf(name, "%32[^/]/%32s", cell->place.region, cell->place.cell) == 2, "%s", name);
    make_credentials(cell);
    make_owner(cell, KW_OWNER_AUTHZ);
    make_owner(cell, KW_OWNER_ORCHESTRATOR);
}

void rep_init(struct rep_mesh *mesh, const char *cells)
{
    char names[REP_TEXT], *rest = names;
    struct kw_id boot_id;

    memset(mesh, 0, sizeof(*mesh));
    (void)snprintf(mesh->dir, sizeof(mesh->dir), "/tmp/kw-rep-XXXXXX");
    REQUIRE(mkdtemp(mesh->dir) != NULL, "a folder");
    test_ca_init(&mesh->ca, "services");
    MUST(kw_id_random(&boot_id, err));
    MUST(kw_loop_new(&mesh->loop, err));
    MUST(kw_rpc_new(mesh->loop, boot_id, &mesh->rpc, err));
    kw_timer_init(&mesh->turn, mesh->loop, on_turn);
    kw_timer_start(&mesh->turn, TURN_MS, TURN_MS);
    (void)snprintf(names, sizeof(names), "%s", cells);
    for (char *name = strsep(&rest, " "); name != NULL; name = strsep(&rest, " ")) {
        add_cell(mesh, name);
    }
}

static void rpc_closed(void *context)
{
    struct rep_mesh *mesh = context;

    mesh->rpc_closed = true;
}

static void cell_done(struct rep_cell *cell)
{
    if (cell->service != NULL) {
        rep_stop(cell);
    }
    for (size_t i = 0; i < KW_OWNER_COUNT_; i++) {
        if (cell->owners[i].server != NULL) {
            rep_owner_stop(&cell->owners[i], cell->mesh);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        test_credentials_remove(cell->credentials[i]);
    }
}

void rep_done(struct rep_mesh *mesh)
{
    for (size_t i = 0; i < mesh->count; i++) {
        cell_done(&mesh->cells[i]);
    }
    kw_rpc_close(mesh->rpc, rpc_closed, mesh);
    REP_EVENTUALLY(mesh, mesh->rpc_closed);
    kw_timer_close(&mesh->turn, NULL);
    kw_loop_stop(mesh->loop);
    kw_loop_run(mesh->loop);
    kw_loop_free(mesh->loop);
    kw_rpc_free(mesh->rpc);
    test_ca_done(&mesh->ca);
    (void)rmdir(mesh->dir);
    test_no_leaks();
}

void rep_owner_stop(struct test_owner *owner, struct rep_mesh *mesh)
{
    owner_stop(owner, turn, mesh);
}

/* --- replicators --- */

static void on_ready(void *context)
{
    struct rep_cell *cell = context;

    cell->ready++;
}

static void on_failed(const struct kw_error *error, void *context)
{
    struct rep_cell *cell = context;

    cell->failed = true;
    cell->failure = *error;
}

static void on_drained(void *context)
{
    struct rep_cell *cell = context;

    cell->drained = true;
}

static void on_stopped(void *context)
{
    struct rep_cell *cell = context;

    cell->stopped = true;
}

/* Cells that call this one don't listen for it, so any address does. */
static void list_cells(struct rep_cell *cell)
{
    struct rep_mesh *mesh = cell->mesh;

    for (size_t i = 0; i < mesh->count; i++) {
        const struct rep_cell *other = &mesh->cells[i];
        int port = other->seen_port != 0 ? other->seen_port : other->port;

        (void)snprintf(cell->texts[i], REP_TEXT, "%s/%s=127.0.0.1:%d", other->place.region,
                       other->place.cell, port != 0 ? port : 1);
        cell->list[i] = cell->texts[i];
    }
    cell->config.cells = (struct kw_strings){cell->list, mesh->count};
}

static void configure(struct rep_cell *cell)
{
    (void)snprintf(cell->addresses[0], REP_TEXT, "127.0.0.1:%d", cell->port);
    (void)snprintf(cell->addresses[1], REP_TEXT, "127.0.0.1:%d", cell->owners[0].port);
    (void)snprintf(cell->addresses[2], REP_TEXT, "127.0.0.1:%d", cell->owners[1].port);
    cell->config.region = cell->place.region;
    cell->config.cell = cell->place.cell;
    cell->config.listen = cell->addresses[0];
    cell->config.authz = cell->addresses[1];
    cell->config.orchestrator = cell->addresses[2];
    cell->config.credentials_dir = cell->credentials[0];
    list_cells(cell);
}

struct kw_result rep_begin(struct rep_cell *cell, struct kw_error *err)
{
    static char mesh[] = MESH_HEX, domain[] = "test";
    const struct kw_replicator_events events = {.ready = on_ready,
                                                .failed = on_failed,
                                                .drained = on_drained,
                                                .stopped = on_stopped,
                                                .context = cell};

    configure(cell);
    cell->config.mesh = cell->config.mesh != NULL ? cell->config.mesh : mesh;
    cell->config.trust_domain = domain;
    cell->ready = 0;
    cell->drained = cell->stopped = cell->failed = false;
    KW_TRY(
        kw_replicator_service_new(cell->mesh->loop, &cell->config, &events, &cell->service, err));
    cell->port = kw_replicator_service_port(cell->service);
    return KW_OK;
}

void rep_start(struct rep_cell *cell)
{
    MUST(rep_begin(cell, err));
    REP_EVENTUALLY(cell->mesh, cell->ready > 0);
}

/* The last by name first: it calls nobody, and the others have to know where it listens. */
void rep_start_all(struct rep_mesh *mesh)
{
    for (size_t i = mesh->count; i > 0; i--) {
        rep_start(&mesh->cells[i - 1]);
    }
    for (size_t i = 0; i < mesh->count; i++) {
        for (size_t j = i + 1; j < mesh->count; j++) {
            if (kw_place_linked(&mesh->cells[i].place, &mesh->cells[j].place)) {
                REP_EVENTUALLY(mesh, rep_linked(&mesh->cells[i], &mesh->cells[j]));
            }
        }
    }
}

void rep_stop(struct rep_cell *cell)
{
    kw_replicator_service_stop(cell->service);
    REP_EVENTUALLY(cell->mesh, cell->stopped);
    rep_turn(cell->mesh); /* its last handles */
    kw_replicator_service_free(cell->service);
    cell->service = NULL;
}

void rep_drain(struct rep_cell *cell)
{
    kw_replicator_service_drain(cell->service);
    REP_EVENTUALLY(cell->mesh, cell->drained);
    rep_stop(cell);
}

bool rep_linked(const struct rep_cell *cell, const struct rep_cell *peer)
{
    return cell->service != NULL && peer->service != NULL &&
           kw_replicator_service_linked(cell->service, &peer->place) &&
           kw_replicator_service_linked(peer->service, &cell->place);
}

int64_t rep_cuts(const char *reason)
{
    return kw_metric_value(KW_M_LINK_CUTS, reason);
}

/* --- a peer that the test plays --- */

static void take_frame(struct rep_peer *peer)
{
    struct kw_arena *arena = kw_arena_new(KW_LINK_FRAME_MEMORY_MAX);
    struct kw_frame frame;

    MUST(kw_frame_decode(kw_buf_bytes(&peer->coming), arena, &frame, &peer->hello, err));
    peer->frames[frame.type]++;
    kw_buf_clear(&peer->coming);
    kw_arena_free(arena);
}

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct rep_peer *peer = user;

    peer->items++;
    peer->bytes += item.data.len;
    if (peer->deaf) {
        return;
    }
    kw_hop_consume(call, item.data.len);
    MUST(kw_buf_append(&peer->coming, KW_BYTES(item.data.data + 1, item.data.len - 1), err));
    if (item.data.data[0] == 0) {
        take_frame(peer);
    }
}

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct rep_peer *peer = user;

    (void)call;
    (void)context;
    peer->call = NULL;
    peer->reason = status->reason;
    (void)snprintf(peer->why, sizeof(peer->why), "%s", status->description);
}

void rep_peer_connect(struct rep_peer *peer, struct rep_mesh *mesh, const struct rep_cell *to,
                      const char *dir)
{
    char target[32];
    const char *const targets[] = {target, NULL};
    const struct kw_hop_client_options options = {
        .targets = targets, .credentials_dir = dir, .trust_domain = "test", .peer = to->spiffe_id};

    *peer = (struct rep_peer){.mesh = mesh};
    (void)snprintf(target, sizeof(target), "127.0.0.1:%d", to->port);
    MUST(kw_hop_client_new(mesh->rpc, &options, &peer->client, err));
}

void rep_peer_call(struct rep_peer *peer, uint32_t method)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    const struct kw_hop_open open = {.method = method, .deadline_ns = UINT64_MAX};

    REP_EVENTUALLY(peer->mesh, kw_hop_client_connected(peer->client));
    MUST(kw_hop_open(peer->client, &open, &events, peer, &peer->call, err));
}

bool rep_peer_item(struct rep_peer *peer, struct kw_bytes item)
{
    return kw_hop_send(peer->call, (struct kw_hop_item){.data = item});
}

bool rep_peer_say(struct rep_peer *peer, const struct kw_frame *frame,
                  const struct kw_link_hello *hello)
{
    struct kw_arena *arena = kw_arena_new(KW_LINK_FRAME_MEMORY_MAX);
    struct kw_buf items = {0};
    struct kw_bytes bytes;
    bool said = true;

    MUST(kw_frame_encode(frame, hello, arena, &bytes, err));
    MUST(kw_pieces_cut(bytes, &items, err));
    for (size_t at = 0; at < items.len && said; at += KW_BODY_LEN_MAX) {
        said = rep_peer_item(peer, kw_pieces_item(&items, at));
    }
    kw_buf_done(&items);
    kw_arena_free(arena);
    return said;
}

void rep_peer_greet(struct rep_peer *peer, const struct rep_cell *as)
{
    const struct kw_link_hello hello = {
        .place = as->place, .version = KW_LINK_VERSION, .version_lowest = KW_LINK_VERSION_LOWEST};
    const struct kw_frame greeting = {.type = KW_FRAME_HELLO,
                                      .mesh = mesh_id,
                                      .stores = {as->owners[0].store, as->owners[1].store}};
    const struct kw_frame reach = {.type = KW_FRAME_REACH};

    rep_peer_call(peer, KW_METHOD_LINK);
    REQUIRE(rep_peer_say(peer, &greeting, &hello) && rep_peer_say(peer, &reach, NULL),
            "a greeting");
}

static void client_closed(void *context)
{
    struct rep_peer *peer = context;

    peer->client = NULL;
}

void rep_peer_close(struct rep_peer *peer)
{
    kw_hop_client_close(peer->client, client_closed, peer);
    REP_EVENTUALLY(peer->mesh, peer->client == NULL);
    kw_buf_done(&peer->coming);
}
