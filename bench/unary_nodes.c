/* The yardstick of the hop bench: the same chain as one unary gRPC call per request and hop. Same
 * certificates and TLS. */
#include "bench/hop_bench.h"
#include "bench/unary_node.h"
#include "common/base/clock.h"
#include "common/rpc/creds.h"

#include <stdio.h>
#include <stdlib.h>

#define METHOD     "/bench.Echo/Call"
#define TIMEOUT_MS 20000

static const char *const peers[] = {BENCH_ID, NULL};

static grpc_channel *connect_inner(const struct bench_variant *variant, int port)
{
    grpc_channel_credentials *creds;
    char target[32];

    (void)snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    bench_require(kw_ok(kw_creds_client_dir(variant->credentials_dir, peers, &creds, NULL)),
                  "creds");
    return unary_channel(target, creds);
}

static void listen_outer(struct unary_node *node, const struct bench_variant *variant,
                         void (*serve)(struct unary_incoming *in), int report_fd)
{
    grpc_server_credentials *creds;

    bench_require(kw_ok(kw_creds_server_dir(variant->credentials_dir, peers, &creds, NULL)),
                  "creds");
    bench_report_port(report_fd, unary_listen(node, METHOD, creds, serve));
}

/* An answer that is not the message counts as no answer, and a chain counts no failures. */
static void end_well(struct unary_call *call)
{
    bench_require(unary_call_end(call) &&
                      grpc_byte_buffer_length(call->answer) == BENCH_MESSAGE_LEN,
                  "unary call");
}

void unary_leaf(const struct bench_variant *variant, int report_fd)
{
    struct unary_node node;

    unary_node_init(&node);
    listen_outer(&node, variant, unary_answer, report_fd);
    unary_node_run(&node);
}

/* --- the forwarder --- */

struct forwarded {
    struct unary_call call; /* first: the tag */
    struct unary_incoming *in;
};

static void on_forwarded(struct step *step, int ok)
{
    struct forwarded *forwarded = (struct forwarded *)step;

    (void)ok;
    end_well(&forwarded->call);
    forwarded->in->message = forwarded->call.answer;
    unary_answer(forwarded->in);
    free(forwarded);
}

static void forward(struct unary_incoming *in)
{
    struct forwarded *forwarded = bench_must(calloc(1, sizeof(*forwarded)));

    forwarded->in = in;
    forwarded->call = (struct unary_call){.step = {on_forwarded},
                                          .node = in->node,
                                          .channel = in->node->user,
                                          .path = METHOD,
                                          .timeout_ms = TIMEOUT_MS,
                                          .request = in->message};
    unary_call_start(&forwarded->call);
}

void unary_forwarder(const struct bench_variant *variant, int inner_port, int report_fd)
{
    struct unary_node node;

    unary_node_init(&node);
    node.user = connect_inner(variant, inner_port);
    listen_outer(&node, variant, forward, report_fd);
    unary_node_run(&node);
}

/* --- the client --- */

struct unary_lane {
    struct unary_call call; /* first: the tag */
    struct bench_watch *watch;
    uint64_t start_ns;
};

static void lane_start(struct unary_lane *lane);

static void on_lane(struct step *step, int ok)
{
    struct unary_lane *lane = (struct unary_lane *)step;

    (void)ok;
    end_well(&lane->call);
    grpc_byte_buffer_destroy(lane->call.answer);
    bench_watch_call(lane->watch, lane->start_ns, 0);
    lane_start(lane);
}

/* A buffer for each call: gRPC takes the slices of the one it sends. */
static void lane_start(struct unary_lane *lane)
{
    grpc_slice slice = grpc_slice_from_static_buffer(bench_message, BENCH_MESSAGE_LEN);

    lane->call = (struct unary_call){.step = {on_lane},
                                     .node = lane->call.node,
                                     .channel = lane->call.channel,
                                     .path = METHOD,
                                     .timeout_ms = TIMEOUT_MS,
                                     .request = grpc_raw_byte_buffer_create(&slice, 1)};
    lane->start_ns = kw_clock_mono_ns();
    unary_call_start(&lane->call);
}

void unary_client(const struct bench_variant *variant, int inner_port, int report_fd)
{
    struct unary_node node;
    struct bench_watch watch;
    grpc_channel *inner;
    struct unary_lane *lanes = bench_must(calloc(variant->in_flight, sizeof(*lanes)));

    unary_node_init(&node);
    bench_chain_watch(&watch, report_fd);
    inner = connect_inner(variant, inner_port);
    for (unsigned i = 0; i < variant->in_flight; i++) {
        lanes[i].call.node = &node;
        lanes[i].call.channel = inner;
        lanes[i].watch = &watch;
        lane_start(&lanes[i]);
    }
    unary_node_run(&node);
}
