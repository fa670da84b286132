/* Gives each service of a mesh in containers what it needs, and what nobody else should have. */
#ifndef KW_CLI_MESH_FILL_H
#define KW_CLI_MESH_FILL_H

#include "cli/mesh_stores.h"
#include "cli/mesh_volume.h"

/* `made` is where the ceremonies were, `mesh` where the directories are, which are empty. Both have the same regions and cells.
 * Fails: SYSTEM, CRYPTO, MEMORY, CONFIG_INVALID (a file of the ceremonies is missing). */
struct kw_result kw_mesh_fill(const struct kw_mesh_layout *mesh, const struct kw_mesh_layout *made,
                              struct kw_error *err);

#endif
