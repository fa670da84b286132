/* Order of starting and stopping, and restarts. A part that dies is started again on the port it
 * had, so that its neighbours find it; one that keeps dying at once ends the mesh, and so does one
 * that ends by itself before the mesh is ready. */
#include "cli/mesh.h"

#include "common/base/clock.h"
#include "common/base/container.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define RESTART_MS       100U
#define NS_PER_MS        1000000U
#define BY_SIGNAL        128 /* and its number: a status of its own for a child that was killed */
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

/* From now on it is found where it is now. */
static void place(struct kw_mesh_slot *slot)
{
    struct kw_child *child = &slot->child;
    struct kw_error error;

    slot->placed = true;
    kw_child_env(child, "KEYWARD_LISTEN=127.0.0.1:%d", child->port);
    kw_child_env(child, "KEYWARD_METRICS_LISTEN=127.0.0.1:%d", child->metrics_port);
    if (!kw_ok(kw_mesh_ready_file(slot->mesh->options.dir, child->name, child->port,
                                  child->metrics_port, &error))) {
        (void)fprintf(stderr, "keyward: %s\n", error.message);
    }
}

static void on_ready(void *context)
{
    struct kw_mesh_slot *slot = context;
    struct kw_mesh *mesh = slot->mesh;

    if (slot->child.announces && !slot->placed) {
        place(slot);
    }
    if (slot->lost_ns != 0) {
        (void)fprintf(stderr, "keyward: %s is back after %llu ms\n", names[slot->part],
                      (unsigned long long)((kw_clock_mono_ns() - slot->lost_ns) / NS_PER_MS));
        slot->lost_ns = 0;
    }
    if ((int)slot->part + 1 == mesh->next && mesh->next < KW_MESH_PART_COUNT) {
        part_start(mesh, mesh->next++);
    } else if (slot->part == KW_MESH_GATEWAY && !mesh->ready) {
        mesh->ready = true;
        mesh->options.events.ready(mesh, mesh->options.events.context);
    }
}

static void timer_closed(struct kw_timer *timer)
{
    struct kw_mesh_slot *slot = KW_CONTAINER_OF(timer, struct kw_mesh_slot, restart);
    struct kw_mesh *mesh = slot->mesh;

    mesh->timers_open--;
    if (mesh->timers_open == 0) {
        mesh->options.events.stopped(mesh->exit_code, mesh->options.events.context);
    }
}

static bool is_there(const struct kw_child *child)
{
    return child->state != KW_CHILD_IDLE && child->state != KW_CHILD_GONE;
}

/* The next part to go; when none is left the mesh has stopped. From outside in, but for the core,
 * which has the last word to its orchestrator: the signed close of their chain. */
static void stop_next(struct kw_mesh *mesh)
{
    static const enum kw_mesh_part order[KW_MESH_PART_COUNT] = {
        KW_MESH_GATEWAY, KW_MESH_AUTHZ, KW_MESH_CRYPTOCORE, KW_MESH_ORCHESTRATOR, KW_MESH_REDIS};

    for (size_t i = 0; i < KW_MESH_PART_COUNT; i++) {
        struct kw_child *child = &mesh->slots[order[i]].child;

        if (is_there(child)) {
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

/* It could not live: not when somebody killed it after it had become ready. */
static bool died_at_once(const struct kw_child *child, int64_t status)
{
    return kw_clock_mono_ns() - child->started_ns < QUICK_NS &&
           (child->port == 0 || status != BY_SIGNAL + SIGKILL);
}

/* A failpoint is for the first life of a part: what comes after it is the recovery. */
static void prepare_restart(struct kw_mesh_slot *slot)
{
    if (!slot->restarted) {
        slot->restarted = true;
        kw_child_env(&slot->child, "KEYWARD_FAILPOINTS=");
    }
    kw_timer_start(&slot->restart, RESTART_MS, 0);
}

static void on_gone(int64_t status, void *context)
{
    struct kw_mesh_slot *slot = context;
    struct kw_mesh *mesh = slot->mesh;

    if (mesh->stopping) {
        stop_next(mesh);
        return;
    }
    (void)fprintf(stderr, "keyward: %s ended with %lld; its log is %s\n", names[slot->part],
                  (long long)status, slot->child.log_path);
    slot->lost_ns = slot->lost_ns != 0 ? slot->lost_ns : kw_clock_mono_ns();
    slot->quick_deaths = died_at_once(&slot->child, status) ? slot->quick_deaths + 1 : 0;
    if (slot->quick_deaths >= QUICK_DEATHS_MAX ||
        (!mesh->ready && (status < BY_SIGNAL || slot->child.late))) {
        kw_mesh_stop(mesh, EXIT_FAILURE);
        return;
    }
    prepare_restart(slot);
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
        if (!is_there(&slot->child)) {
            kw_mesh_stop(mesh, EXIT_FAILURE); /* not even begun: nobody will tell that it is gone */
        }
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

static void slot_plan(struct kw_mesh *mesh, enum kw_mesh_part part)
{
    const struct kw_mesh_dir *dir = mesh->options.dir;
    struct kw_mesh_slot *slot = &mesh->slots[part];
    struct kw_child *child = &slot->child;

    slot->mesh = mesh;
    slot->part = part;
    child->name = names[part];
    child->start_ms = mesh->options.start_ms;
    child->events = (struct kw_child_events){.ready = on_ready, .gone = on_gone, .context = slot};
    (void)snprintf(child->log_path, sizeof(child->log_path), "%s/logs/%s.log", dir->path,
                   child->name);
    kw_timer_init(&slot->restart, mesh->loop, on_restart);
    mesh->timers_open++;
    if (part == KW_MESH_REDIS) {
        redis_plan(child, dir);
    } else {
        service_plan(child, dir, mesh->options.bin_dir);
    }
    if (part == KW_MESH_CRYPTOCORE) {
        kw_child_env(child, "SOFTHSM2_CONF=%s/softhsm2.conf", dir->path);
    }
}

struct kw_result kw_mesh_start(struct kw_mesh *mesh, struct kw_loop *loop,
                               const struct kw_mesh_options *options, struct kw_error *err)
{
    *mesh = (struct kw_mesh){.loop = loop, .options = *options, .next = 1};
    for (int part = 0; part < KW_MESH_PART_COUNT; part++) {
        slot_plan(mesh, (enum kw_mesh_part)part);
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
