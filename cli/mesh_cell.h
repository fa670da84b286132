/* The processes of one cell of a development mesh: started inner layer first, kept running, stopped
 * outer layer first. */
#ifndef KW_CLI_MESH_CELL_H
#define KW_CLI_MESH_CELL_H

#include "cli/mesh_child.h"
#include "cli/mesh_layout.h"

#define KW_MESH_LABEL_SIZE 64

struct kw_mesh_cell;

struct kw_mesh_cell_events {
    void (*ready)(struct kw_mesh_cell *cell, void *context); /* all of it runs; after each start */
    void (*paused)(struct kw_mesh_cell *cell,
                   void *context); /* nothing runs, until it is started */
    void (*renewed)(struct kw_mesh_cell *cell, void *context); /* the part is back */
    void (*failed)(void *context);  /* it can't go on, and wants to be stopped */
    void (*stopped)(void *context); /* nothing of it runs any more */
    void *context;
};

/* What a cell is made with. */
struct kw_mesh_cell_options {
    const struct kw_mesh_region *region;
    const struct kw_mesh_place *place;
    const char *bin_dir; /* of the services' executables */
    uint64_t start_ms;   /* for each part to become ready, at start and after a restart */
    bool alone;          /* the mesh's only one: its parts go by their names alone */
    struct kw_mesh_cell_events events;
};

struct kw_mesh_slot {
    struct kw_mesh_cell *cell;
    enum kw_mesh_part part;
    char label[KW_MESH_LABEL_SIZE]; /* what messages call it */
    struct kw_child child;
    struct kw_timer restart;
    bool restarted;        /* at least once */
    bool renewing;         /* until it is back, `renewed` is owed */
    uint64_t lost_ns;      /* when it ended, until it is back; 0: it has not */
    unsigned quick_deaths; /* in a row: too many end the mesh */
};

struct kw_mesh_cell {
    struct kw_loop *loop;
    struct kw_mesh_cell_options options;
    struct kw_mesh_slot slots[KW_MESH_PART_COUNT];
    int next; /* part to be started next; 0: it is paused, or was never started */
    bool ready;
    bool came; /* it was ready once */
    bool pausing;
    bool stopping;
    unsigned timers_open;
};

/* The caller's storage, zeroed. From now on it wants to be stopped. */
void kw_mesh_cell_init(struct kw_mesh_cell *cell, struct kw_loop *loop,
                       const struct kw_mesh_cell_options *options);

/* Starts the first part; the rest follows. Nothing of it runs. */
void kw_mesh_cell_start(struct kw_mesh_cell *cell);

/* Stops everything, from outside in; `paused` follows, unless it is stopped before. It is ready. */
void kw_mesh_cell_pause(struct kw_mesh_cell *cell);

/* Ends one part, to be started anew by its settings as they are now; `renewed` follows. False: it does not run, and
 * will be started by them. */
bool kw_mesh_cell_renew(struct kw_mesh_cell *cell, enum kw_mesh_part part);

/* Kills everything at once, as a power cut would; `paused` follows, unless it is stopped before. It is ready. */
void kw_mesh_cell_kill(struct kw_mesh_cell *cell);

/* As a pause, for good; `stopped` follows. Harmless when already stopping. */
void kw_mesh_cell_stop(struct kw_mesh_cell *cell);

#endif
