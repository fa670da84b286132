/* A whole development mesh under one parent: started inner layer first, kept running, stopped outer
 * layer first. */
#ifndef KW_CLI_MESH_H
#define KW_CLI_MESH_H

#include "cli/mesh_child.h"
#include "cli/mesh_files.h"

enum kw_mesh_part {
    KW_MESH_REDIS,
    KW_MESH_CRYPTOCORE,
    KW_MESH_ORCHESTRATOR,
    KW_MESH_AUTHZ,
    KW_MESH_GATEWAY,
    KW_MESH_PART_COUNT,
};

struct kw_mesh;

struct kw_mesh_events {
    void (*ready)(struct kw_mesh *mesh, void *context); /* everything runs; once */
    void (*stopped)(int exit_code, void *context);      /* nothing runs any more */
    void *context;
};

struct kw_mesh_slot {
    struct kw_mesh *mesh;
    enum kw_mesh_part part;
    struct kw_child child;
    struct kw_timer restart;
    bool placed;           /* its ports are fixed for restarts */
    bool restarted;        /* at least once */
    uint64_t lost_ns;      /* when it ended, until it is back; 0: it has not */
    unsigned quick_deaths; /* in a row: too many end the mesh */
};

/* What a mesh is made with. */
struct kw_mesh_options {
    const struct kw_mesh_dir *dir;
    const char *bin_dir; /* of the services' executables */
    uint64_t start_ms;   /* for each part to become ready, at start and after a restart */
    struct kw_mesh_events events;
};

struct kw_mesh {
    struct kw_loop *loop;
    struct kw_mesh_options options;
    struct kw_mesh_slot slots[KW_MESH_PART_COUNT];
    int next; /* part to be started next */
    bool ready;
    bool stopping;
    int exit_code;
    unsigned timers_open;
};

/* Starts the first part; the rest follows. Fails: SYSTEM. */
struct kw_result kw_mesh_start(struct kw_mesh *mesh, struct kw_loop *loop,
                               const struct kw_mesh_options *options, struct kw_error *err);

/* Stops everything, from outside in; `stopped` follows. Harmless when already stopping. */
void kw_mesh_stop(struct kw_mesh *mesh, int exit_code);

int kw_mesh_port(const struct kw_mesh *mesh, enum kw_mesh_part part);

#endif
