/* In the processes of a chain: what they tell their parent. */
#include "bench/hop_bench.h"

#include <unistd.h>

#define MEASURED_S 1.0

const uint8_t bench_message[BENCH_MESSAGE_LEN];

static void report(int fd, const struct bench_report *content)
{
    bench_require(write(fd, content, sizeof(*content)) == sizeof(*content), "report");
}

void bench_report_port(int fd, int port)
{
    const struct bench_report content = {.word = BENCH_SAYS_PORT, .port = port};

    report(fd, &content);
}

static void tell(const struct bench_watch *watch, enum bench_moment moment)
{
    const struct bench_report content = {
        .word = BENCH_SAYS_MOMENT,
        .moment = moment,
        .calls = watch->calls,
        .p50_ns = watch->p50_ns,
        .p99_ns = watch->p99_ns,
    };

    report(watch->fd, &content);
}

void bench_chain_watch(struct bench_watch *watch, int report_fd)
{
    bench_watch_init(watch, MEASURED_S, report_fd, tell);
}
