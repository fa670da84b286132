/* The directory and the files. */
#include "tests/support/flat_layout.h"

#include "cli/mesh_files.h"
#include "tests/support/must.h"

#include <stdlib.h>
#include <string.h>

void flat_layout_make(struct kw_mesh_layout *ret_layout)
{
    struct kw_mesh_region *region = &ret_layout->regions[0];
    struct kw_mesh_dir dir;
    char path[PATH_MAX];

    MUST(kw_mesh_dir_make(NULL, &dir, err));
    MUST(kw_mesh_layout_init(&dir, 1, 1, ret_layout, err));
    (void)kw_mesh_path(&dir, "region", path);
    REQUIRE(strlen(path) < sizeof(region->dir.path), "%s: too long", path);
    kw_copy(region->dir.path, path, strlen(path) + 1);
    region->cells[0].dir = dir;
    MUST(kw_mesh_layout_make(ret_layout, err));
    MUST(kw_mesh_officer_files(ret_layout, err));
    MUST(kw_mesh_region_files(ret_layout, region, err));
    setenv("SOFTHSM2_CONF", kw_mesh_path(&region->dir, "softhsm2.conf", path), 1);
}
