/* Names and directories of a development mesh. */
#include "cli/mesh_layout.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REGIONS 2 /* where nobody says how many */
#define CELLS   1
#define UNFIT   " \t\n\"'#:,[]{}@$%&\\" /* in the path of a mesh: its files are in several formats */

static const char *const region_names[KW_MESH_REGIONS_MAX] = {KW_MESH_REGION, "r2", "r3"};
static const char *const cell_names[KW_MESH_CELLS_MAX] = {KW_MESH_CELL, "b", "c"};
static const char *const part_names[KW_MESH_PART_COUNT] = {"redis", "cryptocore", "orchestrator",
                                                           "authz", "replicator", "gateway"};

const char *kw_mesh_part_name(enum kw_mesh_part part)
{
    return part_names[part];
}

char *kw_mesh_path(const struct kw_mesh_dir *dir, const char *name, char *text)
{
    (void)snprintf(text, PATH_MAX, "%s/%s", dir->path, name);
    return text;
}

struct kw_result kw_mesh_bin_dir(char path[PATH_MAX], struct kw_error *err)
{
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);

    KW_ENSURE(len > 0, err, SYSTEM, "/proc/self/exe: %s", strerror(errno));
    path[len] = '\0';
    *strrchr(path, '/') = '\0'; /* it is absolute */
    return KW_OK;
}

char *kw_mesh_host(const struct kw_mesh_layout *layout, const struct kw_mesh_region *region,
                   const struct kw_mesh_place *cell, const char *part, char text[KW_MESH_HOST_SIZE])
{
    if (layout->state_dir == NULL) {
        (void)snprintf(text, KW_MESH_HOST_SIZE, "127.0.0.1");
    } else {
        (void)snprintf(text, KW_MESH_HOST_SIZE, "%s-%s-%s", region->name, cell->name, part);
    }
    return text;
}

bool kw_mesh_path_fit(const char *path)
{
    return strpbrk(path, UNFIT) == NULL;
}

static bool directory_empty(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool empty = dir != NULL;

    while (empty && (entry = readdir(dir)) != NULL) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return empty;
}

struct kw_result kw_mesh_dir_claim(const char *path, struct kw_error *err)
{
    if (mkdir(path, 0700) == 0) {
        return KW_OK;
    }
    KW_ENSURE(errno == EEXIST, err, CONFIG_INVALID, "%s: %s", path, strerror(errno));
    KW_ENSURE(directory_empty(path), err, CONFIG_INVALID, "%s is not an empty directory", path);
    return KW_OK;
}

static struct kw_result dir_resolve(const char *path, struct kw_mesh_dir *ret_dir,
                                    struct kw_error *err)
{
    char full[PATH_MAX];

    KW_ENSURE(realpath(path, full) != NULL && strlen(full) < sizeof(ret_dir->path) &&
                  kw_mesh_path_fit(full),
              err, CONFIG_INVALID, "%s: too long, or not fit for a settings file", path);
    memcpy(ret_dir->path, full, strlen(full) + 1);
    return KW_OK;
}

struct kw_result kw_mesh_dir_open(const char *path, struct kw_mesh_dir *ret_dir,
                                  struct kw_error *err)
{
    KW_ENSURE(mkdir(path, 0700) == 0 || errno == EEXIST, err, CONFIG_INVALID, "%s: %s", path,
              strerror(errno));
    return dir_resolve(path, ret_dir, err);
}

struct kw_result kw_mesh_dir_make(const char *path, struct kw_mesh_dir *ret_dir,
                                  struct kw_error *err)
{
    const char *tmp = getenv("TMPDIR");
    char wanted[PATH_MAX];

    (void)snprintf(wanted, sizeof(wanted), "%s/keyward-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (path == NULL) {
        KW_ENSURE(mkdtemp(wanted) != NULL, err, SYSTEM, "%s: %s", wanted, strerror(errno));
        path = wanted;
    } else {
        KW_TRY(kw_mesh_dir_claim(path, err));
    }
    return dir_resolve(path, ret_dir, err);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void kw_mesh_dir_remove(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- the layout --- */

struct kw_result kw_mesh_dir_below(const struct kw_mesh_dir *dir, const char *name,
                                   struct kw_mesh_dir *ret_dir, struct kw_error *err)
{
    int len = snprintf(ret_dir->path, sizeof(ret_dir->path), "%s/%s", dir->path, name);

    KW_ENSURE(len > 0 && (size_t)len < sizeof(ret_dir->path), err, CONFIG_INVALID, "%s: too long",
              dir->path);
    return KW_OK;
}

static struct kw_result region_name(const struct kw_mesh_layout *layout, size_t index,
                                    struct kw_mesh_region *ret_region, struct kw_error *err)
{
    ret_region->name = region_names[index];
    KW_TRY(kw_mesh_dir_below(&layout->dir, ret_region->name, &ret_region->dir, err));
    for (size_t i = 0; i < KW_MESH_CELLS_MAX; i++) {
        ret_region->cells[i].name = cell_names[i];
        KW_TRY(kw_mesh_dir_below(&ret_region->dir, cell_names[i], &ret_region->cells[i].dir, err));
    }
    return KW_OK;
}

struct kw_result kw_mesh_layout_check(size_t region_count, size_t cell_count, struct kw_error *err)
{
    KW_ENSURE(region_count >= 1 && region_count <= KW_MESH_REGIONS_MAX, err, CONFIG_INVALID,
              "a mesh has 1 to %d regions", KW_MESH_REGIONS_MAX);
    KW_ENSURE(cell_count >= 1 && cell_count <= KW_MESH_CELLS_MAX, err, CONFIG_INVALID,
              "a region has 1 to %d cells", KW_MESH_CELLS_MAX);
    return KW_OK;
}

struct kw_result kw_mesh_number_read(const char *flag, const char *text, uint64_t fallback,
                                     uint64_t *ret_number, struct kw_error *err)
{
    char *end = NULL;

    *ret_number = fallback;
    if (text != NULL) {
        *ret_number = strtoul(text, &end, 10);
        KW_ENSURE(*end == '\0' && *ret_number > 0 && *ret_number <= UINT32_MAX, err, CONFIG_INVALID,
                  "%s: %s is no number that it can be", flag, text);
    }
    return KW_OK;
}

struct kw_result kw_mesh_size_read(const char *regions, const char *cells, size_t *ret_regions,
                                   size_t *ret_cells, struct kw_error *err)
{
    uint64_t region_count;
    uint64_t cell_count;

    KW_TRY(kw_mesh_number_read("--regions", regions, REGIONS, &region_count, err));
    KW_TRY(kw_mesh_number_read("--cells", cells, CELLS, &cell_count, err));
    *ret_regions = region_count;
    *ret_cells = cell_count;
    return kw_mesh_layout_check(region_count, cell_count, err);
}

struct kw_result kw_mesh_layout_init(const struct kw_mesh_dir *dir, size_t region_count,
                                     size_t cell_count, struct kw_mesh_layout *ret_layout,
                                     struct kw_error *err)
{
    struct kw_id id; /* one for all that replicates */

    KW_TRY(kw_mesh_layout_check(region_count, cell_count, err));
    *ret_layout = (struct kw_mesh_layout){
        .dir = *dir, .region_count = region_count, .cell_count = cell_count};
    KW_TRY(kw_id_random(&id, err));
    kw_hex(kw_id_bytes(&id), ret_layout->id);
    for (size_t i = 0; i < region_count; i++) {
        KW_TRY(region_name(ret_layout, i, &ret_layout->regions[i], err));
    }
    return KW_OK;
}

static struct kw_result directories_make(const struct kw_mesh_dir *dir, const char *const *names,
                                         struct kw_error *err)
{
    char path[PATH_MAX];

    KW_ENSURE(mkdir(dir->path, 0700) == 0 || errno == EEXIST, err, SYSTEM, "%s: %s", dir->path,
              strerror(errno));
    for (; *names != NULL; names++) {
        KW_ENSURE(mkdir(kw_mesh_path(dir, *names, path), 0700) == 0 || errno == EEXIST, err, SYSTEM,
                  "%s: %s", path, strerror(errno));
    }
    return KW_OK;
}

static struct kw_result region_make(const struct kw_mesh_layout *layout,
                                    const struct kw_mesh_region *region, struct kw_error *err)
{
    static const char *const region_dirs[] = {"tokens", "secret", "run", NULL};
    static const char *const cell_dirs[] = {"config", "data", "logs", "run", "secret", NULL};

    KW_TRY(directories_make(&region->dir, region_dirs, err));
    for (size_t j = 0; j < layout->cell_count; j++) {
        KW_TRY(directories_make(&region->cells[j].dir, cell_dirs, err));
    }
    return KW_OK;
}

struct kw_result kw_mesh_layout_make(const struct kw_mesh_layout *layout, struct kw_error *err)
{
    static const char *const mesh_names[] = {"officer", "recovery", "ceremony",
                                             "secret",  "logs",     NULL};

    KW_TRY(directories_make(&layout->dir, mesh_names, err));
    for (size_t i = 0; i < layout->region_count; i++) {
        KW_TRY(region_make(layout, &layout->regions[i], err));
    }
    return KW_OK;
}

struct kw_result kw_mesh_layout_grow(struct kw_mesh_layout *layout, const char *name,
                                     struct kw_error *err)
{
    struct kw_mesh_region *region = &layout->regions[layout->region_count];

    KW_TRY(kw_mesh_layout_check(layout->region_count + 1, layout->cell_count, err));
    KW_ENSURE(strcmp(name, region_names[layout->region_count]) == 0, err, CONFIG_INVALID,
              "the next region is %s", region_names[layout->region_count]);
    KW_TRY(region_name(layout, layout->region_count, region, err));
    KW_TRY(kw_mesh_dir_claim(region->dir.path, err));
    KW_TRY(region_make(layout, region, err));
    layout->region_count++;
    return KW_OK;
}
