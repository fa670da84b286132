/* Makes the mesh's directory, runs the ceremonies, starts the mesh, prints the banner, and waits for
 * a signal. */
#include "cli/up.h"

#include "cli/ceremony.h"
#include "cli/mesh_control.h"
#include "cli/mesh_ports.h"
#include "cli/mesh_settings.h"
#include "cli/up_banner.h"
#include "common/base/log.h"
#include "common/loop/process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define STOP_MS  60000U
#define START_MS 30000U

struct up {
    struct kw_mesh_layout layout;
    char bin_dir[PATH_MAX]; /* of this program and its services */
    struct kw_loop *loop;
    struct kw_process *process;
    struct kw_mesh mesh;
    struct kw_mesh_control control;
    bool keep; /* leave the directory behind */
    int exit_code;
};

/* Settings of each cell's services, and of who calls them; from region number `first` on. */
static struct kw_result cells_prepare(const struct up *up, size_t first, struct kw_error *err)
{
    const struct kw_mesh_layout *layout = &up->layout;

    for (size_t i = first; i < layout->region_count; i++) {
        const struct kw_mesh_region *region = &layout->regions[i];

        for (size_t j = 0; j < layout->cell_count; j++) {
            KW_TRY(kw_mesh_cell_files(layout, region, &region->cells[j], up->bin_dir, err));
            KW_TRY(kw_mesh_cli_file(layout, region, &region->cells[j], err));
        }
    }
    return KW_OK;
}

/* --- a region that comes later --- */

static struct kw_result replicators_prepare(const struct up *up, struct kw_error *err)
{
    const struct kw_mesh_layout *layout = &up->layout;

    for (size_t i = 0; i + 1 < layout->region_count; i++) {
        const struct kw_mesh_region *region = &layout->regions[i];

        for (size_t j = 0; j < layout->cell_count; j++) {
            KW_TRY(kw_mesh_replicator_file(layout, region, &region->cells[j], up->bin_dir, err));
        }
    }
    return KW_OK;
}

/* Blocks for as long as the ceremony takes: nothing that ends meanwhile is started again before. */
static struct kw_result region_prepare(struct up *up, struct kw_error *err)
{
    size_t region = up->layout.region_count - 1;

    KW_TRY(kw_mesh_region_ports_reserve(&up->layout, region, err));
    KW_TRY(kw_mesh_region_ceremony(&up->layout, up->bin_dir, err));
    KW_TRY(cells_prepare(up, region, err));
    return replicators_prepare(up, err);
}

static struct kw_result region_add(const char *name, void *context, struct kw_error *err)
{
    struct up *up = context;
    struct kw_result prepared;

    KW_TRY(kw_mesh_layout_grow(&up->layout, name, err));
    prepared = region_prepare(up, err);
    if (!kw_ok(prepared)) {
        up->layout.region_count--; /* its directory stays, for who looks for the cause */
        return prepared;
    }
    kw_mesh_grow(&up->mesh);
    return KW_OK;
}

static void on_grown(void *context)
{
    struct up *up = context;

    kw_mesh_control_grown(&up->control);
}

/* --- the mesh's life --- */

static void on_ready(void *context)
{
    struct up *up = context;
    const struct kw_mesh_control_options control = {.mesh = &up->mesh,
                                                    .loop = up->loop,
                                                    .dir = &up->layout.dir,
                                                    .region_add = region_add,
                                                    .context = up};
    struct kw_error error;

    if (!kw_ok(kw_mesh_control_open(&up->control, &control, &error))) {
        (void)fprintf(stderr, "keyward: %s\n", error.message);
        kw_mesh_stop(&up->mesh, EXIT_FAILURE);
        return;
    }
    kw_up_banner(&up->layout, up->bin_dir);
}

static void on_turned(struct kw_mesh_cell *cell, void *context)
{
    struct up *up = context;

    kw_mesh_control_turned(&up->control, cell);
}

static void on_stopped(int exit_code, void *context)
{
    struct up *up = context;

    kw_mesh_control_close(&up->control);
    up->exit_code = exit_code;
    if (!kw_process_draining(up->process)) {
        kw_process_fail(up->process, exit_code);
    }
    kw_process_drained(up->process);
}

static void on_drain(void *context)
{
    struct up *up = context;

    kw_mesh_stop(&up->mesh, up->exit_code);
}

static void on_stop(void *context)
{
    struct up *up = context;

    kw_loop_stop(up->loop);
}

static struct kw_result layout_make(struct up *up, const struct kw_up_options *options,
                                    struct kw_error *err)
{
    struct kw_mesh_dir dir;
    size_t regions;
    size_t cells;

    KW_TRY(kw_mesh_size_read(options->regions, options->cells, &regions, &cells, err));
    KW_TRY(kw_mesh_dir_make(options->dir, &dir, err));
    KW_TRY(kw_mesh_layout_init(&dir, regions, cells, &up->layout, err));
    KW_TRY(kw_mesh_layout_make(&up->layout, err));
    return kw_mesh_ports_reserve(&up->layout, err);
}

static struct kw_result run(struct up *up, const struct kw_up_options *options,
                            struct kw_error *err)
{
    const struct kw_process_hooks hooks = {
        .drain = on_drain, .stop = on_stop, .context = up, .grace_ms = STOP_MS};
    struct kw_mesh_options mesh = {
        .layout = &up->layout,
        .bin_dir = up->bin_dir,
        .events = {.ready = on_ready,
                   .grown = on_grown,
                   .turned = on_turned,
                   .stopped = on_stopped,
                   .context = up},
    };

    KW_TRY(kw_mesh_number_read("--start-ms", options->start_ms, START_MS, &mesh.start_ms, err));
    KW_TRY(kw_mesh_bin_dir(up->bin_dir, err));
    KW_TRY(layout_make(up, options, err));
    KW_TRY(kw_mesh_ceremonies(&up->layout, up->bin_dir, err));
    KW_TRY(cells_prepare(up, 0, err));
    KW_TRY(kw_process_prepare(err));
    KW_TRY(kw_loop_new(&up->loop, err));
    KW_TRY(kw_process_new(up->loop, &hooks, &up->process, err));
    kw_mesh_start(&up->mesh, up->loop, &mesh);
    kw_loop_run(up->loop);
    up->exit_code = kw_process_end(up->process);
    kw_loop_free(up->loop);
    return KW_OK;
}

enum kw_exit kw_up(const struct kw_up_options *options)
{
    static struct up up; /* large; outlives every callback */
    struct kw_error error;

    kw_log_setup("keyward-up", KW_MESH_REGION, KW_LOG_WARN); /* the banner says enough */
    up.keep = options->dir != NULL;
    if (options->with_parent) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    }
    if (!kw_ok(run(&up, options, &error))) {
        (void)fprintf(stderr, "keyward: %s\n", error.message);
        return KW_EXIT_USAGE;
    }
    if (!up.keep && up.exit_code == 0) {
        kw_mesh_dir_remove(up.layout.dir.path);
    }
    return up.exit_code == 0 ? KW_EXIT_OK : KW_EXIT_UNHEALTHY;
}
