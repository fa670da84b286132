/* Whose the directories of a mesh in containers are, and whether they are whole.
 *
 * Each is marked as begun before anything else is put there, and as whole when everything is, the officer's first:
 *
 *     keyward-mesh.part     begun: whatever is there counts for nothing
 *     keyward-mesh          whole; of the officer's: all are
 *
 * A mark is a line with the mesh's id and size, the same in all of them, so that parts of two meshes are told apart. What is no file
 * is no mark, but somebody else's. */
#ifndef KW_CLI_MESH_CLAIM_H
#define KW_CLI_MESH_CLAIM_H

#include "cli/mesh_volume.h"

#define KW_MESH_MARK       "keyward-mesh"
#define KW_MESH_MARK_BEGUN "keyward-mesh.part"

/* Makes what is missing of the directories, and looks at all of them. Where a mesh is whole `ret_whole` is true, and nothing is changed
 * but marks. Else what an earlier run left is removed, and all are empty and marked as begun.
 *
 * `ret_lock` keeps others out until it is closed. Fails: CONFIG_INVALID (files of somebody else, parts of another mesh,
 * one of another size, a directory that was lost; another run is at it), SYSTEM, MEMORY. */
struct kw_result kw_mesh_claim(const struct kw_mesh_layout *layout, int *ret_lock, bool *ret_whole,
                               struct kw_error *err);

/* After kw_mesh_claim, and when everything is there: durable, and marked as whole. Fails: SYSTEM, CONFIG_INVALID. */
struct kw_result kw_mesh_claim_end(const struct kw_mesh_layout *layout, struct kw_error *err);

#endif
