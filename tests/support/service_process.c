/* Processes of a test: spawn, READY, wait. */
#include "tests/support/service_process.h"

#include "tests/support/must.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static pid_t spawn(const char *const *argv, const char *log, int out_fd)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND,
                                     0600);
    if (out_fd >= 0) {
        posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    }
    REQUIRE(posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) ==
                0,
            "%s does not start", argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

void service_run(const char *const *argv, const char *log)
{
    int status = -1;

    waitpid(spawn(argv, log, -1), &status, 0);
    REQUIRE(status == 0, "%s failed: see %s", argv[0], log);
}

static void ready_read(int fd, const char *name, struct service_process *service)
{
    char line[256];
    size_t len = 0;
    const char *metrics;

    while (len < sizeof(line) - 1 && read(fd, line + len, 1) == 1 && line[len] != '\n') {
        len++;
    }
    line[len] = '\0';
    REQUIRE(sscanf(line, "READY port=%d", &service->port) == 1, "%s is not ready: %s", name, line);
    metrics = strstr(line, " metrics=");
    service->metrics_port =
        metrics != NULL ? (int)strtol(metrics + strlen(" metrics="), NULL, 10) : 0;
}

void service_start(struct service_process *service, const char *const *argv, const char *log)
{
    int out[2];

    REQUIRE(pipe2(out, O_CLOEXEC) == 0, "pipe");
    service->pid = spawn(argv, log, out[1]);
    close(out[1]);
    ready_read(out[0], argv[0], service);
    close(out[0]);
}

static int end(struct service_process *service, int signal)
{
    int status = -1;

    kill(service->pid, signal);
    waitpid(service->pid, &status, 0);
    service->pid = 0;
    return status;
}

void service_stop(struct service_process *service)
{
    int status = service->pid != 0 ? end(service, SIGTERM) : 0;

    REQUIRE(status == 0, "a service did not end cleanly: %d", status);
}

void service_kill(struct service_process *service)
{
    (void)end(service, SIGKILL);
}
