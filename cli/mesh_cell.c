/* Order of starting and stopping, and restarts. A part that dies is started again, on the port that
 * is kept for it, so that its neighbours find it; one that keeps dying at once ends the mesh, and so
 * does one that ends by itself before its cell is ready. */
#include "cli/mesh_cell.h"

#include "cli/mesh_settings.h"
#include "common/base/clock.h"
#include "common/base/container.h"

#include <signal.h>
#include <stdio.h>

#define RESTART_MS       100U
#define BY_SIGNAL        128 /* and its number: a status of its own for a child that was killed */
#define QUICK_NS         2000000000ULL
#define QUICK_DEATHS_MAX 5U
#define STOP_GRACE_MS    15000U

static void part_start(struct kw_mesh_cell *cell, int part);

static void ready_note(const struct kw_mesh_slot *slot)
{
    const struct kw_child *child = &slot->child;
    struct kw_error error;

    if (child->announces && !kw_ok(kw_mesh_ready_file(slot->cell->options.place, slot->part,
                                                      child->port, child->metrics_port, &error))) {
        (void)fprintf(stderr, "keyward: %s\n", error.message);
    }
}

static void on_ready(void *context)
{
    struct kw_mesh_slot *slot = context;
    struct kw_mesh_cell *cell = slot->cell;

    ready_note(slot);
    if (slot->lost_ns != 0) {
        (void)fprintf(stderr, "keyward: %s is back after %llu ms\n", slot->label,
                      (unsigned long long)((kw_clock_mono_ns() - slot->lost_ns) / KW_NS_PER_MS));
        slot->lost_ns = 0;
    }
    if (slot->renewing) {
        slot->renewing = false;
        cell->options.events.renewed(cell, cell->options.events.context);
    }
    if ((int)slot->part + 1 == cell->next && cell->next < KW_MESH_PART_COUNT) {
        part_start(cell, cell->next++);
    } else if ((int)slot->part + 1 == KW_MESH_PART_COUNT && !cell->ready) {
        cell->ready = true;
        cell->options.events.ready(cell, cell->options.events.context);
    }
}

static void timer_closed(struct kw_timer *timer)
{
    struct kw_mesh_slot *slot = KW_CONTAINER_OF(timer, struct kw_mesh_slot, restart);
    struct kw_mesh_cell *cell = slot->cell;

    cell->timers_open--;
    if (cell->timers_open == 0) {
        cell->options.events.stopped(cell->options.events.context);
    }
}

static bool is_there(const struct kw_child *child)
{
    return child->state != KW_CHILD_IDLE && child->state != KW_CHILD_GONE;
}

static void all_gone(struct kw_mesh_cell *cell)
{
    if (!cell->stopping) {
        cell->pausing = false;
        cell->next = 0;
        cell->options.events.paused(cell, cell->options.events.context);
        return;
    }
    for (int part = 0; part < KW_MESH_PART_COUNT; part++) {
        kw_timer_close(&cell->slots[part].restart, timer_closed);
    }
}

/* The next part to go. From outside in, but for the core, which has the last word to its
 * orchestrator: the signed close of their chain. The replicator outlives its owners, so that others
 * hear that. */
static void stop_next(struct kw_mesh_cell *cell)
{
    static const enum kw_mesh_part order[KW_MESH_PART_COUNT] = {
        KW_MESH_GATEWAY,      KW_MESH_AUTHZ,      KW_MESH_CRYPTOCORE,
        KW_MESH_ORCHESTRATOR, KW_MESH_REPLICATOR, KW_MESH_REDIS};

    for (size_t i = 0; i < KW_MESH_PART_COUNT; i++) {
        struct kw_child *child = &cell->slots[order[i]].child;

        if (is_there(child)) {
            kw_child_stop(child, STOP_GRACE_MS);
            return;
        }
    }
    all_gone(cell);
}

static void on_restart(struct kw_timer *timer)
{
    struct kw_mesh_slot *slot = KW_CONTAINER_OF(timer, struct kw_mesh_slot, restart);

    part_start(slot->cell, (int)slot->part);
}

/* It could not live: not when somebody killed it after it had become ready. */
static bool died_at_once(const struct kw_child *child, int64_t status)
{
    return kw_clock_mono_ns() - child->started_ns < QUICK_NS &&
           (child->port == 0 || status != BY_SIGNAL + SIGKILL);
}

/* A failpoint is for the first life of a part: what comes after it is the recovery. */
static void prepare_another_life(struct kw_mesh_slot *slot)
{
    if (!slot->restarted) {
        slot->restarted = true;
        kw_child_env(&slot->child, "KEYWARD_FAILPOINTS=");
    }
}

static void part_restart(struct kw_mesh_slot *slot)
{
    slot->lost_ns = slot->lost_ns != 0 ? slot->lost_ns : kw_clock_mono_ns();
    prepare_another_life(slot);
    kw_timer_start(&slot->restart, RESTART_MS, 0);
}

static void on_gone(int64_t status, void *context)
{
    struct kw_mesh_slot *slot = context;
    struct kw_mesh_cell *cell = slot->cell;

    if (cell->stopping || cell->pausing) {
        stop_next(cell);
        return;
    }
    if (slot->renewing && slot->lost_ns == 0) { /* as it was told */
        part_restart(slot);
        return;
    }
    (void)fprintf(stderr, "keyward: %s ended with %lld; its log is %s\n", slot->label,
                  (long long)status, slot->child.log_path);
    slot->quick_deaths = died_at_once(&slot->child, status) ? slot->quick_deaths + 1 : 0;
    if (slot->quick_deaths >= QUICK_DEATHS_MAX ||
        (!cell->ready && (status < BY_SIGNAL || slot->child.late))) {
        cell->options.events.failed(cell->options.events.context);
        return;
    }
    part_restart(slot);
}

static void part_start(struct kw_mesh_cell *cell, int part)
{
    struct kw_mesh_slot *slot = &cell->slots[part];
    struct kw_error error;

    if (!kw_ok(kw_child_start(&slot->child, cell->loop, &error))) {
        (void)fprintf(stderr, "keyward: %s\n", error.message);
        if (!is_there(&slot->child)) { /* not even begun: nobody will tell that it is gone */
            cell->options.events.failed(cell->options.events.context);
        }
    }
}

static void redis_plan(struct kw_child *child, const struct kw_mesh_cell_options *options)
{
    char path[PATH_MAX];

    kw_child_arg(child, "/usr/bin/redis-server");
    kw_child_arg(child, "%s", kw_mesh_path(&options->place->dir, "config/redis.conf", path));
}

static void service_plan(struct kw_child *child, const struct kw_mesh_cell_options *options,
                         const char *name)
{
    child->announces = true;
    kw_child_arg(child, "%s/keyward-%s", options->bin_dir, name);
    kw_child_arg(child, "--config=%s/config/%s.yaml", options->place->dir.path, name);
}

/* "authz", or "r1/b/authz" where there are several. */
static void label_make(const struct kw_mesh_cell_options *options, const char *name,
                       char label[KW_MESH_LABEL_SIZE])
{
    if (options->alone) {
        (void)snprintf(label, KW_MESH_LABEL_SIZE, "%s", name);
    } else {
        (void)snprintf(label, KW_MESH_LABEL_SIZE, "%s/%s/%s", options->region->name,
                       options->place->name, name);
    }
}

static void slot_plan(struct kw_mesh_cell *cell, enum kw_mesh_part part)
{
    const struct kw_mesh_cell_options *options = &cell->options;
    const char *name = kw_mesh_part_name(part);
    struct kw_mesh_slot *slot = &cell->slots[part];
    struct kw_child *child = &slot->child;

    slot->cell = cell;
    slot->part = part;
    label_make(options, name, slot->label);
    child->name = slot->label;
    child->start_ms = options->start_ms;
    child->events = (struct kw_child_events){.ready = on_ready, .gone = on_gone, .context = slot};
    (void)snprintf(child->log_path, sizeof(child->log_path), "%s/logs/%s.log",
                   options->place->dir.path, name);
    if (part == KW_MESH_REDIS) {
        redis_plan(child, options);
    } else {
        service_plan(child, options, name);
    }
    if (part == KW_MESH_CRYPTOCORE) {
        kw_child_env(child, "SOFTHSM2_CONF=%s/softhsm2.conf", options->region->dir.path);
    }
}

void kw_mesh_cell_init(struct kw_mesh_cell *cell, struct kw_loop *loop,
                       const struct kw_mesh_cell_options *options)
{
    cell->loop = loop;
    cell->options = *options;
    for (int part = 0; part < KW_MESH_PART_COUNT; part++) {
        slot_plan(cell, (enum kw_mesh_part)part);
        kw_timer_init(&cell->slots[part].restart, loop, on_restart);
        cell->timers_open++;
    }
}

void kw_mesh_cell_start(struct kw_mesh_cell *cell)
{
    cell->next = 1;
    part_start(cell, 0);
}

static void begin_to_stop(struct kw_mesh_cell *cell)
{
    for (int part = 0; part < KW_MESH_PART_COUNT; part++) {
        kw_timer_stop(&cell->slots[part].restart);
    }
    stop_next(cell);
}

/* What ends from now on is not started again. */
static void prepare_to_pause(struct kw_mesh_cell *cell)
{
    cell->ready = false;
    cell->pausing = true;
    for (int part = 0; part < KW_MESH_PART_COUNT; part++) {
        prepare_another_life(&cell->slots[part]);
        cell->slots[part].lost_ns = 0;
    }
}

void kw_mesh_cell_pause(struct kw_mesh_cell *cell)
{
    prepare_to_pause(cell);
    begin_to_stop(cell);
}

bool kw_mesh_cell_renew(struct kw_mesh_cell *cell, enum kw_mesh_part part)
{
    struct kw_mesh_slot *slot = &cell->slots[part];

    if (cell->stopping || cell->pausing || !is_there(&slot->child)) {
        return false;
    }
    slot->renewing = true;
    kw_child_stop(&slot->child, STOP_GRACE_MS);
    return true;
}

void kw_mesh_cell_kill(struct kw_mesh_cell *cell)
{
    prepare_to_pause(cell);
    for (int part = 0; part < KW_MESH_PART_COUNT; part++) {
        kw_child_kill(&cell->slots[part].child);
    }
    begin_to_stop(cell); /* waits for the dead */
}

void kw_mesh_cell_stop(struct kw_mesh_cell *cell)
{
    if (cell->stopping) {
        return;
    }
    cell->stopping = true;
    begin_to_stop(cell);
}
