/* The directories of a mesh in containers: one for the officer, one for recovery, which no container sees but the one
 * that makes the mesh, and one for each service of each cell, which is all that its container sees. */
#ifndef KW_CLI_MESH_VOLUME_H
#define KW_CLI_MESH_VOLUME_H

#include "cli/mesh_layout.h"

#define KW_MESH_VOLUME_OFFICER  0                        /* the first of them */
#define KW_MESH_VOLUME_RECOVERY 1                        /* what opens KEK and MAC key */
#define KW_MESH_VOLUME_CELLS    2                        /* from here on, cell by cell */
#define KW_MESH_CELL_VOLUMES    (KW_MESH_PART_COUNT + 1) /* each part, and PostgreSQL */

#define KW_MESH_OFFICER  "officer" /* their names */
#define KW_MESH_RECOVERY "recovery"

struct kw_mesh_volume {
    const struct kw_mesh_region *region; /* NULL, as the next one: the officer's, or for recovery */
    const struct kw_mesh_place *cell;
    size_t part; /* KW_MESH_PART_COUNT: PostgreSQL */
    struct kw_mesh_dir dir;
};

/* "authz", or "sql". */
const char *kw_mesh_volume_name(size_t part);

size_t kw_mesh_volume_count(const struct kw_mesh_layout *layout);

/* Number `index` of them. Fails: CONFIG_INVALID (path too long). */
struct kw_result kw_mesh_volume_at(const struct kw_mesh_layout *layout, size_t index,
                                   struct kw_mesh_volume *ret_volume, struct kw_error *err);

#endif
