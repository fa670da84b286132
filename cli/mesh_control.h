/* How `keyward cell` reaches `keyward up`: a socket in the mesh's directory, one request a connection.
 *
 *     command                              up
 *     "stop r1/b\n" ─────────────────────▶ the cell's parts end, from outside in
 *       ◀───────────────────────────────── "done\n", or "no: why\n"; then it is closed
 *     "add r3\n" ────────────────────────▶ a region comes to it, ceremony and all
 *       ◀───────────────────────────────── likewise
 *
 * One connection is served at a time; others wait. A connection that is closed without a word: the mesh
 * has ended. Who can open the directory can do this, as it could kill the processes. */
#ifndef KW_CLI_MESH_CONTROL_H
#define KW_CLI_MESH_CONTROL_H

#include "cli/mesh.h"

#define KW_MESH_CONTROL_SOCKET  "control.sock" /* in the mesh's directory */
#define KW_MESH_CONTROL_LEN_MAX 256            /* of a request and of an answer, NUL included */

struct kw_mesh_control_options {
    struct kw_mesh *mesh;
    struct kw_loop *loop;
    const struct kw_mesh_dir *dir;
    /* Begins to make the region; kw_mesh_control_grown says when it is there. */
    struct kw_result (*region_add)(const char *name, void *context, struct kw_error *err);
    void *context;
};

struct kw_mesh_control {
    struct kw_mesh_control_options options;
    uv_pipe_t listener;
    uv_pipe_t client;
    bool listens;
    bool busy;                          /* `client` is a connection */
    bool waiting;                       /* another one is to be taken */
    bool closing;                       /* no others are */
    char text[KW_MESH_CONTROL_LEN_MAX]; /* the request, then the answer */
    size_t len;
    const struct kw_mesh_cell *cell; /* it waits until this one has turned; NULL: it does not */
    bool grows;                      /* it waits for a region */
    uv_write_t write;
};

/* The caller's storage, zeroed. Listens once the mesh is ready. Fails: SYSTEM. */
struct kw_result kw_mesh_control_open(struct kw_mesh_control *control,
                                      const struct kw_mesh_control_options *options,
                                      struct kw_error *err);

/* A cell is paused, or ready: for kw_mesh_events. */
void kw_mesh_control_turned(struct kw_mesh_control *control, const struct kw_mesh_cell *cell);

/* So is the region that was added. */
void kw_mesh_control_grown(struct kw_mesh_control *control);

/* The mesh stops. Harmless when it is not open. */
void kw_mesh_control_close(struct kw_mesh_control *control);

/* The other side: asks, and waits for the answer. Blocks. Fails: PEER_UNAVAILABLE (nobody is there),
 * CONFIG_INVALID (it said no), SYSTEM. */
struct kw_result kw_mesh_control_ask(const struct kw_mesh_dir *dir, const char *verb,
                                     const char *name, struct kw_error *err);

#endif
