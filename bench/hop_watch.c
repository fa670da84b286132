/* In the processes of a chain: what they tell their parent, and the client's stop-watch. */
#include "bench/hop_bench.h"
#include "common/base/clock.h"

#include <stdlib.h>
#include <unistd.h>

#define WARM_UP_NS  300000000ULL
#define MEASURED_NS 1000000000ULL

const uint8_t bench_message[BENCH_MESSAGE_LEN];

void bench_report(int fd, const struct bench_report *report)
{
    bench_require(write(fd, report, sizeof(*report)) == sizeof(*report), "report");
}

void bench_watch_init(struct bench_watch *watch, int report_fd)
{
    *watch = (struct bench_watch){.report_fd = report_fd};
    watch->latencies_ns = bench_must(calloc(BENCH_LATENCIES, sizeof(uint64_t)));
    watch->begin_ns = kw_clock_mono_ns() + WARM_UP_NS;
    watch->end_ns = watch->begin_ns + MEASURED_NS;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void watch_end(struct bench_watch *watch)
{
    size_t kept = watch->calls < BENCH_LATENCIES ? (size_t)watch->calls : BENCH_LATENCIES;
    struct bench_report report = {.word = BENCH_END, .calls = watch->calls};

    watch->ended = 1;
    bench_report(watch->report_fd, &report); /* the parent reads the CPU clocks now */
    qsort(watch->latencies_ns, kept, sizeof(uint64_t), by_value);
    report.p50_ns = watch->latencies_ns[kept / 2];
    report.p99_ns = watch->latencies_ns[kept * 99 / 100];
    bench_report(watch->report_fd, &report);
}

void bench_watch_call(struct bench_watch *watch, uint64_t start_ns)
{
    uint64_t now_ns = kw_clock_mono_ns();
    const struct bench_report begin = {.word = BENCH_BEGIN};

    if (watch->ended || now_ns < watch->begin_ns) {
        return;
    }
    if (!watch->begun) {
        watch->begun = 1;
        bench_report(watch->report_fd, &begin);
    }
    watch->latencies_ns[watch->calls % BENCH_LATENCIES] = now_ns - start_ns;
    watch->calls++;
    if (now_ns >= watch->end_ns) {
        watch_end(watch);
    }
}
