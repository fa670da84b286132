/* What a development mesh consists of, and where it lies: regions, their cells, a directory for each
 * (cli/README.md). */
#ifndef KW_CLI_MESH_LAYOUT_H
#define KW_CLI_MESH_LAYOUT_H

#include "common/base/id.h"

#include <limits.h>

#define KW_MESH_TRUST_DOMAIN "keyward.test"
#define KW_MESH_REGION       "r1" /* the first: its ceremony makes the root */
#define KW_MESH_CELL         "a"  /* the first of each region */

#define KW_MESH_REGIONS_MAX 3
#define KW_MESH_CELLS_MAX   3 /* of one region */

struct kw_mesh_dir {
    char path[PATH_MAX - 64]; /* absolute; room for the names below it */
};

enum kw_mesh_part {
    KW_MESH_REDIS,
    KW_MESH_CRYPTOCORE,
    KW_MESH_ORCHESTRATOR,
    KW_MESH_AUTHZ,
    KW_MESH_REPLICATOR,
    KW_MESH_GATEWAY,
    KW_MESH_PART_COUNT,
};

/* Of 127.0.0.1; 0: whichever is free when it starts. */
struct kw_mesh_ports {
    int listen;
    int metrics;
    int feed; /* of those that own replicated state: for their replicator */
};

/* One cell. */
struct kw_mesh_place {
    const char *name;
    struct kw_mesh_dir dir; /* config, data, logs, run, secret */
    struct kw_mesh_ports ports[KW_MESH_PART_COUNT];
};

struct kw_mesh_region {
    const char *name;
    struct kw_mesh_dir
        dir; /* tokens and PINs; pki, credentials, officers, as the ceremony makes them */
    struct kw_mesh_place cells[KW_MESH_CELLS_MAX];
};

struct kw_mesh_layout {
    char id[2 * KW_ID_LEN + 1]; /* of the mesh, in hex: drawn, the same in all its cells */
    struct kw_mesh_dir dir;     /* officer, recovery key, what other commands need */
    size_t region_count;
    size_t cell_count; /* of each region */
    struct kw_mesh_region regions[KW_MESH_REGIONS_MAX];
};

/* "authz": its program is keyward-authz. */
const char *kw_mesh_part_name(enum kw_mesh_part part);

/* Makes the directory with mode 0700; one that is there must be empty. Fails: CONFIG_INVALID. */
struct kw_result kw_mesh_dir_claim(const char *path, struct kw_error *err);

/* Makes `path` (which must not exist, or be empty) or, with NULL, a new directory below TMPDIR.
 * Mode 0700. Fails: CONFIG_INVALID, SYSTEM. */
struct kw_result kw_mesh_dir_make(const char *path, struct kw_mesh_dir *ret_dir,
                                  struct kw_error *err);

/* The path of `name` below the directory; `text` has PATH_MAX bytes. Returns `text`. */
char *kw_mesh_path(const struct kw_mesh_dir *dir, const char *name, char *text);

/* Removes a directory of ours and all that is in it. */
void kw_mesh_dir_remove(const char *path);

/* Fails: CONFIG_INVALID (none, or above a limit). */
struct kw_result kw_mesh_layout_check(size_t region_count, size_t cell_count, struct kw_error *err);

/* Names regions, cells and their directories below `dir`, and draws the mesh's id. Fails: as
 * kw_mesh_layout_check, CONFIG_INVALID (path too long), SYSTEM. */
struct kw_result kw_mesh_layout_init(const struct kw_mesh_dir *dir, size_t region_count,
                                     size_t cell_count, struct kw_mesh_layout *ret_layout,
                                     struct kw_error *err);

/* One region more, the next one, with its directories; its ceremony is the caller's. Fails: CONFIG_INVALID (another
 * name than the next one's, or there can be no more; its directory is not empty), SYSTEM. */
struct kw_result kw_mesh_layout_grow(struct kw_mesh_layout *layout, const char *name,
                                     struct kw_error *err);

/* Makes the directories of the mesh, its regions and cells. Those of them that are one, as a test
 * may want them, are made once. Fails: SYSTEM. */
struct kw_result kw_mesh_layout_make(const struct kw_mesh_layout *layout, struct kw_error *err);

#endif
