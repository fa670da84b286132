/* cell, region, regions, replication: the cells of a development mesh: stopped and started one at a time, and how far
 * behind one another they are. */
#include "cli/cli.h"
#include "cli/mesh_control.h"
#include "cli/regions.h"
#include "cli/replication.h"
#include "common/base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* The settings file that we go by, or NULL. */
static const char *config_find(const struct kw_cli *cli)
{
    const char *config = getenv("KEYWARD_CONFIG");

    for (int i = 1; i < cli->arguments.setting_count; i++) {
        if (strncmp(cli->arguments.settings[i], "--config=", 9) == 0) {
            config = cli->arguments.settings[i] + 9;
        }
    }
    return config;
}

/* Where the mesh lies: as the flag says, or where the settings file is. */
static struct kw_result dir_find(const struct kw_cli *cli, struct kw_mesh_dir *ret_dir,
                                 struct kw_error *err)
{
    const char *dir = kw_cli_argument(cli, "--dir");
    const char *config = config_find(cli);
    char path[PATH_MAX];

    KW_ENSURE(dir != NULL || config != NULL, err, ARGUMENT_INVALID,
              "--dir or KEYWARD_CONFIG must say where the mesh lies");
    KW_ENSURE(realpath(dir != NULL ? dir : config, path) != NULL, err, CONFIG_INVALID, "%s: %s",
              dir != NULL ? dir : config, strerror(errno));
    if (dir == NULL) {
        *strrchr(path, '/') = '\0'; /* it is absolute */
    }
    KW_ENSURE(strlen(path) < sizeof(ret_dir->path), err, CONFIG_INVALID, "%s: too long", path);
    kw_copy(ret_dir->path, path, strlen(path) + 1);
    return KW_OK;
}

static struct kw_result turn(const struct kw_cli *cli, struct kw_error *err)
{
    struct kw_mesh_dir dir;

    KW_TRY(dir_find(cli, &dir, err));
    return kw_mesh_control_ask(&dir, cli->command->verb, kw_cli_argument(cli, "CELL"), err);
}

static struct kw_result region_add(const struct kw_cli *cli, struct kw_error *err)
{
    struct kw_mesh_dir dir;

    KW_TRY(dir_find(cli, &dir, err));
    return kw_mesh_control_ask(&dir, "add", kw_cli_argument(cli, "REGION"), err);
}

static enum kw_exit asked(struct kw_cli *cli, struct kw_result result, const struct kw_error *error)
{
    if (kw_ok(result)) {
        return KW_EXIT_OK;
    }
    (void)kw_cli_fail(cli, error);
    return result.reason == KW_E_PEER_UNAVAILABLE ? KW_EXIT_UNREACHABLE : KW_EXIT_USAGE;
}

static enum kw_exit run_turn(struct kw_cli *cli)
{
    struct kw_error error;
    struct kw_result result = turn(cli, &error);

    return asked(cli, result, &error);
}

static enum kw_exit run_region_add(struct kw_cli *cli)
{
    struct kw_error error;
    struct kw_result result = region_add(cli, &error);

    return asked(cli, result, &error);
}

static struct kw_result regions(struct kw_cli *cli, bool *ret_well, struct kw_error *err)
{
    struct kw_mesh_dir dir;
    struct kw_regions regions;

    KW_TRY(dir_find(cli, &dir, err));
    KW_TRY(kw_regions_read(&dir, &regions, err));
    *ret_well = kw_regions_well(&regions);
    return kw_regions_show(&regions, cli->form, stdout, err);
}

static enum kw_exit run_regions(struct kw_cli *cli)
{
    bool well = false;
    struct kw_error error;
    struct kw_result result = regions(cli, &well, &error);

    if (!kw_ok(result)) {
        return kw_cli_fail(cli, &error);
    }
    return well ? KW_EXIT_OK : KW_EXIT_UNHEALTHY;
}

/* --- do they hold the same? --- */

#define WAIT_S_MAX 3600
#define AGAIN_MS   500

static struct kw_result wait_find(const struct kw_cli *cli, uint64_t *ret_until_ns,
                                  struct kw_error *err)
{
    const char *text = kw_cli_argument(cli, "--wait");
    char *end = NULL;
    unsigned long seconds = text != NULL ? strtoul(text, &end, 10) : 0;

    KW_ENSURE(text == NULL || (end != text && *end == '\0' && seconds <= WAIT_S_MAX), err,
              ARGUMENT_INVALID, "--wait takes seconds, at most %d", WAIT_S_MAX);
    *ret_until_ns = kw_clock_mono_ns() + seconds * KW_NS_PER_S;
    return KW_OK;
}

/* A figure is a few seconds old, and two cells' are not of one moment: what was different once is looked at again. */
static bool is_final(enum kw_replication_verdict verdict, unsigned different)
{
    return verdict == KW_REPLICATION_EQUAL ||
           (verdict == KW_REPLICATION_DIFFERENT && different > 1);
}

static struct kw_result verify(struct kw_cli *cli, enum kw_replication_verdict *ret_verdict,
                               struct kw_error *err)
{
    struct kw_replication replication;
    struct kw_mesh_dir dir;
    unsigned different = 0;
    uint64_t until_ns;

    KW_TRY(dir_find(cli, &dir, err));
    KW_TRY(wait_find(cli, &until_ns, err));
    do {
        KW_TRY(kw_replication_read(&dir, &replication, err));
        *ret_verdict = kw_replication_judge(&replication);
        different = *ret_verdict == KW_REPLICATION_DIFFERENT ? different + 1 : 0;
    } while (!is_final(*ret_verdict, different) && kw_clock_mono_ns() < until_ns &&
             poll(NULL, 0, AGAIN_MS) == 0);
    return kw_replication_show(&replication, cli->form, stdout, err);
}

static enum kw_exit run_verify(struct kw_cli *cli)
{
    static const enum kw_exit exits[] = {
        [KW_REPLICATION_EQUAL] = KW_EXIT_OK,
        [KW_REPLICATION_ON_THE_WAY] = KW_EXIT_PARTIAL,
        [KW_REPLICATION_DIFFERENT] = KW_EXIT_UNHEALTHY,
        [KW_REPLICATION_UNKNOWN] = KW_EXIT_UNREACHABLE,
    };
    enum kw_replication_verdict verdict;
    struct kw_error error;
    struct kw_result result = verify(cli, &verdict, &error);

    return kw_ok(result) ? exits[verdict] : kw_cli_fail(cli, &error);
}

#define CELL_FLAGS                                                                                 \
    {                                                                                              \
        {"CELL", NULL, NULL, true, "Region and letter: r1/b."},                                    \
            {"--dir", "DIR", NULL, false,                                                          \
             "The mesh's directory; where KEYWARD_CONFIG lies by default."},                       \
    }

const struct kw_command kw_cell_commands[] = {
    {"cell", "stop", "Stops a cell of a development mesh, until it is started.", CELL_FLAGS,
     .run = run_turn, .bare = true},
    {"cell", "kill",
     "Kills a cell of a development mesh at once, as a power cut would, until it is started.",
     CELL_FLAGS, .run = run_turn, .bare = true},
    {"cell", "start", "Starts a cell that was stopped or killed, and waits until it is ready.",
     CELL_FLAGS, .run = run_turn, .bare = true},
    {"region",
     "add",
     "Brings one more region to a development mesh that runs, ceremony and all; returns when its "
     "cells run.",
     {{"REGION", NULL, NULL, true, "The next one: r3, where there are two."},
      {"--dir", "DIR", NULL, false, "The mesh's directory; where KEYWARD_CONFIG lies by default."}},
     .run = run_region_add,
     .bare = true},
    {"regions",
     NULL,
     "Shows how old what each cell of a development mesh holds of the others is. Exit 5: above a "
     "second, or "
     "unknown.",
     {{"--dir", "DIR", NULL, false,
       "The mesh's directory; where the settings file lies by default."}},
     .run = run_regions},
    {"replication",
     "verify",
     "Do all cells of a development mesh hold the same? Exit 0: EQUAL; 4: ON THE WAY; 5: "
     "DIFFERENT, a "
     "fault; 3: one does not answer.",
     {{"--all", NULL, NULL, true, "All cells, all tables."},
      {"--wait", "S", NULL, false, "Looks again until they do, so many seconds at most."},
      {"--dir", "DIR", NULL, false,
       "The mesh's directory; where the settings file lies by default."}},
     .run = run_verify},
    {0},
};
