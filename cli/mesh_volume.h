/* The directories of a mesh in containers: one for the officer, and one for each service of each cell, which is all
 * that its container sees. */
#ifndef KW_CLI_MESH_VOLUME_H
#define KW_CLI_MESH_VOLUME_H

#include "cli/mesh_layout.h"

#define KW_MESH_VOLUME_OFFICER 0                        /* the first of them */
#define KW_MESH_CELL_VOLUMES   (KW_MESH_PART_COUNT + 1) /* each part, and PostgreSQL */

struct kw_mesh_volume {
    const struct kw_mesh_region *region; /* NULL, as the next one: the officer's */
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
