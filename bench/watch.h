/* The stop-watch of a load generator: warm-up, then a measured time, told to the parent as it
 * begins and ends. */
#ifndef KW_BENCH_WATCH_H
#define KW_BENCH_WATCH_H

#include "bench/bench.h"

enum bench_moment {
    BENCH_BEGIN,   /* of the measured time: read the CPU clocks */
    BENCH_END,     /* of the measured time: read them again */
    BENCH_FIGURES, /* p50 and p99 are there */
};

struct bench_watch {
    void (*tell)(const struct bench_watch *watch, enum bench_moment moment);
    int fd; /* for `tell` */
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t calls;
    uint64_t failed;
    uint64_t p50_ns; /* of the calls that did not fail */
    uint64_t p99_ns;
    double measured_s;
    uint64_t *latencies_ns;
    int begun;
    int ended;
};

/* The warm-up begins now. */
void bench_watch_init(struct bench_watch *watch, double measured_s, int fd,
                      void (*tell)(const struct bench_watch *watch, enum bench_moment moment));

/* A call that began at `start_ns` is over. */
void bench_watch_call(struct bench_watch *watch, uint64_t start_ns, int failed);

/* `tell` for programs: BEGIN, END and "FIGURES calls=… failed=… seconds=… p50_us=… p99_us=…" as
 * lines on `fd`. */
void bench_watch_print(const struct bench_watch *watch, enum bench_moment moment);

#endif
