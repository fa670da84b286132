/* Finding another cell, and waiting for what it says. */
#include "cli/tour_cells.h"

#include "cli/mesh_control.h"
#include "common/base/clock.h"
#include "common/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SETTINGS_LEN_MAX 65536U
#define PATIENCE_NS      (30ULL * 1000000000)
#define LOOK_AGAIN_NS    5000000L

/* "r2/a" of "cli-r2-a.yaml"; false: another file. */
static bool cell_of(const char *name, char region[16], char cell[16])
{
    int end = 0;

    return sscanf(name, "cli-%15[^-]-%15[^.-].yaml%n", region, cell, &end) == 2 && end > 0 &&
           name[end] == '\0';
}

/* The value of a line "name: value" of settings, in the arena; NULL: there is none. */
static const char *setting_of(const struct kw_tour *tour, const char *settings, const char *name)
{
    const char *at = strstr(settings, name);

    return at != NULL
               ? kw_arena_text(tour->arena, at + strlen(name), strcspn(at + strlen(name), "\n"))
               : NULL;
}

static struct kw_result settings_read(const struct kw_tour *tour, const char *path,
                                      const char **ret_text, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};

    KW_TRY(kw_file_read(path, SETTINGS_LEN_MAX, &text, err));
    *ret_text = kw_arena_text(tour->arena, (const char *)text.data, text.len);
    KW_ENSURE(*ret_text != NULL, err, MEMORY, "settings");
    return KW_OK;
}

/* Of a path, up to its last slash and with it. */
static int dir_len(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? (int)(slash + 1 - path) : 0;
}

/* How good a cell is to look at: the farther, the better, and of those of another region the namesake, which is there
 * where others may not be yet. 0: our own. */
static int rank_of(const char *own_peer, const char *region, const char *cell)
{
    char same_region[32];
    char same_cell[32];
    bool is_region;
    bool is_cell;

    (void)snprintf(same_region, sizeof(same_region), "/region/%s/", region);
    (void)snprintf(same_cell, sizeof(same_cell), "/cell/%s/", cell);
    is_region = strstr(own_peer, same_region) != NULL;
    is_cell = strstr(own_peer, same_cell) != NULL;
    if (is_region) {
        return is_cell ? 0 : 1;
    }
    return is_cell ? 3 : 2;
}

/* The settings file that was found last, and why. */
struct candidate {
    int rank;
    char name[NAME_MAX + 1];
};

/* Of two that are as good the first by name, in whatever order the directory has them. */
static void consider(struct candidate *best, const char *own_peer, const char *name)
{
    char region[16];
    char cell[16];
    int rank = cell_of(name, region, cell) ? rank_of(own_peer, region, cell) : 0;

    if (rank > best->rank || (rank > 0 && rank == best->rank && strcmp(name, best->name) < 0)) {
        best->rank = rank;
        (void)snprintf(best->name, sizeof(best->name), "%s", name);
    }
}

/* "--checkpoint-key=A,B": the one beside the root of either's settings. */
static const char *keys_of(const struct kw_tour *tour, const char *own, const char *theirs)
{
    const char *roots[] = {setting_of(tour, own, "ca_file: "),
                           setting_of(tour, theirs, "ca_file: ")};

    if (roots[0] == NULL || roots[1] == NULL) {
        return NULL;
    }
    return kw_arena_printf(tour->arena, "--checkpoint-key=%.*scheckpoint.pub,%.*scheckpoint.pub",
                           dir_len(roots[0]), roots[0], dir_len(roots[1]), roots[1]);
}

static struct kw_result take(const struct kw_tour *tour, const char *path, const char *own,
                             const char *region, const char *cell, struct kw_tour_other *other,
                             struct kw_error *err)
{
    const char *settings;
    const char *target;
    const char *peer;

    KW_TRY(settings_read(tour, path, &settings, err));
    target = setting_of(tour, settings, "target: ");
    peer = setting_of(tour, settings, "peer: ");
    KW_ENSURE(target != NULL && peer != NULL, err, CONFIG_INVALID, "%s: no target, or no peer",
              path);
    other->cell = kw_arena_printf(tour->arena, "%s/%s", region, cell);
    other->config = kw_arena_printf(tour->arena, "--config=%s", path);
    other->target = kw_arena_printf(tour->arena, "--target=%s", target);
    other->peer = kw_arena_printf(tour->arena, "--peer=%s", peer);
    other->keys = keys_of(tour, own, settings);
    KW_ENSURE(other->cell != NULL && other->config != NULL && other->target != NULL &&
                  other->peer != NULL && other->keys != NULL,
              err, MEMORY, "a cell");
    return KW_OK;
}

static struct kw_result best_find(const char *dir, const char *own, struct candidate *ret_best,
                                  const struct kw_tour *tour, struct kw_error *err)
{
    const char *own_peer = setting_of(tour, own, "peer: ");
    DIR *entries = opendir(dir);
    const struct dirent *entry;

    KW_ENSURE(entries != NULL, err, SYSTEM, "%s: %s", dir, strerror(errno));
    while (own_peer != NULL && (entry = readdir(entries)) != NULL) {
        consider(ret_best, own_peer, entry->d_name);
    }
    (void)closedir(entries);
    return KW_OK;
}

/* The operator's settings file, and the directory that it is in. Absolute: kw_tour_begin made it so. */
static const char *config_dir(char dir[PATH_MAX])
{
    const char *config = getenv("KEYWARD_CONFIG");

    (void)snprintf(dir, PATH_MAX, "%s", config);
    *strrchr(dir, '/') = '\0';
    return config;
}

struct kw_result kw_tour_other_find(const struct kw_tour *tour, struct kw_tour_other *ret_other,
                                    struct kw_error *err)
{
    struct candidate best = {0};
    char region[16];
    char cell[16];
    char dir[PATH_MAX];
    const char *config = config_dir(dir);
    const char *settings;
    const char *path;

    *ret_other = (struct kw_tour_other){0};
    KW_TRY(settings_read(tour, config, &settings, err));
    KW_TRY(best_find(dir, settings, &best, tour, err));
    if (best.rank == 0) {
        return KW_OK;
    }
    (void)cell_of(best.name, region, cell);
    path = kw_arena_printf(tour->arena, "%s/%s", dir, best.name);
    KW_ENSURE(path != NULL, err, MEMORY, "a path");
    KW_TRY(take(tour, path, settings, region, cell, ret_other, err));
    path = kw_arena_printf(tour->arena, "%s/" KW_MESH_CONTROL_SOCKET, dir);
    KW_ENSURE(path != NULL, err, MEMORY, "a path");
    ret_other->is_ours = access(path, F_OK) == 0;
    return KW_OK;
}

struct kw_result kw_tour_until(struct kw_tour *tour, const struct kw_tour_step *step,
                               uint64_t since_ns, const char *words, struct kw_error *err)
{
    const struct timespec again = {.tv_nsec = LOOK_AGAIN_NS};
    struct kw_tour_step shown = *step;
    bool good = false;

    KW_TRY(kw_tour_try(tour, step, &good, err));
    while (!good && kw_clock_mono_ns() - since_ns < PATIENCE_NS) {
        (void)nanosleep(&again, NULL);
        KW_TRY(kw_tour_try(tour, step, &good, err));
    }
    if (!good) {
        return kw_tour_run(tour, step, err); /* which says what is wrong */
    }
    shown.remark =
        kw_arena_printf(tour->arena, "%s at most %llu ms later", words,
                        (unsigned long long)((kw_clock_mono_ns() - since_ns) / KW_NS_PER_MS));
    kw_tour_print(tour, &shown);
    return KW_OK;
}
