/* Finding another cell, and waiting for what it says. */
#include "cli/tour_cells.h"

#include "common/base/clock.h"
#include "common/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* Is this one farther away than the one that was found, or the first? Its own is none. */
static bool is_better(const struct kw_tour_other *found, const char *own_peer, const char *region,
                      const char *cell)
{
    char own[64];
    char same_region[32];

    (void)snprintf(own, sizeof(own), "/region/%s/cell/%s/", region, cell);
    (void)snprintf(same_region, sizeof(same_region), "/region/%s/", region);
    return strstr(own_peer, own) == NULL &&
           (found->cell == NULL || strstr(own_peer, same_region) == NULL);
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

static struct kw_result others_look(const struct kw_tour *tour, const char *dir, DIR *entries,
                                    const char *own, struct kw_tour_other *other,
                                    struct kw_error *err)
{
    const char *own_peer = setting_of(tour, own, "peer: ");
    const struct dirent *entry;

    while (own_peer != NULL && (entry = readdir(entries)) != NULL) {
        char region[16];
        char cell[16];
        const char *path;

        if (cell_of(entry->d_name, region, cell) && is_better(other, own_peer, region, cell)) {
            path = kw_arena_printf(tour->arena, "%s/%s", dir, entry->d_name);
            KW_ENSURE(path != NULL, err, MEMORY, "a path");
            KW_TRY(take(tour, path, own, region, cell, other, err));
        }
    }
    return KW_OK;
}

struct kw_result kw_tour_other_find(const struct kw_tour *tour, struct kw_tour_other *ret_other,
                                    struct kw_error *err)
{
    const char *config = getenv("KEYWARD_CONFIG"); /* absolute: kw_tour_begin made it so */
    char dir[PATH_MAX];
    const char *settings;
    DIR *entries;
    struct kw_result result;

    *ret_other = (struct kw_tour_other){0};
    KW_TRY(settings_read(tour, config, &settings, err));
    (void)snprintf(dir, sizeof(dir), "%s", config);
    *strrchr(dir, '/') = '\0';
    entries = opendir(dir);
    KW_ENSURE(entries != NULL, err, SYSTEM, "%s: %s", dir, strerror(errno));
    result = others_look(tour, dir, entries, settings, ret_other, err);
    (void)closedir(entries);
    return result;
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
