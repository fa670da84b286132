/* How far behind each cell of a development mesh is on each other, by what its owners show at
 * /metrics. */
#ifndef KW_CLI_REGIONS_H
#define KW_CLI_REGIONS_H

#include "cli/mesh_layout.h"
#include "cli/output.h"

#define KW_REGIONS_OWNERS    2
#define KW_REGIONS_UNKNOWN   (-1)
#define KW_REGIONS_LATE_MS   1000 /* of a promise: above, something is wrong */
#define KW_REGIONS_NAME_SIZE 32
#define KW_REGIONS_CELLS_MAX (KW_MESH_REGIONS_MAX * KW_MESH_CELLS_MAX)

/* Plain data. */
struct kw_regions {
    size_t count;
    char names[KW_REGIONS_CELLS_MAX][KW_REGIONS_NAME_SIZE]; /* "r1/a" */
    /* Milliseconds since what a cell holds was promised: [holder][origin][owner]. */
    int64_t age_ms[KW_REGIONS_CELLS_MAX][KW_REGIONS_CELLS_MAX][KW_REGIONS_OWNERS];
};

/* Where the owners of all cells of a mesh show their metrics. Plain data. */
struct kw_regions_ports {
    size_t count;
    char names[KW_REGIONS_CELLS_MAX][KW_REGIONS_NAME_SIZE];
    int metrics[KW_REGIONS_CELLS_MAX][KW_REGIONS_OWNERS]; /* 0: it never was ready */
};

/* Of the mesh in `dir`. Fails: CONFIG_INVALID (there is none). */
struct kw_result kw_regions_ports(const struct kw_mesh_dir *dir, struct kw_regions_ports *ret_ports,
                                  struct kw_error *err);

/* Asks the owners of all cells of the mesh in `dir`. Blocks. Fails: CONFIG_INVALID (there is no mesh),
 * MEMORY. One that does not answer knows nothing. */
struct kw_result kw_regions_read(const struct kw_mesh_dir *dir, struct kw_regions *ret_regions,
                                 struct kw_error *err);

/* Does every cell know of every other, and in time? */
bool kw_regions_well(const struct kw_regions *regions);

/* Shows the older of both owners' in a table, both in JSON. Fails: SYSTEM, MEMORY. */
struct kw_result kw_regions_show(const struct kw_regions *regions, enum kw_output_form form,
                                 FILE *out, struct kw_error *err);

#endif
