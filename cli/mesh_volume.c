/* Naming the directories of a mesh in containers. */
#include "cli/mesh_volume.h"

#include <stdio.h>

const char *kw_mesh_volume_name(size_t part)
{
    return part < KW_MESH_PART_COUNT ? kw_mesh_part_name((enum kw_mesh_part)part) : KW_MESH_SQL;
}

size_t kw_mesh_volume_count(const struct kw_mesh_layout *layout)
{
    return KW_MESH_VOLUME_CELLS + layout->region_count * layout->cell_count * KW_MESH_CELL_VOLUMES;
}

struct kw_result kw_mesh_volume_at(const struct kw_mesh_layout *layout, size_t index,
                                   struct kw_mesh_volume *ret_volume, struct kw_error *err)
{
    static const char *const own[] = {
        [KW_MESH_VOLUME_OFFICER] = KW_MESH_OFFICER, [KW_MESH_VOLUME_RECOVERY] = KW_MESH_RECOVERY};
    size_t cell;

    *ret_volume = (struct kw_mesh_volume){0};
    if (index < KW_MESH_VOLUME_CELLS) {
        return kw_mesh_dir_below(&layout->dir, own[index], &ret_volume->dir, err);
    }
    index -= KW_MESH_VOLUME_CELLS;
    cell = index / KW_MESH_CELL_VOLUMES;
    ret_volume->region = &layout->regions[cell / layout->cell_count];
    ret_volume->cell = &ret_volume->region->cells[cell % layout->cell_count];
    ret_volume->part = index % KW_MESH_CELL_VOLUMES;
    return kw_mesh_dir_below(&ret_volume->cell->dir, kw_mesh_volume_name(ret_volume->part),
                             &ret_volume->dir, err);
}
