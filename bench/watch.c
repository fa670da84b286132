/* The stop-watch. It is driven by calls that end: whoever uses it keeps calling. */
#include "bench/watch.h"

#include "common/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WARM_UP_NS 300000000ULL
#define LATENCIES  1000000U /* kept; older ones are overwritten */

void bench_watch_init(struct bench_watch *watch, double measured_s, int fd,
                      void (*tell)(const struct bench_watch *watch, enum bench_moment moment))
{
    *watch = (struct bench_watch){.tell = tell, .fd = fd};
    watch->latencies_ns = bench_must(calloc(LATENCIES, sizeof(uint64_t)));
    watch->begin_ns = kw_clock_mono_ns() + WARM_UP_NS;
    watch->end_ns = watch->begin_ns + (uint64_t)(measured_s * KW_NS_PER_S);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void end(struct bench_watch *watch, uint64_t now_ns)
{
    uint64_t good = watch->calls - watch->failed;
    size_t kept = good < LATENCIES ? (size_t)good : LATENCIES;

    watch->ended = 1;
    watch->measured_s = (double)(now_ns - watch->begin_ns) / KW_NS_PER_S;
    watch->tell(watch, BENCH_END);
    qsort(watch->latencies_ns, kept, sizeof(uint64_t), by_value);
    watch->p50_ns = watch->latencies_ns[kept / 2];
    watch->p99_ns = watch->latencies_ns[kept * 99 / 100];
    watch->tell(watch, BENCH_FIGURES);
}

/* Is now within the measured time? Tells when it begins. */
static int measuring(struct bench_watch *watch, uint64_t now_ns)
{
    if (watch->ended || now_ns < watch->begin_ns) {
        return 0;
    }
    if (!watch->begun) {
        watch->begun = 1;
        watch->begin_ns = now_ns;
        watch->tell(watch, BENCH_BEGIN);
    }
    return 1;
}

void bench_watch_call(struct bench_watch *watch, uint64_t start_ns, int failed)
{
    uint64_t now_ns = kw_clock_mono_ns();

    if (!measuring(watch, now_ns)) {
        return;
    }
    if (!failed) {
        watch->latencies_ns[(watch->calls - watch->failed) % LATENCIES] = now_ns - start_ns;
    }
    watch->failed += failed ? 1 : 0;
    watch->calls++;
    if (now_ns >= watch->end_ns) {
        end(watch, now_ns);
    }
}

void bench_watch_print(const struct bench_watch *watch, enum bench_moment moment)
{
    char line[16];
    int printed = 0;

    switch (moment) {
    case BENCH_BEGIN:
        printed = dprintf(watch->fd, "BEGIN\n");
        break;
    case BENCH_END:
        printed = dprintf(watch->fd, "END\n");
        (void)!read(STDIN_FILENO, line, sizeof(line));
        break;
    case BENCH_FIGURES:
        printed = dprintf(
            watch->fd, "FIGURES calls=%llu failed=%llu seconds=%.6f p50_us=%.1f p99_us=%.1f\n",
            (unsigned long long)watch->calls, (unsigned long long)watch->failed, watch->measured_s,
            (double)watch->p50_ns / 1e3, (double)watch->p99_ns / 1e3);
        break;
    }
    bench_require(printed > 0, "stdout");
}
