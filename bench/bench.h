/* What all benches share: failing and clocks. A bench that cannot go on ends. */
#ifndef KW_BENCH_BENCH_H
#define KW_BENCH_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_NOISE_MAX 0.2 /* of a core, used by others while something was measured */

/* Never returns NULL: ends the bench. */
void *bench_must(void *pointer);
void bench_require(int true_enough, const char *what);

/* Monotonic. */
double bench_now_s(void);

/* CPU that a process has used, all threads, user and system. The process must exist. */
double bench_process_cpu_s(pid_t pid);

/* CPU that all processes of the machine have used: /proc/stat's user, nice and system. */
double bench_machine_cpu_s(void);

#endif
