/* Hops against unary gRPC: chains of 1 to 4 hops, each process its own, mutual TLS, 256-byte echo.
 *
 * Every round runs every variant once, so that a slow phase of the machine hits all of them. A
 * sample during which other processes used more than a fifth of a core is dropped; a row that has
 * no other shows them with a "~". Medians are printed; only rows of one table may be compared. CPU
 * is that of all processes of the chain, the load generator's included.
 *
 *     hop_bench [rounds] [calls in flight …]
 */
#include "bench/hop_bench.h"
#include "tests/support/certs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LAYERS_MAX     4
#define ROUNDS_DEFAULT 5
#define ROUNDS_MAX     50
#define VARIANTS_MAX   64

struct sample {
    double calls_per_s;
    double cpu_us;
    double p50_us;
    double p99_us;
};

struct samples {
    struct sample list[ROUNDS_MAX];
    size_t count;
};

struct row {
    struct bench_variant variant;
    struct samples clean;
    struct samples noisy;
};

/* --- in the parent --- */

struct chain {
    pid_t pids[LAYERS_MAX + 1];
    size_t count;
    int fds[2];
};

static struct bench_report next_report(struct chain *chain, enum bench_word expected)
{
    struct bench_report report;

    bench_require(read(chain->fds[0], &report, sizeof(report)) == sizeof(report),
                  "a process ended");
    bench_require(report.word == expected, "report out of order");
    return report;
}

static struct bench_report next_moment(struct chain *chain, enum bench_moment expected)
{
    struct bench_report report = next_report(chain, BENCH_SAYS_MOMENT);

    bench_require(report.moment == expected, "moment out of order");
    return report;
}

/* Starts the process that is `depth` hops away from the leaf. */
static void chain_fork(struct chain *chain, const struct bench_variant *variant, int depth,
                       int port)
{
    pid_t pid = fork();

    bench_require(pid >= 0, "fork");
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)close(chain->fds[0]);
        if (depth == 0) {
            variant->leaf(variant, chain->fds[1]);
        } else if (depth < variant->layers) {
            variant->forwarder(variant, port, chain->fds[1]);
        } else {
            variant->client(variant, port, chain->fds[1]);
        }
        _exit(EXIT_SUCCESS);
    }
    chain->pids[chain->count++] = pid;
}

static void chain_start(struct chain *chain, const struct bench_variant *variant)
{
    int port = 0;

    *chain = (struct chain){0};
    bench_require(pipe(chain->fds) == 0, "pipe");
    for (int depth = 0; depth < variant->layers; depth++) {
        chain_fork(chain, variant, depth, port);
        port = next_report(chain, BENCH_SAYS_PORT).port;
    }
    chain_fork(chain, variant, variant->layers, port);
    (void)close(chain->fds[1]);
}

/* From the client inwards, so that nobody misses the process behind it. */
static void chain_stop(struct chain *chain)
{
    while (chain->count > 0) {
        chain->count--;
        (void)kill(chain->pids[chain->count], SIGKILL);
        (void)waitpid(chain->pids[chain->count], NULL, 0);
    }
    (void)close(chain->fds[0]);
}

static double chain_cpu_s(const struct chain *chain)
{
    double total = 0;

    for (size_t i = 0; i < chain->count; i++) {
        total += bench_process_cpu_s(chain->pids[i]);
    }
    return total;
}

static void run_once(struct row *row)
{
    struct chain chain;
    struct bench_report end;
    struct samples *samples;
    double ours_s;
    double all_s;
    double wall_s;

    chain_start(&chain, &row->variant);
    (void)next_moment(&chain, BENCH_BEGIN);
    ours_s = -chain_cpu_s(&chain);
    all_s = -bench_machine_cpu_s();
    wall_s = -bench_now_s();
    (void)next_moment(&chain, BENCH_END);
    ours_s += chain_cpu_s(&chain);
    all_s += bench_machine_cpu_s();
    wall_s += bench_now_s();
    end = next_moment(&chain, BENCH_FIGURES);
    chain_stop(&chain);
    samples = all_s - ours_s > BENCH_NOISE_MAX * wall_s ? &row->noisy : &row->clean;
    samples->list[samples->count++] = (struct sample){
        .calls_per_s = (double)end.calls / wall_s,
        .cpu_us = ours_s * 1e6 / (double)end.calls,
        .p50_us = (double)end.p50_ns / 1e3,
        .p99_us = (double)end.p99_ns / 1e3,
    };
}

/* --- the table --- */

static int by_cpu(const void *a, const void *b)
{
    double x = ((const struct sample *)a)->cpu_us;
    double y = ((const struct sample *)b)->cpu_us;

    return (x > y) - (x < y);
}

static const struct samples *shown(const struct row *row)
{
    return row->clean.count > 0 ? &row->clean : &row->noisy;
}

/* The sample with the median CPU per call, whole: its other figures belong to it. */
static const struct sample *median(const struct row *row)
{
    return &shown(row)->list[shown(row)->count / 2];
}

static void print_row(const struct row *row, const struct row *unary)
{
    const struct sample *sample = median(row);

    (void)printf("| %-5s | %d | %4u | %8.0f | %7.1f | %5.2f | %7.0f | %7.0f | %s%zu/%zu |\n",
                 row->variant.name, row->variant.layers, row->variant.in_flight,
                 sample->calls_per_s, sample->cpu_us, sample->cpu_us / median(unary)->cpu_us,
                 sample->p50_us, sample->p99_us, row->clean.count == 0 ? "~" : "", row->clean.count,
                 row->clean.count + row->noisy.count);
}

/* Rows come in pairs: unary, then hop, of the same chain. */
static void print_table(struct row *rows, size_t count)
{
    (void)printf("| means | hops | in flight | calls/s | CPU µs/call | of unary | p50 µs | p99 µs "
                 "| samples |\n"
                 "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < count; i++) {
        qsort(rows[i].clean.list, rows[i].clean.count, sizeof(struct sample), by_cpu);
        qsort(rows[i].noisy.list, rows[i].noisy.count, sizeof(struct sample), by_cpu);
    }
    for (size_t i = 0; i < count; i++) {
        print_row(&rows[i], &rows[i & ~(size_t)1]);
    }
}

/* The aim is about four hops against four times one unary hop. A group of rows is one number of
 * calls in flight: unary and hop of 1, of 2, of 3, of 4 layers. */
static void print_aim(const struct row *rows, size_t count)
{
    (void)printf("\n| CPU of | in flight | aim | reached |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < count; i += 2 * LAYERS_MAX) {
        double hop_us = median(&rows[i + 2 * LAYERS_MAX - 1])->cpu_us;
        double unary_us = median(&rows[i])->cpu_us;

        (void)printf("| four hops (%.1f µs), of four unary echo hops (4 × %.1f µs) | %u | ≤ 0.15 "
                     "under load | %.2f |\n",
                     hop_us, unary_us, rows[i].variant.in_flight, hop_us / (LAYERS_MAX * unary_us));
    }
}

static size_t plan(struct row *rows, const char *credentials_dir, const char *const *in_flight,
                   int in_flight_count)
{
    size_t count = 0;

    for (int i = 0; i < in_flight_count && count + 2 * LAYERS_MAX <= VARIANTS_MAX; i++) {
        for (int layers = 1; layers <= LAYERS_MAX; layers++) {
            struct bench_variant variant = {.layers = layers,
                                            .in_flight = (unsigned)strtoul(in_flight[i], NULL, 10),
                                            .credentials_dir = credentials_dir};

            variant.name = "unary";
            variant.leaf = unary_leaf;
            variant.forwarder = unary_forwarder;
            variant.client = unary_client;
            rows[count++].variant = variant;
            variant.name = "hop";
            variant.leaf = hop_leaf;
            variant.forwarder = hop_forwarder;
            variant.client = hop_client;
            rows[count++].variant = variant;
        }
    }
    return count;
}

static char credentials_dir[] = "/tmp/kw-bench-XXXXXX";
static pid_t parent;

/* However the bench ends; its processes share this. */
static void remove_credentials(void)
{
    if (getpid() == parent) {
        test_credentials_remove(credentials_dir);
    }
}

int main(int argc, char **argv)
{
    static const char *const in_flight_default[] = {"1", "64", "256"};
    static const char *const uris[] = {BENCH_ID, NULL};
    static struct row rows[VARIANTS_MAX];
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS_DEFAULT;
    struct test_ca ca;
    size_t count;

    bench_require(rounds > 0 && rounds <= ROUNDS_MAX, "1 to 50 rounds");
    parent = getpid();
    bench_must(mkdtemp(credentials_dir));
    (void)atexit(remove_credentials);
    test_ca_init(&ca, "bench");
    test_credentials(credentials_dir, &ca, &ca, uris);
    count = argc > 2 ? plan(rows, credentials_dir, (const char *const *)argv + 2, argc - 2)
                     : plan(rows, credentials_dir, in_flight_default, 3);
    for (unsigned long round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            run_once(&rows[i]);
        }
    }
    print_table(rows, count);
    print_aim(rows, count);
    test_ca_done(&ca);
    return EXIT_SUCCESS;
}
