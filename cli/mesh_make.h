/* `keyward mesh make`: the files of a mesh whose services run in containers. Starts nothing. */
#ifndef KW_CLI_MESH_MAKE_H
#define KW_CLI_MESH_MAKE_H

#include "cli/command.h"

struct kw_mesh_make_options {
    const char *dir;
    const char *regions;   /* how many there are; NULL: 2 */
    const char *cells;     /* how many each has; NULL: 1 */
    const char *state_dir; /* where each container sees its files; NULL: KW_MESH_STATE_DIR */
};

/* Makes the mesh, or finds that it is there, and says which. */
enum kw_exit kw_mesh_make(const struct kw_mesh_make_options *options);

#endif
