/* The settings files of a development mesh: of the services of a cell, and of who calls them. */
#ifndef KW_CLI_MESH_SETTINGS_H
#define KW_CLI_MESH_SETTINGS_H

#include "cli/mesh_layout.h"

/* After the region's ceremony: settings of each service of the cell, and of its Redis.
 * Fails: SYSTEM, MEMORY. */
struct kw_result kw_mesh_cell_files(const struct kw_mesh_layout *layout,
                                    const struct kw_mesh_region *region,
                                    const struct kw_mesh_place *cell, const char *bin_dir,
                                    struct kw_error *err);

/* What settings of a part need beside the layout. */
struct kw_mesh_part_more {
    const char *bin_dir; /* of the services' executables */
    const char
        *redis_digest; /* of the gateway's password, SHA-256 in hex; where Redis asks for one */
};

/* Of one part, into the file `path`. Fails: SYSTEM, MEMORY. */
struct kw_result kw_mesh_part_file(const struct kw_mesh_layout *layout,
                                   const struct kw_mesh_region *region,
                                   const struct kw_mesh_place *cell, enum kw_mesh_part part,
                                   const struct kw_mesh_part_more *more, const char *path,
                                   struct kw_error *err);

/* Where the replicators of all cells are has changed: those settings of one cell's anew. Fails: SYSTEM, MEMORY. */
struct kw_result kw_mesh_replicator_file(const struct kw_mesh_layout *layout,
                                         const struct kw_mesh_region *region,
                                         const struct kw_mesh_place *cell, const char *bin_dir,
                                         struct kw_error *err);

/* What other commands find the cell with: cli-REGION-CELL.yaml, and for the first cell cli.yaml too. In the mesh's directory, or
 * beside the officer's key for a container. Fails: SYSTEM, MEMORY. */
struct kw_result kw_mesh_cli_file(const struct kw_mesh_layout *layout,
                                  const struct kw_mesh_region *region,
                                  const struct kw_mesh_place *cell, struct kw_error *err);

/* What a part says of itself when it is READY: run/NAME.ready, with its ports. Fails: SYSTEM. */
struct kw_result kw_mesh_ready_file(const struct kw_mesh_place *cell, enum kw_mesh_part part,
                                    int port, int metrics_port, struct kw_error *err);

#endif
