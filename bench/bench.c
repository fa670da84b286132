/* What all benches share: failing, clocks, child processes. */
#include "bench/bench.h"

#include "common/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void *bench_must(void *pointer)
{
    bench_require(pointer != NULL, "memory");
    return pointer;
}

void bench_require(int true_enough, const char *what)
{
    if (!true_enough) {
        (void)fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
        exit(EXIT_FAILURE);
    }
}

double bench_now_s(void)
{
    return (double)kw_clock_mono_ns() / NS_PER_S;
}

double bench_process_cpu_s(pid_t pid)
{
    struct timespec used;
    clockid_t clock;

    bench_require(clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &used) == 0,
                  "a process under measurement is gone");
    return (double)used.tv_sec + (double)used.tv_nsec / NS_PER_S;
}

double bench_machine_cpu_s(void)
{
    unsigned long long user = 0;
    unsigned long long nice = 0;
    unsigned long long system_time = 0;
    FILE *file = bench_must(fopen("/proc/stat", "r"));
    int fields = fscanf(file, "cpu %llu %llu %llu", &user, &nice, &system_time);

    (void)fclose(file);
    bench_require(fields == 3, "/proc/stat");
    return (double)(user + nice + system_time) / (double)sysconf(_SC_CLK_TCK);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_percentile(double *values, size_t count, double share)
{
    if (count == 0) {
        return 0;
    }
    qsort(values, count, sizeof(values[0]), by_value);
    return values[(size_t)((double)(count - 1) * share)];
}

static void child_run(char *const argv[], const int in[2], const int out[2])
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (in[0] >= 0) {
        (void)dup2(in[0], STDIN_FILENO);
    }
    (void)dup2(out[1], STDOUT_FILENO);
    (void)execv(argv[0], argv);
    (void)fprintf(stderr, "%s: %s\n", argv[0], strerrorname_np(errno));
    _exit(EXIT_FAILURE);
}

pid_t bench_spawn(char *const argv[], int *ret_stdin, int *ret_stdout)
{
    int in[2] = {-1, -1};
    int out[2];
    pid_t pid;

    bench_require(pipe2(out, O_CLOEXEC) == 0, "pipe");
    bench_require(ret_stdin == NULL || pipe2(in, O_CLOEXEC) == 0, "pipe");
    pid = fork();
    bench_require(pid >= 0, "fork");
    if (pid == 0) {
        child_run(argv, in, out);
    }
    (void)close(out[1]);
    *ret_stdout = out[0];
    if (ret_stdin != NULL) {
        (void)close(in[0]);
        *ret_stdin = in[1];
    }
    return pid;
}

void bench_read_line(int fd, char *line, size_t size)
{
    for (size_t len = 0; len < size; len++) {
        bench_require(read(fd, line + len, 1) == 1, "a process ended early");
        if (line[len] == '\n') {
            line[len] = '\0';
            return;
        }
    }
    bench_require(0, "line too long");
}

void bench_stop(pid_t pid)
{
    (void)kill(pid, SIGTERM);
    (void)waitpid(pid, NULL, 0);
}
