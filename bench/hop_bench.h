/* What the hop bench's processes have in common: a chain of them, and what its client measures. */
#ifndef KW_BENCH_HOP_BENCH_H
#define KW_BENCH_HOP_BENCH_H

#include "bench/bench.h"

#define BENCH_ID        "spiffe://bench/svc/node" /* every process shows it and expects it */
#define BENCH_LATENCIES 1000000U

/* One variant: how many hops, how many calls at a time, by which means. */
struct bench_variant {
    const char *name;
    int layers;
    unsigned in_flight;
    void (*leaf)(const struct bench_variant *variant, int report_fd);
    void (*forwarder)(const struct bench_variant *variant, int inner_port, int report_fd);
    void (*client)(const struct bench_variant *variant, int inner_port, int report_fd);
    const char *credentials_dir;
};

/* What a process tells its parent: a port, or the client's progress. */
enum bench_word {
    BENCH_PORT,
    BENCH_BEGIN,
    BENCH_END
};

struct bench_report {
    enum bench_word word;
    int port;
    uint64_t calls;
    uint64_t p50_ns;
    uint64_t p99_ns;
};

/* The client's stop-watch: warm-up, then the measured time. */
struct bench_watch {
    int report_fd;
    uint64_t begin_ns; /* of the measured time */
    uint64_t end_ns;
    uint64_t calls;
    uint64_t *latencies_ns;
    int begun;
    int ended;
};

void bench_report(int fd, const struct bench_report *report);
void bench_watch_init(struct bench_watch *watch, int report_fd);

/* A call that began at `start_ns` is over. Tells the parent when the measured time begins and ends.
 */
void bench_watch_call(struct bench_watch *watch, uint64_t start_ns);

/* bench/hop_nodes.c */
void hop_leaf(const struct bench_variant *variant, int report_fd);
void hop_forwarder(const struct bench_variant *variant, int inner_port, int report_fd);
void hop_client(const struct bench_variant *variant, int inner_port, int report_fd);

/* bench/unary_nodes.c */
void unary_leaf(const struct bench_variant *variant, int report_fd);
void unary_forwarder(const struct bench_variant *variant, int inner_port, int report_fd);
void unary_client(const struct bench_variant *variant, int inner_port, int report_fd);

/* The message that is echoed. */
#define BENCH_MESSAGE_LEN 256U
extern const uint8_t bench_message[BENCH_MESSAGE_LEN];

#endif
