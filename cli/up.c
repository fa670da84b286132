/* Makes the mesh's directory, runs the ceremony, starts the mesh, prints the banner, and waits for
 * a signal. */
#include "cli/up.h"

#include "cli/mesh.h"
#include "common/base/log.h"
#include "common/loop/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_MS  60000U
#define START_MS 30000U

extern char **environ;

struct up {
    struct kw_mesh_dir dir;
    char bin_dir[PATH_MAX]; /* of this program and its services */
    struct kw_loop *loop;
    struct kw_process *process;
    struct kw_mesh mesh;
    bool keep; /* leave the directory behind */
    int exit_code;
};

static struct kw_result bin_dir_find(char path[PATH_MAX], struct kw_error *err)
{
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);

    KW_ENSURE(len > 0, err, SYSTEM, "/proc/self/exe: %s", strerror(errno));
    path[len] = '\0';
    *strrchr(path, '/') = '\0'; /* it is absolute */
    return KW_OK;
}

/* The ceremony is another program, run once and waited for, exactly as an officer would run it. */
static struct kw_result ceremony_run(const struct kw_mesh_dir *dir, const char *bin_dir,
                                     struct kw_error *err)
{
    char program[PATH_MAX + 32];
    char config[PATH_MAX + 16];
    char log[PATH_MAX];
    char path[PATH_MAX];
    char *const args[] = {program, (char *)(uintptr_t) "init", config, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int status = 0;
    int rc;

    (void)snprintf(program, sizeof(program), "%s/keyward-cryptocore", bin_dir);
    (void)snprintf(config, sizeof(config), "--config=%s", kw_mesh_path(dir, "init.yaml", path));
    (void)setenv("SOFTHSM2_CONF", kw_mesh_path(dir, "softhsm2.conf", path), 1);
    (void)kw_mesh_path(dir, "logs/init.log", log);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log,
                                           O_WRONLY | O_CREAT | O_APPEND, 0600);
    rc = posix_spawn(&pid, program, &actions, NULL, args, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    KW_ENSURE(rc == 0, err, SYSTEM, "%s: %s", program, strerror(rc));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    KW_ENSURE(WIFEXITED(status) && WEXITSTATUS(status) == 0, err, SYSTEM,
              "the ceremony failed: see %s", log);
    return KW_OK;
}

/* At most 20 lines, each path and address paste-ready; the last one says ready. */
static void banner(const struct up *up)
{
    const char *d = up->dir.path;
    int port = kw_mesh_port(&up->mesh, KW_MESH_GATEWAY);

    (void)printf("\n"
                 "  Keyward: one region, four layers, SoftHSM\n"
                 "  gateway       127.0.0.1:%d (gRPC, TLS 1.3, client certificate)\n"
                 "  root CA       %s/region/pki/root.pem\n"
                 "  officer       %s/officer/{cert,key}.pem\n"
                 "  directory     %s (logs, data, settings)\n"
                 "\n"
                 "  Next:         export PATH=%s:$PATH\n"
                 "                export KEYWARD_CONFIG=%s/cli.yaml\n"
                 "                keyward status\n"
                 "                keyward tour\n"
                 "  Or by hand:   buf curl --protocol grpc --cacert %s/region/pki/root.pem \\\n"
                 "                  --cert %s/officer/cert.pem --key %s/officer/key.pem \\\n"
                 "                  https://127.0.0.1:%d/keyward.v1.StatusService/GetStatus\n"
                 "                (`./run lint` fetches buf into build/tools/node_modules/.bin)\n"
                 "\n"
                 "  WARNING: SoftHSM keeps keys in files and in memory. Nothing here is for "
                 "production or patients.\n"
                 "\n"
                 "READY port=%d dir=%s\n",
                 port, d, d, d, up->bin_dir, d, d, d, d, port, port, d);
    (void)fflush(stdout);
}

static void on_ready(struct kw_mesh *mesh, void *context)
{
    struct up *up = context;
    struct kw_error error;

    (void)mesh;
    if (!kw_ok(kw_mesh_cli_file(&up->dir, kw_mesh_port(&up->mesh, KW_MESH_GATEWAY), &error))) {
        (void)fprintf(stderr, "keyward: %s\n", error.message);
        kw_mesh_stop(&up->mesh, KW_EXIT_USAGE);
        return;
    }
    banner(up);
}

static void on_stopped(int exit_code, void *context)
{
    struct up *up = context;

    up->exit_code = exit_code;
    if (!kw_process_draining(up->process)) {
        kw_process_fail(up->process, exit_code);
    }
    kw_process_drained(up->process);
}

static void on_drain(void *context)
{
    struct up *up = context;

    kw_mesh_stop(&up->mesh, up->exit_code);
}

static void on_stop(void *context)
{
    struct up *up = context;

    kw_loop_stop(up->loop);
}

static struct kw_result prepare(struct up *up, const char *dir, struct kw_error *err)
{
    KW_TRY(bin_dir_find(up->bin_dir, err));
    KW_TRY(kw_mesh_dir_make(dir, &up->dir, err));
    KW_TRY(kw_mesh_ceremony_files(&up->dir, err));
    KW_TRY(ceremony_run(&up->dir, up->bin_dir, err));
    return kw_mesh_service_files(&up->dir, up->bin_dir, err);
}

static struct kw_result start_ms_read(const char *text, uint64_t *ret_ms, struct kw_error *err)
{
    char *end = NULL;

    *ret_ms = START_MS;
    if (text != NULL) {
        *ret_ms = strtoul(text, &end, 10);
        KW_ENSURE(*end == '\0' && *ret_ms > 0 && *ret_ms <= UINT32_MAX, err, CONFIG_INVALID,
                  "--start-ms: %s is no number of milliseconds", text);
    }
    return KW_OK;
}

static struct kw_result run(struct up *up, const struct kw_up_options *options,
                            struct kw_error *err)
{
    const struct kw_process_hooks hooks = {
        .drain = on_drain, .stop = on_stop, .context = up, .grace_ms = STOP_MS};
    struct kw_mesh_options mesh = {
        .dir = &up->dir,
        .bin_dir = up->bin_dir,
        .events = {.ready = on_ready, .stopped = on_stopped, .context = up},
    };

    KW_TRY(start_ms_read(options->start_ms, &mesh.start_ms, err));
    KW_TRY(prepare(up, options->dir, err));
    KW_TRY(kw_process_prepare(err));
    KW_TRY(kw_loop_new(&up->loop, err));
    KW_TRY(kw_process_new(up->loop, &hooks, &up->process, err));
    KW_TRY(kw_mesh_start(&up->mesh, up->loop, &mesh, err));
    kw_loop_run(up->loop);
    up->exit_code = kw_process_end(up->process);
    kw_loop_free(up->loop);
    return KW_OK;
}

enum kw_exit kw_up(const struct kw_up_options *options)
{
    static struct up up; /* large; outlives every callback */
    struct kw_error error;

    kw_log_setup("keyward-up", KW_MESH_REGION, KW_LOG_WARN); /* the banner says enough */
    up.keep = options->dir != NULL;
    if (options->with_parent) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    }
    if (!kw_ok(run(&up, options, &error))) {
        (void)fprintf(stderr, "keyward: %s\n", error.message);
        return KW_EXIT_USAGE;
    }
    if (!up.keep && up.exit_code == 0) {
        kw_mesh_dir_remove(up.dir.path);
    }
    return up.exit_code == 0 ? KW_EXIT_OK : KW_EXIT_UNHEALTHY;
}
