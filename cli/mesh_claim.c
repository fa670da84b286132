/* Looking at directories, marking them, and clearing what was begun. */
#include "cli/mesh_claim.h"

#include "common/base/file.h"
#include "common/crypto/keyfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_SIZE 96
#define LOST      "lost+found" /* a file system's own, where a volume is one */

enum state {
    EMPTY,
    BEGUN,
    WHOLE,
    STRANGE, /* somebody else's */
};

static void mark_text(const struct kw_mesh_layout *layout, char text[MARK_SIZE])
{
    (void)snprintf(text, MARK_SIZE, "mesh=%s regions=%zu cells=%zu\n", layout->id,
                   layout->region_count, layout->cell_count);
}

/* --- what is there --- */

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(name, *names) != 0) {
        names++;
    }
    return *names != NULL;
}

/* Is every entry one of these, or begins with `prefix`? */
static struct kw_result holds_only(const struct kw_mesh_dir *dir, const char *const *names,
                                   const char *prefix, bool *ret_only, struct kw_error *err)
{
    DIR *entries = opendir(dir->path);
    const struct dirent *entry;

    KW_ENSURE(entries != NULL, err, SYSTEM, "%s: %s", dir->path, strerror(errno));
    *ret_only = true;
    while (*ret_only && (entry = readdir(entries)) != NULL) {
        *ret_only = is_one_of(entry->d_name, names) ||
                    (prefix != NULL && strncmp(entry->d_name, prefix, strlen(prefix)) == 0);
    }
    (void)closedir(entries);
    return KW_OK;
}

/* -1 where none is. Others write to volumes: what is no file, or a link to one, is not followed, waited for or told. */
static struct kw_result mark_open(const char *path, int *ret_fd, struct kw_error *err)
{
    struct stat st;

    *ret_fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*ret_fd < 0 && errno == ENOENT) {
        return KW_OK;
    }
    KW_ENSURE(*ret_fd >= 0 && fstat(*ret_fd, &st) == 0 && S_ISREG(st.st_mode) &&
                  st.st_size < MARK_SIZE,
              err, CONFIG_INVALID, "%s is no mark: it is somebody else's", path);
    return KW_OK;
}

static struct kw_result mark_read(const struct kw_mesh_dir *dir, const char *name, bool *ret_there,
                                  char text[MARK_SIZE], struct kw_error *err)
{
    KW_SCOPED(kw_fd_close) int fd = -1;
    char path[PATH_MAX];
    ssize_t len;

    KW_TRY(mark_open(kw_mesh_path(dir, name, path), &fd, err));
    *ret_there = fd >= 0;
    if (*ret_there) {
        len = read(fd, text, MARK_SIZE - 1);
        KW_ENSURE(len >= 0, err, SYSTEM, "%s: %s", path, strerror(errno));
        text[len] = '\0';
    }
    return KW_OK;
}

/* `text` is the mark's; empty without one. A mark that is being written has a longer name. */
static struct kw_result state_of(const struct kw_mesh_dir *dir, enum state *ret_state,
                                 char text[MARK_SIZE], struct kw_error *err)
{
    static const char *const nothing[] = {".", "..", LOST, NULL};
    bool there;
    bool empty;

    text[0] = '\0';
    *ret_state = BEGUN;
    KW_TRY(mark_read(dir, KW_MESH_MARK_BEGUN, &there, text, err));
    if (there) {
        return KW_OK;
    }
    *ret_state = WHOLE;
    KW_TRY(mark_read(dir, KW_MESH_MARK, &there, text, err));
    if (there) {
        return KW_OK;
    }
    KW_TRY(holds_only(dir, nothing, KW_MESH_MARK_BEGUN, &empty, err));
    *ret_state = empty ? EMPTY : STRANGE;
    return KW_OK;
}

/* --- directories --- */

static struct kw_result directory_make(const struct kw_mesh_dir *dir, const char *const *names,
                                       struct kw_error *err)
{
    bool ours;

    KW_ENSURE(mkdir(dir->path, 0700) == 0 || errno == EEXIST, err, CONFIG_INVALID, "%s: %s",
              dir->path, strerror(errno));
    KW_TRY(holds_only(dir, names, NULL, &ours, err));
    KW_ENSURE(ours, err, CONFIG_INVALID, "%s holds files of somebody else", dir->path);
    return KW_OK;
}

/* Those that hold others; what there may be in them. */
static struct kw_result outer_make(const struct kw_mesh_layout *layout, struct kw_error *err)
{
    static const char *const in_mesh[] = {".",  "..", LOST, KW_MESH_OFFICER, KW_MESH_RECOVERY, "r1",
                                          "r2", "r3", NULL};
    static const char *const in_region[] = {".", "..", LOST, "a", "b", "c", NULL};
    const char *in_cell[KW_MESH_CELL_VOLUMES + 4] = {".", "..", LOST};

    for (size_t part = 0; part < KW_MESH_CELL_VOLUMES; part++) {
        in_cell[3 + part] = kw_mesh_volume_name(part);
    }
    KW_TRY(directory_make(&layout->dir, in_mesh, err));
    for (size_t i = 0; i < layout->region_count; i++) {
        KW_TRY(directory_make(&layout->regions[i].dir, in_region, err));
        for (size_t j = 0; j < layout->cell_count; j++) {
            KW_TRY(directory_make(&layout->regions[i].cells[j].dir, in_cell, err));
        }
    }
    return KW_OK;
}

static struct kw_result volumes_make(const struct kw_mesh_layout *layout, struct kw_error *err)
{
    struct kw_mesh_volume volume;

    for (size_t i = 0; i < kw_mesh_volume_count(layout); i++) {
        KW_TRY(kw_mesh_volume_at(layout, i, &volume, err));
        KW_ENSURE(mkdir(volume.dir.path, 0700) == 0 || errno == EEXIST, err, CONFIG_INVALID,
                  "%s: %s", volume.dir.path, strerror(errno));
    }
    return KW_OK;
}

static struct kw_result lock(const struct kw_mesh_dir *officer, int *ret_lock, struct kw_error *err)
{
    *ret_lock = open(officer->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    KW_ENSURE(*ret_lock >= 0, err, SYSTEM, "%s: %s", officer->path, strerror(errno));
    KW_ENSURE(flock(*ret_lock, LOCK_EX | LOCK_NB) == 0, err, CONFIG_INVALID,
              "%s: another run makes this mesh", officer->path);
    return KW_OK;
}

/* --- a mesh that is whole --- */

static struct kw_result mark_whole(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    char begun[PATH_MAX];
    char whole[PATH_MAX];
    KW_SCOPED(kw_fd_close) int fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    KW_ENSURE(fd >= 0 &&
                  rename(kw_mesh_path(dir, KW_MESH_MARK_BEGUN, begun),
                         kw_mesh_path(dir, KW_MESH_MARK, whole)) == 0 &&
                  fsync(fd) == 0,
              err, SYSTEM, "%s: %s", dir->path, strerror(errno));
    return KW_OK;
}

/* The run that made it may have ended before it marked all. */
static struct kw_result part_check(const struct kw_mesh_volume *volume, const char *mark,
                                   struct kw_error *err)
{
    char text[MARK_SIZE];
    enum state state;

    KW_TRY(state_of(&volume->dir, &state, text, err));
    KW_ENSURE(strcmp(text, mark) == 0, err, CONFIG_INVALID,
              "%s is not of the mesh that was made here: to begin anew, remove all of it",
              volume->dir.path);
    return state == BEGUN ? mark_whole(&volume->dir, err) : KW_OK;
}

/* Before anything is made. */
static struct kw_result size_check(const struct kw_mesh_layout *layout,
                                   const struct kw_mesh_dir *officer, struct kw_error *err)
{
    char mark[MARK_SIZE];
    char wanted[MARK_SIZE];
    bool there;

    mark_text(layout, wanted);
    KW_TRY(mark_read(officer, KW_MESH_MARK, &there, mark, err));
    KW_ENSURE(!there || (strchr(mark, ' ') != NULL &&
                         strcmp(strchr(mark, ' '), strchr(wanted, ' ')) == 0),
              err, CONFIG_INVALID, "%s holds a mesh of another size: %.*s", layout->dir.path,
              (int)strcspn(mark, "\n"), mark);
    return KW_OK;
}

static struct kw_result whole_check(const struct kw_mesh_layout *layout, const char *mark,
                                    struct kw_error *err)
{
    struct kw_mesh_volume volume;

    for (size_t i = KW_MESH_VOLUME_OFFICER + 1; i < kw_mesh_volume_count(layout); i++) {
        KW_TRY(kw_mesh_volume_at(layout, i, &volume, err));
        KW_TRY(part_check(&volume, mark, err));
    }
    return KW_OK;
}

/* --- a mesh that is to be made --- */

static struct kw_result free_check(const struct kw_mesh_layout *layout, struct kw_error *err)
{
    struct kw_mesh_volume volume;
    char text[MARK_SIZE];
    enum state state;

    for (size_t i = 0; i < kw_mesh_volume_count(layout); i++) {
        KW_TRY(kw_mesh_volume_at(layout, i, &volume, err));
        KW_TRY(state_of(&volume.dir, &state, text, err));
        KW_ENSURE(state != STRANGE, err, CONFIG_INVALID, "%s holds files of somebody else",
                  volume.dir.path);
        KW_ENSURE(state != WHOLE, err, CONFIG_INVALID,
                  "%s is of a mesh whose officer's directory was lost: to begin anew, remove all "
                  "of it",
                  volume.dir.path);
    }
    return KW_OK;
}

static struct kw_result clear(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    static const char *const kept[] = {".", "..", LOST, KW_MESH_MARK_BEGUN, NULL};
    DIR *entries = opendir(dir->path);
    const struct dirent *entry;
    char path[PATH_MAX];
    bool cleared;

    KW_ENSURE(entries != NULL, err, SYSTEM, "%s: %s", dir->path, strerror(errno));
    while ((entry = readdir(entries)) != NULL) {
        if (!is_one_of(entry->d_name, kept)) {
            kw_mesh_dir_remove(kw_mesh_path(dir, entry->d_name, path));
        }
    }
    (void)closedir(entries);
    KW_TRY(holds_only(dir, kept, NULL, &cleared, err));
    KW_ENSURE(cleared, err, SYSTEM, "%s: what an earlier run left can't be removed", dir->path);
    return KW_OK;
}

/* What was begun is marked throughout, so that a run that ends here leaves nothing that is taken for somebody's. */
static struct kw_result begin(const struct kw_mesh_layout *layout, struct kw_error *err)
{
    struct kw_mesh_volume volume;
    char path[PATH_MAX];
    char text[MARK_SIZE];

    mark_text(layout, text);
    for (size_t i = 0; i < kw_mesh_volume_count(layout); i++) {
        KW_TRY(kw_mesh_volume_at(layout, i, &volume, err));
        KW_TRY(kw_keyfile_write(AT_FDCWD, kw_mesh_path(&volume.dir, KW_MESH_MARK_BEGUN, path),
                                kw_bytes_str(text), KW_KEYFILE_MODE_PUBLIC, err));
        KW_TRY(clear(&volume.dir, err));
    }
    return KW_OK;
}

struct kw_result kw_mesh_claim(const struct kw_mesh_layout *layout, int *ret_lock, bool *ret_whole,
                               struct kw_error *err)
{
    struct kw_mesh_volume officer;
    char mark[MARK_SIZE];
    enum state state;

    KW_TRY(kw_mesh_volume_at(layout, KW_MESH_VOLUME_OFFICER, &officer, err));
    KW_TRY(size_check(layout, &officer.dir, err));
    KW_TRY(outer_make(layout, err));
    KW_TRY(volumes_make(layout, err));
    KW_TRY(lock(&officer.dir, ret_lock, err));
    KW_TRY(state_of(&officer.dir, &state, mark, err));
    *ret_whole = state == WHOLE;
    if (*ret_whole) {
        return whole_check(layout, mark, err);
    }
    KW_TRY(free_check(layout, err));
    return begin(layout, err);
}

/* Of the file system that it is on; several of them may be on one. */
static struct kw_result sync_all(const struct kw_mesh_dir *dir, struct kw_error *err)
{
    KW_SCOPED(kw_fd_close) int fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    KW_ENSURE(fd >= 0 && syncfs(fd) == 0, err, SYSTEM, "%s: %s", dir->path, strerror(errno));
    return KW_OK;
}

struct kw_result kw_mesh_claim_end(const struct kw_mesh_layout *layout, struct kw_error *err)
{
    struct kw_mesh_volume volume;

    for (size_t i = 0; i < kw_mesh_volume_count(layout); i++) {
        KW_TRY(kw_mesh_volume_at(layout, i, &volume, err));
        KW_TRY(sync_all(&volume.dir, err));
    }
    for (size_t i = 0; i < kw_mesh_volume_count(layout); i++) {
        KW_TRY(kw_mesh_volume_at(layout, i, &volume, err));
        KW_TRY(mark_whole(&volume.dir, err));
    }
    return KW_OK;
}
