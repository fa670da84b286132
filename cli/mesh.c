/* Order of starting and stopping, and restarts. A part that dies is started again on the port it
 * had, so that its neighbours find it; one that keeps dying at once ends the mesh. */
#include "cli/mesh.h"

#include "common/base/clock.h"
#include "common/base/container.h"

#include <stdio.h>
#include <stdlib.h>

#define RESTART_MS       200U
#define QUICK_NS         2000000000ULL
#define QUICK_DEATHS_MAX 5U
#define STOP_GRACE_MS    15000U

static const char *const names[KW_MESH_PART_COUNT] = {"redis", "cryptocore", "orchestrator",
                                                      "authz", "gateway"};

int kw_mesh_port(const struct kw_mesh *mesh, enum kw_mesh_part part)
{
    return mesh->slots[part].child.port;
}

static void part_start(struct kw_mesh *mesh, int part);

static void on_ready(void *context)
{
    struct kw_mesh_slot *slot = context;
    struct kw_mesh *mesh = slot->mesh;

    if (slot->child.announces && !slot->placed) {
        slot->placed = true;
        kw_child_env(&slot->child, "KEYWARD_LISTEN=127.0.0.1:%d", slot->child.port);
        kw_child_env(&slot->child, "KEYWARD_METRICS_LISTEN=127.0.0.1:%d", slot->child.metrics_port);
    }
    if ((int)slot->part + 1 == mesh->next && mesh->next < KW_MESH_PART_COUNT) {
        part_start(mesh, mesh->next++);
    } else if (slot->part == KW_MESH_GATEWAY && !mesh->ready) {
        mesh->ready = true;
        mesh->events.ready(mesh, mesh->events.context);
    }
}

static void timer_closed(struct kw_timer *timer)
{
    struct kw_mesh_slot *slot = KW_CONTAINER_OF(timer, struct kw_mesh_slot, restart);
    struct kw_mesh *mesh = slot->mesh;

    mesh->timers_open--;
    if (mesh->timers_open == 0) {
        mesh->events.stopped(mesh->exit_code, mesh->events.context);
    }
}

/* The next part to go; when none is left the mesh has stopped. From outside in, but for the core,
 * which has the last word to its orchestrator: the signed close of their chain. */
static void stop_next(struct kw_mesh *mesh)
{
    static const enum kw_mesh_part order[KW_MESH_PART_COUNT] = {
        KW_MESH_GATEWAY, KW_MESH_AUTHZ, KW_MESH_CRYPTOCORE, KW_MESH_ORCHESTRATOR, KW_MESH_REDIS};

    for (size_t i = 0; i < KW_MESH_PART_COUNT; i++) {
        struct kw_child *child = &mesh->slots[order[i]].child;

        if (child->state != KW_CHILD_IDLE && child->state != KW_CHILD_GONE) {
            kw_child_stop(child, STOP_GRACE_MS);
            return;
        }
    }
    for (int part = 0; part < KW_MESH_PART_COUNT; part++) {
        kw_timer_close(&mesh->slots[part].restart, timer_closed);
    }
}

static void on_restart(struct kw_timer *timer)
{
    struct kw_mesh_slot *slot = KW_CONTAINER_OF(timer, struct kw_mesh_slot, restart);

    part_start(slot->mesh, (int)slot->part);
}

static void on_gone(int64_t status, void *context)
{
    struct kw_mesh_slot *slot = context;
    struct kw_mesh *mesh = slot->mesh;
    bool quick = kw_clock_mono_ns() - slot->child.started_ns < QUICK_NS;

    if (mesh->stopping) {
        stop_next(mesh);
        return;
    }
    (void)fprintf(stderr, "keyward: %s ended with %lld; its log is %s\n", names[slot->part],
                  (long long)status, slot->child.log_path);
    slot->quick_deaths = quick ? slot->quick_deaths + 1 : 0;
    if (slot->quick_deaths >= QUICK_DEATHS_MAX || !mesh->ready) {
        kw_mesh_stop(mesh, EXIT_FAILURE);
        return;
    }
    kw_timer_start(&slot->restart, RESTART_MS, 0);
}

static void part_start(struct kw_mesh *mesh, int part)
{
    struct kw_mesh_slot *slot = &mesh->slots[part];
    struct kw_error error;

    if (part > KW_MESH_CRYPTOCORE && slot->child.env_count == 0) {
        kw_child_env(&slot->child, "KEYWARD_TARGETS=127.0.0.1:%d",
                     mesh->slots[part - 1].child.port);
    }
    if (!kw_ok(kw_child_start(&slot->child, mesh->loop, &error))) {
        (void)fprintf(stderr, "keyward: %s\n", error.message);
    }
}

static void redis_plan(struct kw_child *child, const struct kw_mesh_dir *dir)
{
    char path[PATH_MAX];

    kw_child_arg(child, "/usr/bin/redis-server");
    kw_child_arg(child, "%s", kw_mesh_path(dir, "config/redis.conf", path));
}

static void service_plan(struct kw_child *child, const struct kw_mesh_dir *dir, const char *bin_dir)
{
    child->announces = true;
    kw_child_arg(child, "%s/keyward-%s", bin_dir, child->name);
    kw_child_arg(child, "--config=%s/config/%s.yaml", dir->path, child->name);
}

static void slot_plan(struct kw_mesh *mesh, enum kw_mesh_part part, const char *bin_dir)
{
    struct kw_mesh_slot *slot = &mesh->slots[part];
    struct kw_child *child = &slot->child;

    slot->mesh = mesh;
    slot->part = part;
    child->name = names[part];
    child->events = (struct kw_child_events){.ready = on_ready, .gone = on_gone, .context = slot};
    (void)snprintf(child->log_path, sizeof(child->log_path), "%s/logs/%s.log", mesh->dir->path,
                   child->name);
    kw_timer_init(&slot->restart, mesh->loop, on_restart);
    mesh->timers_open++;
    if (part == KW_MESH_REDIS) {
        redis_plan(child, mesh->dir);
    } else {
        service_plan(child, mesh->dir, bin_dir);
    }
    if (part == KW_MESH_CRYPTOCORE) {
        kw_child_env(child, "SOFTHSM2_CONF=%s/softhsm2.conf", mesh->dir->path);
    }
}

struct kw_result kw_mesh_start(struct kw_mesh *mesh, struct kw_loop *loop,
                               const struct kw_mesh_dir *dir, const char *bin_dir,
                               const struct kw_mesh_events *events, struct kw_error *err)
{
    *mesh = (struct kw_mesh){.loop = loop, .dir = dir, .events = *events, .next = 1};
    for (int part = 0; part < KW_MESH_PART_COUNT; part++) {
        slot_plan(mesh, (enum kw_mesh_part)part, bin_dir);
    }
    return kw_child_start(&mesh->slots[KW_MESH_REDIS].child, loop, err);
}

void kw_mesh_stop(struct kw_mesh *mesh, int exit_code)
{
    if (mesh->stopping) {
        return;
    }
    mesh->stopping = true;
    mesh->exit_code = exit_code;
    for (int part = 0; part < KW_MESH_PART_COUNT; part++) {
        kw_timer_stop(&mesh->slots[part].restart);
    }
    stop_next(mesh);
}
