/* A whole development mesh under one parent: its cells started a few at a time, and stopped together. */
#ifndef KW_CLI_MESH_H
#define KW_CLI_MESH_H

#include "cli/mesh_cell.h"

#define KW_MESH_STARTING_MAX 2 /* cells: each start is several processes that want a processor */

struct kw_mesh_events {
    void (*ready)(void *context); /* everything runs; once */
    void (*grown)(void *context); /* so do the cells of a region that came to it */
    /* From then on: a cell that was paused or started is so. */
    void (*turned)(struct kw_mesh_cell *cell, void *context);
    void (*stopped)(int exit_code, void *context); /* nothing runs any more */
    void *context;
};

/* What a mesh is made with. */
struct kw_mesh_options {
    const struct kw_mesh_layout *layout;
    const char *bin_dir; /* of the services' executables */
    uint64_t start_ms;   /* for each part to become ready, at start and after a restart */
    struct kw_mesh_events events;
};

struct kw_mesh {
    struct kw_mesh_options options;
    struct kw_loop *loop;
    struct kw_mesh_cell cells[KW_MESH_REGIONS_MAX * KW_MESH_CELLS_MAX];
    size_t cell_count;
    size_t begun;   /* of the cells, in their order */
    size_t came;    /* of the cells: they were ready once */
    size_t renewed; /* of the cells that there were, while it grows */
    bool growing;
    size_t stopped;
    bool stopping;
    int exit_code;
};

/* The caller's storage, zeroed. Starts the first cells; the rest follows, and what goes wrong ends in
 * `stopped`. */
void kw_mesh_start(struct kw_mesh *mesh, struct kw_loop *loop,
                   const struct kw_mesh_options *options);

/* The layout has one region more. Replicators of the cells that run are started anew, one after the other, to know of
 * it; then its cells are started, and `grown` follows. The mesh is ready. */
void kw_mesh_grow(struct kw_mesh *mesh);

/* The cell called "r1/b", or NULL. */
struct kw_mesh_cell *kw_mesh_find(struct kw_mesh *mesh, const char *name);

/* Stops everything; `stopped` follows. Harmless when already stopping. */
void kw_mesh_stop(struct kw_mesh *mesh, int exit_code);

#endif
