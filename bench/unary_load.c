/* Unary load: closed loop (as many calls at all times) and open loop (as many calls a second, at
 * random times). */
#include "bench/grpc_load.h"
#include "common/base/clock.h"

#include <math.h>
#include <stdlib.h>

#define OPEN_MAX                                                                                   \
    16384U /* calls of the open loop that may wait for an answer; what comes above has failed */

struct lane {
    struct unary_call call; /* first: the tag */
    struct load *load;
    struct lane *next_free;
    uint64_t start_ns;
};

static void lane_start(struct lane *lane, void (*done)(struct step *step, int ok), unsigned channel)
{
    struct load *load = lane->load;

    lane->call = (struct unary_call){.step = {done},
                                     .node = &load->node,
                                     .channel = load->channels[channel % load->channel_count],
                                     .path = load->path,
                                     .timeout_ms = (int)load->timeout_ms,
                                     .request = load_next_message(load)};
    unary_call_start(&lane->call);
}

/* An answer without a byte is no answer. */
static int lane_end(struct lane *lane)
{
    int well = unary_call_end(&lane->call) && grpc_byte_buffer_length(lane->call.answer) > 0;

    grpc_byte_buffer_destroy(lane->call.answer);
    return well;
}

/* --- closed loop --- */

static void on_closed(struct step *step, int ok)
{
    struct lane *lane = (struct lane *)step;
    int well = lane_end(lane) && ok;

    bench_watch_call(&lane->load->watch, lane->start_ns, !well);
    lane->start_ns = kw_clock_mono_ns();
    lane_start(lane, on_closed, (unsigned)(lane - (struct lane *)lane->load->node.user));
}

void load_closed(struct load *load)
{
    struct lane *lanes = bench_must(calloc(load->in_flight, sizeof(*lanes)));

    load->node.user = lanes;
    for (unsigned i = 0; i < load->in_flight; i++) {
        lanes[i].load = load;
        lanes[i].start_ns = kw_clock_mono_ns();
        lane_start(&lanes[i], on_closed, i);
    }
    unary_node_run(&load->node);
}

/* --- open loop --- */

struct open_loop {
    struct load *load;
    struct lane *free;
    uint64_t next_ns; /* when the next call is due */
    uint64_t random;
    unsigned started;
};

static void on_open(struct step *step, int ok)
{
    struct lane *lane = (struct lane *)step;
    struct open_loop *loop = lane->load->node.user;
    int well = lane_end(lane) && ok;

    bench_watch_call(&lane->load->watch, lane->start_ns, !well);
    lane->next_free = loop->free;
    loop->free = lane;
}

/* Exponential, so that arrivals are a Poisson process: splitmix64, then the inverse of the
 * distribution. */
static uint64_t interval_ns(struct open_loop *loop)
{
    uint64_t z = loop->random += 0x9e3779b97f4a7c15U;
    double uniform;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    uniform = (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0; /* 2^53 */
    return (uint64_t)(-log(1.0 - uniform) * KW_NS_PER_S / loop->load->rate);
}

/* All calls that are due. Latency counts from when a call was due, not from when this loop came to
 * it. */
static void start_due(struct open_loop *loop)
{
    uint64_t now_ns = kw_clock_mono_ns();

    while (loop->next_ns <= now_ns) {
        struct lane *lane = loop->free;

        if (lane == NULL) {
            bench_watch_call(&loop->load->watch, loop->next_ns, 1);
        } else {
            loop->free = lane->next_free;
            lane->start_ns = loop->next_ns;
            lane_start(lane, on_open, loop->started++);
        }
        loop->next_ns += interval_ns(loop);
    }
}

void load_open(struct load *load)
{
    struct open_loop loop = {
        .load = load, .next_ns = kw_clock_mono_ns(), .random = kw_clock_mono_ns()};
    struct lane *lanes = bench_must(calloc(OPEN_MAX, sizeof(*lanes)));

    load->node.user = &loop;
    for (unsigned i = 0; i < OPEN_MAX; i++) {
        lanes[i].load = load;
        lanes[i].next_free = loop.free;
        loop.free = &lanes[i];
    }
    for (;;) {
        start_due(&loop);
        unary_node_step(&load->node, gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                                  gpr_time_from_millis(1, GPR_TIMESPAN)));
    }
}
