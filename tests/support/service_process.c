/* Processes of a test: spawn, READY, wait. */
#include "tests/support/service_process.h"

#include "tests/support/must.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_PROGRAM  127 /* what a shell says */
#define PATIENCE_MS 60000

/* The child's part. It dies with the test, however that ends: a test that failed or was killed leaves
 * nobody behind. */
static _Noreturn void become(const char *const *argv, int log_fd, int out_fd, pid_t test)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == test &&
        dup2(log_fd, STDERR_FILENO) >= 0 && (out_fd < 0 || dup2(out_fd, STDOUT_FILENO) >= 0)) {
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
    }
    _exit(NO_PROGRAM);
}

static pid_t spawn(const char *const *argv, const char *log, int out_fd)
{
    int log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t test = getpid();
    pid_t pid;

    REQUIRE(log_fd >= 0, "%s can't be written", log);
    pid = fork();
    if (pid == 0) {
        become(argv, log_fd, out_fd, test);
    }
    REQUIRE(pid > 0, "%s does not start", argv[0]);
    close(log_fd);
    return pid;
}

void service_run(const char *const *argv, const char *log)
{
    int status = -1;

    waitpid(spawn(argv, log, -1), &status, 0);
    REQUIRE(status == 0, "%s failed: see %s", argv[0], log);
}

/* One more byte. One that says nothing for so long hangs, and is ended as that. */
static bool byte_read(int fd, char *ret_byte, pid_t pid)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    if (poll(&readable, 1, PATIENCE_MS) <= 0) {
        kill(pid, SIGKILL);
        return false;
    }
    return read(fd, ret_byte, 1) == 1;
}

/* Reads the READY line; false: what was read is none. */
static bool ready_read(int fd, struct service_process *service)
{
    char line[256];
    size_t len = 0;
    const char *metrics;

    while (len < sizeof(line) - 1 && byte_read(fd, line + len, service->pid) && line[len] != '\n') {
        len++;
    }
    line[len] = '\0';
    if (sscanf(line, "READY port=%d", &service->port) != 1) {
        return false;
    }
    metrics = strstr(line, " metrics=");
    service->metrics_port =
        metrics != NULL ? (int)strtol(metrics + strlen(" metrics="), NULL, 10) : 0;
    return true;
}

bool service_try(struct service_process *service, const char *const *argv, const char *log)
{
    int out[2];
    bool ready;
    int status = -1;

    REQUIRE(pipe2(out, O_CLOEXEC) == 0, "pipe");
    service->pid = spawn(argv, log, out[1]);
    close(out[1]);
    ready = ready_read(out[0], service);
    close(out[0]);
    if (!ready) {
        waitpid(service->pid, &status, 0);
        service->pid = 0;
        REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE,
                "%s ended without being READY, and otherwise than by a failure: %d, see %s",
                argv[0], status, log);
    }
    return ready;
}

void service_start(struct service_process *service, const char *const *argv, const char *log)
{
    REQUIRE(service_try(service, argv, log), "%s is not ready: see %s", argv[0], log);
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
