/* Where the tour takes place: a directory, and a mesh of its own if nobody named one. */
#include "cli/tour_run.h"

#include "cli/mesh_files.h"
#include "cli/settings.h"
#include "common/base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_MS   60000
#define BANNER_MAX 8192U

extern char **environ;

static struct kw_result dir_make(struct kw_tour *tour, const char *dir, struct kw_error *err)
{
    const char *tmp = getenv("TMPDIR");
    char wanted[PATH_MAX];

    (void)umask(077); /* keys come to lie there */
    if (dir != NULL) {
        KW_TRY(kw_mesh_dir_claim(dir, err));
    } else {
        (void)snprintf(wanted, sizeof(wanted), "%s/keyward-tour-XXXXXX",
                       tmp != NULL ? tmp : "/tmp");
        dir = mkdtemp(wanted);
        KW_ENSURE(dir != NULL, err, SYSTEM, "%s: %s", wanted, strerror(errno));
        tour->dir_made = true;
    }
    KW_ENSURE(realpath(dir, tour->dir) != NULL, err, SYSTEM, "%s: %s", dir, strerror(errno));
    return KW_OK;
}

/* Everything but KEYWARD_CONFIG would outweigh the settings files of the story's people. */
static void environment_clean(void)
{
    for (size_t i = 0; i < kw_cli_settings.count; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "KEYWARD_%s", kw_cli_settings.settings[i].name);
        for (char *c = name; *c != '\0'; c++) {
            *c = (char)toupper((unsigned char)*c);
        }
        (void)unsetenv(name);
    }
}

static int mesh_spawn(struct kw_tour *tour, int out_fd)
{
    char mesh_dir[PATH_MAX + 16];
    char *const argv[] = {(char *)(uintptr_t) "keyward", (char *)(uintptr_t) "up", mesh_dir,
                          (char *)(uintptr_t) "--with-parent", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc;

    (void)snprintf(mesh_dir, sizeof(mesh_dir), "--dir=%s/mesh", tour->dir);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    /* A group of its own: Ctrl-C ends the tour, and that ends the mesh, once. */
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    rc = posix_spawn(&tour->mesh, tour->keyward, &actions, &attributes, argv, environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Reads the banner until its last line, READY. */
static struct kw_result mesh_await(const struct kw_tour *tour, struct kw_error *err)
{
    char banner[BANNER_MAX];
    size_t len = 0;

    banner[0] = '\0';
    while (strstr(banner, "\nREADY ") == NULL) {
        struct pollfd poll_fd = {.fd = tour->mesh_out, .events = POLLIN};
        ssize_t more;
        int ready;

        ready = poll(&poll_fd, 1, READY_MS);
        KW_ENSURE(!kw_tour_interrupted(), err, CANCELLED, "interrupted");
        KW_ENSURE(ready == 1, err, SYSTEM, "the mesh did not start: see the logs below %s/mesh",
                  tour->dir);
        more = read(tour->mesh_out, banner + len, sizeof(banner) - 1 - len);
        KW_ENSURE(more > 0, err, SYSTEM, "the mesh ended: see the logs below %s/mesh", tour->dir);
        len += (size_t)more;
        banner[len] = '\0';
    }
    return KW_OK;
}

static struct kw_result mesh_start(struct kw_tour *tour, struct kw_error *err)
{
    char config[PATH_MAX + 16];
    int fds[2];
    int rc;

    (void)printf("No KEYWARD_CONFIG: starting a mesh (two regions, each with SoftHSM, Redis, five "
                 "services) ... ");
    (void)fflush(stdout);
    KW_ENSURE(pipe2(fds, O_CLOEXEC) == 0, err, SYSTEM, "a pipe: %s", strerror(errno));
    rc = mesh_spawn(tour, fds[1]);
    (void)close(fds[1]);
    tour->mesh_out = fds[0];
    KW_ENSURE(rc == 0, err, SYSTEM, "%s: %s", tour->keyward, strerror(rc));
    KW_TRY(mesh_await(tour, err));
    tour->mesh_ready = true;
    (void)printf("up after %.1f s\n", (double)kw_tour_elapsed_ms(tour) / 1000);
    (void)snprintf(config, sizeof(config), "%s/mesh/cli.yaml", tour->dir);
    (void)setenv("KEYWARD_CONFIG", config, 1);
    return KW_OK;
}

/* Commands run in the story's directory: the path must be good there too. */
static struct kw_result config_find(struct kw_error *err)
{
    const char *config = getenv("KEYWARD_CONFIG");
    char path[PATH_MAX];

    if (config == NULL) {
        return KW_OK;
    }
    KW_ENSURE(realpath(config, path) != NULL, err, CONFIG_INVALID,
              "%s: %s (from KEYWARD_CONFIG; unset it to start a mesh)", config, strerror(errno));
    (void)setenv("KEYWARD_CONFIG", path, 1);
    return KW_OK;
}

struct kw_result kw_tour_begin(struct kw_tour *tour, const char *dir, struct kw_error *err)
{
    ssize_t len = readlink("/proc/self/exe", tour->keyward, sizeof(tour->keyward) - 1);

    KW_ENSURE(len > 0, err, SYSTEM, "/proc/self/exe: %s", strerror(errno));
    tour->keyward[len] = '\0';
    tour->mesh_out = -1;
    tour->start_ns = kw_clock_mono_ns();
    environment_clean();
    KW_TRY(config_find(err));
    KW_TRY(dir_make(tour, dir, err));
    if (getenv("KEYWARD_CONFIG") == NULL) {
        KW_TRY(mesh_start(tour, err));
        (void)printf("To repeat these lines, keep a mesh: `keyward up`, then `keyward tour "
                     "--config=FILE`.\n");
    } else {
        (void)printf("To repeat a line:\n    $ cd %s\n    $ export KEYWARD_CONFIG=%s\n", tour->dir,
                     getenv("KEYWARD_CONFIG"));
    }
    return KW_OK;
}

static struct kw_result mesh_stop(struct kw_tour *tour, struct kw_error *err)
{
    int status = 0;

    /* Until it is ready it may be waiting for the ceremony, which is of its group. */
    (void)kill(tour->mesh_ready ? tour->mesh : -tour->mesh, SIGTERM);
    while (waitpid(tour->mesh, &status, 0) < 0) {
        KW_ENSURE(errno == EINTR, err, SYSTEM, "waiting for the mesh: %s", strerror(errno));
    }
    tour->mesh = 0;
    (void)close(tour->mesh_out);
    tour->mesh_out = -1;
    KW_ENSURE(WIFEXITED(status) && WEXITSTATUS(status) == 0, err, SYSTEM,
              "the mesh did not end well: see the logs below %s/mesh", tour->dir);
    return KW_OK;
}

struct kw_result kw_tour_end(struct kw_tour *tour, bool good, struct kw_error *err)
{
    struct kw_result result;

    if (tour->mesh <= 0) {
        return KW_OK; /* a mesh goes on, on which lines may be repeated */
    }
    result = mesh_stop(tour, err);
    if (tour->dir_made && ((good && kw_ok(result)) || kw_tour_interrupted())) {
        kw_mesh_dir_remove(tour->dir);
        tour->dir[0] = '\0';
    }
    return result;
}
