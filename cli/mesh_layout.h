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

#define KW_MESH_STATE_DIR "/var/lib/keyward" /* of a container, where nothing else is said */
#define KW_MESH_HOST_SIZE 64

/* Stores, where they are reached by the network. */
#define KW_MESH_SQL        "sql" /* PostgreSQL, beside the parts */
#define KW_MESH_SQL_PORT   5432
#define KW_MESH_REDIS_USER "keyward"

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

/* 0: whichever is free when it starts. */
struct kw_mesh_ports {
    int listen;
    int metrics; /* not of Redis */
    int feed;    /* of those that own replicated state: for their replicator */
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
    const char *
        state_dir; /* NULL: services run here, on loopback, and find files where they lie. Else each
                              has a container of its own, is found by its name, and finds its files here */
    size_t region_count;
    size_t cell_count; /* of each region */
    struct kw_mesh_region regions[KW_MESH_REGIONS_MAX];
};

/* "authz": its program is keyward-authz. */
const char *kw_mesh_part_name(enum kw_mesh_part part);

/* The directory of this program, where those of the services are too. Fails: SYSTEM. */
struct kw_result kw_mesh_bin_dir(char path[PATH_MAX], struct kw_error *err);

/* Where others find a part of a cell, without the port: 127.0.0.1, or REGION-CELL-PART. Returns `text`. */
char *kw_mesh_host(const struct kw_mesh_layout *layout, const struct kw_mesh_region *region,
                   const struct kw_mesh_place *cell, const char *part,
                   char text[KW_MESH_HOST_SIZE]);

/* Is it a path that all formats of the mesh's files can hold? */
bool kw_mesh_path_fit(const char *path);

/* Makes the directory with mode 0700; one that is there must be empty. Fails: CONFIG_INVALID. */
struct kw_result kw_mesh_dir_claim(const char *path, struct kw_error *err);

/* Makes `path` (which must not exist, or be empty) or, with NULL, a new directory below TMPDIR.
 * Mode 0700. Fails: CONFIG_INVALID, SYSTEM. */
struct kw_result kw_mesh_dir_make(const char *path, struct kw_mesh_dir *ret_dir,
                                  struct kw_error *err);

/* Finds `path`, and makes it where it is not. Fails: CONFIG_INVALID. */
struct kw_result kw_mesh_dir_open(const char *path, struct kw_mesh_dir *ret_dir,
                                  struct kw_error *err);

/* The path of `name` below the directory; `text` has PATH_MAX bytes. Returns `text`. */
char *kw_mesh_path(const struct kw_mesh_dir *dir, const char *name, char *text);

/* The directory `name` below another. Fails: CONFIG_INVALID (path too long). */
struct kw_result kw_mesh_dir_below(const struct kw_mesh_dir *dir, const char *name,
                                   struct kw_mesh_dir *ret_dir, struct kw_error *err);

/* Removes a directory of ours and all that is in it. */
void kw_mesh_dir_remove(const char *path);

/* Fails: CONFIG_INVALID (none, or above a limit). */
struct kw_result kw_mesh_layout_check(size_t region_count, size_t cell_count, struct kw_error *err);

/* What a flag says, or `fallback` where it is not given. Fails: CONFIG_INVALID. */
struct kw_result kw_mesh_number_read(const char *flag, const char *text, uint64_t fallback,
                                     uint64_t *ret_number, struct kw_error *err);

/* Of --regions and --cells: two regions of one cell where they are not given. Fails: as kw_mesh_layout_check. */
struct kw_result kw_mesh_size_read(const char *regions, const char *cells, size_t *ret_regions,
                                   size_t *ret_cells, struct kw_error *err);

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
