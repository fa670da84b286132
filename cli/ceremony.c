/* Running `keyward-cryptocore init`. */
#include "cli/ceremony.h"

#include "cli/mesh_files.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Runs it with our environment; what it says is added to the log. */
static struct kw_result run(char *const *args, const char *log, struct kw_error *err)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int status = 0;
    int rc;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log,
                                           O_WRONLY | O_CREAT | O_APPEND, 0600);
    rc = posix_spawn(&pid, args[0], &actions, NULL, args, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    KW_ENSURE(rc == 0, err, SYSTEM, "%s: %s", args[0], strerror(rc));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    KW_ENSURE(WIFEXITED(status) && WEXITSTATUS(status) == 0, err, SYSTEM,
              "the ceremony failed: see %s", log);
    return KW_OK;
}

static struct kw_result region_init(const struct kw_mesh_layout *layout,
                                    const struct kw_mesh_region *region, const char *bin_dir,
                                    struct kw_error *err)
{
    char program[PATH_MAX + 32];
    char config[PATH_MAX + 16];
    char log[PATH_MAX];
    char path[PATH_MAX];
    char *const args[] = {program, (char *)(uintptr_t) "init", config, NULL};

    (void)snprintf(program, sizeof(program), "%s/keyward-cryptocore", bin_dir);
    (void)snprintf(config, sizeof(config), "--config=%s",
                   kw_mesh_path(&region->dir, "init.yaml", path));
    (void)setenv("SOFTHSM2_CONF", kw_mesh_path(&region->dir, "softhsm2.conf", path), 1);
    return run(args, kw_mesh_path(&layout->dir, "logs/init.log", log), err);
}

struct kw_result kw_mesh_ceremonies(const struct kw_mesh_layout *layout, const char *bin_dir,
                                    struct kw_error *err)
{
    const struct kw_mesh_region *first = &layout->regions[0];

    KW_TRY(kw_mesh_officer_files(layout, err));
    KW_TRY(kw_mesh_region_files(layout, first, err));
    KW_TRY(region_init(layout, first, bin_dir, err));
    return kw_mesh_officer_place(layout, err);
}
