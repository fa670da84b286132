/* What the hop bench's processes have in common: a chain of them, and what its client measures. */
#ifndef KW_BENCH_HOP_BENCH_H
#define KW_BENCH_HOP_BENCH_H

#include "bench/watch.h"

#define BENCH_ID "spiffe://bench/svc/node" /* every process shows it and expects it */

/* The message that is echoed. */
#define BENCH_MESSAGE_LEN 256U
extern const uint8_t bench_message[BENCH_MESSAGE_LEN];

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

/* What a process tells its parent: its port, or the client's progress. */
enum bench_word {
    BENCH_SAYS_PORT,
    BENCH_SAYS_MOMENT
};

struct bench_report {
    enum bench_word word;
    int port;
    enum bench_moment moment;
    uint64_t calls;
    uint64_t p50_ns;
    uint64_t p99_ns;
};

void bench_report_port(int fd, int port);
void bench_chain_watch(struct bench_watch *watch, int report_fd);

/* bench/hop_nodes.c */
void hop_leaf(const struct bench_variant *variant, int report_fd);
void hop_forwarder(const struct bench_variant *variant, int inner_port, int report_fd);
void hop_client(const struct bench_variant *variant, int inner_port, int report_fd);

/* bench/unary_nodes.c */
void unary_leaf(const struct bench_variant *variant, int report_fd);
void unary_forwarder(const struct bench_variant *variant, int inner_port, int report_fd);
void unary_client(const struct bench_variant *variant, int inner_port, int report_fd);

#endif
