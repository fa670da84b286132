/* Cells of a mesh, together. One that can't go on ends the mesh. */
#include "cli/mesh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void begin_next(struct kw_mesh *mesh)
{
    if (mesh->begun < mesh->cell_count && !mesh->stopping) {
        kw_mesh_cell_start(&mesh->cells[mesh->begun++]);
    }
}

static void on_turned(struct kw_mesh_cell *cell, void *context)
{
    const struct kw_mesh *mesh = context;

    mesh->options.events.turned(cell, mesh->options.events.context);
}

static void begin_some(struct kw_mesh *mesh)
{
    for (int i = 0; i < KW_MESH_STARTING_MAX; i++) {
        begin_next(mesh);
    }
}

static void all_came(struct kw_mesh *mesh)
{
    const struct kw_mesh_events *events = &mesh->options.events;

    if (mesh->growing) {
        mesh->growing = false;
        events->grown(events->context);
    } else {
        events->ready(events->context);
    }
}

static void on_ready(struct kw_mesh_cell *cell, void *context)
{
    struct kw_mesh *mesh = context;

    if (cell->came) {
        on_turned(cell, mesh);
        return;
    }
    cell->came = true;
    mesh->came++;
    begin_next(mesh);
    if (mesh->came == mesh->cell_count && !mesh->stopping) {
        all_came(mesh);
    }
}

/* The next replicator that runs; when there is no other, the new cells. */
static void renew_next(struct kw_mesh *mesh)
{
    while (mesh->renewed < mesh->begun) {
        if (kw_mesh_cell_renew(&mesh->cells[mesh->renewed++], KW_MESH_REPLICATOR)) {
            return;
        }
    }
    begin_some(mesh);
}

static void on_renewed(struct kw_mesh_cell *cell, void *context)
{
    (void)cell;
    renew_next(context);
}

static void on_failed(void *context)
{
    kw_mesh_stop(context, EXIT_FAILURE);
}

static void on_stopped(void *context)
{
    struct kw_mesh *mesh = context;

    mesh->stopped++;
    if (mesh->stopped == mesh->cell_count) {
        mesh->options.events.stopped(mesh->exit_code, mesh->options.events.context);
    }
}

/* Those that are in the layout, and not here yet. */
static void cells_init(struct kw_mesh *mesh)
{
    const struct kw_mesh_layout *layout = mesh->options.layout;
    size_t first = mesh->cell_count;

    mesh->cell_count = layout->region_count * layout->cell_count;
    for (size_t i = first; i < mesh->cell_count; i++) {
        const struct kw_mesh_region *region = &layout->regions[i / layout->cell_count];
        const struct kw_mesh_cell_options options = {.region = region,
                                                     .place =
                                                         &region->cells[i % layout->cell_count],
                                                     .bin_dir = mesh->options.bin_dir,
                                                     .start_ms = mesh->options.start_ms,
                                                     .alone = mesh->cell_count == 1,
                                                     .events = {.ready = on_ready,
                                                                .paused = on_turned,
                                                                .renewed = on_renewed,
                                                                .failed = on_failed,
                                                                .stopped = on_stopped,
                                                                .context = mesh}};

        kw_mesh_cell_init(&mesh->cells[i], mesh->loop, &options);
    }
}

void kw_mesh_start(struct kw_mesh *mesh, struct kw_loop *loop,
                   const struct kw_mesh_options *options)
{
    mesh->options = *options;
    mesh->loop = loop;
    cells_init(mesh);
    begin_some(mesh);
}

void kw_mesh_grow(struct kw_mesh *mesh)
{
    mesh->growing = true;
    mesh->renewed = 0;
    cells_init(mesh);
    renew_next(mesh);
}

struct kw_mesh_cell *kw_mesh_find(struct kw_mesh *mesh, const char *name)
{
    for (size_t i = 0; i < mesh->cell_count; i++) {
        const struct kw_mesh_cell_options *options = &mesh->cells[i].options;
        char text[KW_MESH_LABEL_SIZE];

        (void)snprintf(text, sizeof(text), "%s/%s", options->region->name, options->place->name);
        if (strcmp(text, name) == 0) {
            return &mesh->cells[i];
        }
    }
    return NULL;
}

void kw_mesh_stop(struct kw_mesh *mesh, int exit_code)
{
    if (mesh->stopping) {
        return;
    }
    mesh->stopping = true;
    mesh->exit_code = exit_code;
    for (size_t i = 0; i < mesh->cell_count; i++) {
        kw_mesh_cell_stop(&mesh->cells[i]);
    }
}
