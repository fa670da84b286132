/* A mesh without its outside. */
#include "tests/support/mesh_fixture.h"

#include "cli/mesh_settings.h"
#include "common/rpc/arena_proto.h"

#include <stdio.h>

#define BIN KW_BINARY_DIR "/bin"

/* Starts keyward-`name` with its settings file; `target` is the port of its inner neighbour. */
static void start(struct mesh_fixture *mesh, struct service_process *service, const char *name,
                  int target)
{
    char program[PATH_MAX];
    char config[PATH_MAX + 16];
    char targets[64];
    char file[64];
    char path[PATH_MAX];
    char log[PATH_MAX];
    const char *argv[] = {program, config, targets, "--listen=127.0.0.1:0", NULL};

    snprintf(program, sizeof(program), BIN "/keyward-%s", name);
    snprintf(file, sizeof(file), "config/%s.yaml", name);
    snprintf(config, sizeof(config), "--config=%s", kw_mesh_path(&mesh->core.dir, file, path));
    snprintf(targets, sizeof(targets), "--targets=127.0.0.1:%d", target);
    snprintf(file, sizeof(file), "logs/%s.log", name);
    service_start(service, argv, kw_mesh_path(&mesh->core.dir, file, log));
}

void mesh_orchestrator_start(struct mesh_fixture *mesh)
{
    char target[64];
    char credentials[PATH_MAX];
    const char *const targets[] = {target, NULL};
    const struct kw_hop_client_options options = {
        .targets = targets,
        .credentials_dir =
            kw_mesh_path(&mesh->core.dir, "region/credentials/" KW_MESH_CELL "/authz", credentials),
        .trust_domain = KW_MESH_TRUST_DOMAIN,
        .peer = MESH_SERVICE_ID("orchestrator"),
    };

    start(mesh, &mesh->orchestrator, "orchestrator", mesh->core.core.port);
    snprintf(target, sizeof(target), "127.0.0.1:%d", mesh->orchestrator.port);
    MUST(kw_hop_client_new(mesh->core.rpc, &options, &mesh->as_authz, err));
    EVENTUALLY(&mesh->core, kw_hop_client_connected(mesh->as_authz));
}

static void on_closed(void *context)
{
    *(bool *)context = true;
}

static void leave(struct mesh_fixture *mesh)
{
    bool closed = false;

    kw_hop_client_close(mesh->as_authz, on_closed, &closed);
    EVENTUALLY(&mesh->core, closed);
}

void mesh_orchestrator_stop(struct mesh_fixture *mesh)
{
    leave(mesh);
    service_stop(&mesh->orchestrator);
}

void mesh_orchestrator_kill(struct mesh_fixture *mesh)
{
    service_kill(&mesh->orchestrator);
    leave(mesh);
}

void mesh_fixture_init(struct mesh_fixture *mesh)
{
    const struct kw_mesh_region *region = &mesh->core.layout.regions[0];

    *mesh = (struct mesh_fixture){0};
    core_fixture_init(&mesh->core);
    MUST(kw_mesh_cell_files(&mesh->core.layout, region, &region->cells[0], BIN, err));
    mesh_orchestrator_start(mesh);
}

void mesh_fixture_outer(struct mesh_fixture *mesh)
{
    start(mesh, &mesh->authz, "authz", mesh->orchestrator.port);
    start(mesh, &mesh->gateway, "gateway", mesh->authz.port);
}

void mesh_fixture_done(struct mesh_fixture *mesh)
{
    service_stop(&mesh->gateway);
    service_stop(&mesh->authz);
    mesh_orchestrator_stop(mesh);
    core_fixture_done(&mesh->core);
}

/* --- asking --- */

static void on_data(struct kw_hop_call *hop, struct kw_hop_item item, void *user)
{
    struct mesh_call *call = user;
    ProtobufCMessage *answer;

    if (call->take != NULL) {
        MUST(kw_arena_unpack(call->mesh->core.arena, call->type, item.data, &answer, err));
        call->take(answer, call->context);
    }
    kw_hop_consume(hop, item.data.len);
}

static void on_status(struct kw_hop_call *hop, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct mesh_call *call = user;

    (void)hop;
    (void)context;
    call->reason = status->reason;
    call->over = true;
}

void mesh_ask_start(struct mesh_fixture *mesh, struct core_ask *ask, struct mesh_call *call)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    struct kw_hop_open open = {.method = (uint32_t)ask->method->id,
                               .deadline_ns = kw_clock_mono_ns() + PATIENCE_NS,
                               .item = {.data = ask->body_bytes},
                               .has_item = true,
                               .end = true};
    struct kw_hop_call *hop;
    struct kw_result opened;

    call->mesh = mesh;
    call->over = false;
    core_ask_authorize(&mesh->core, ask);
    MUST(kw_arena_pack(mesh->core.arena, &ask->authorization.base, &open.item.context, err));
    opened = kw_hop_open(mesh->as_authz, &open, &events, call, &hop, NULL);
    if (!kw_ok(opened)) {
        call->reason = opened.reason;
        call->over = true;
    }
}

enum kw_reason mesh_ask(struct mesh_fixture *mesh, struct core_ask *ask, struct mesh_call *call)
{
    mesh_ask_start(mesh, ask, call);
    EVENTUALLY(&mesh->core, call->over);
    return call->reason;
}
