/* What all benches share: failing and clocks. */
#include "bench/bench.h"

#include "common/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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
    return (double)kw_clock_mono_ns() / KW_NS_PER_S;
}

double bench_process_cpu_s(pid_t pid)
{
    struct timespec used;
    clockid_t clock;

    bench_require(clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &used) == 0,
                  "a process under measurement is gone");
    return (double)used.tv_sec + (double)used.tv_nsec / KW_NS_PER_S;
}

double bench_machine_cpu_s(void)
{
    char line[256] = "";
    char *at = line + sizeof("cpu") - 1;
    unsigned long long ticks = 0;
    FILE *file = bench_must(fopen("/proc/stat", "re"));

    bench_require(fgets(line, sizeof(line), file) != NULL && fclose(file) == 0, "/proc/stat");
    for (int field = 0; field < 3; field++) { /* user, nice, system */
        ticks += strtoull(at, &at, 10);
    }
    bench_require(ticks > 0, "/proc/stat");
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}
