/* Hop processes: an echo leaf, a forwarder between two hops, and a client that keeps calls in
 * flight. */
#include "bench/hop_bench.h"
#include "common/base/clock.h"
#include "common/rpc/hop.h"
#include "common/rpc/rpc.h"

#include <stdio.h>
#include <stdlib.h>

#define CALL_TIMEOUT_NS (20ULL * 1000 * 1000 * 1000)

static const char *const peers[] = {BENCH_ID, NULL};

struct node {
    struct kw_loop *loop;
    struct kw_rpc *rpc;
    struct kw_hop_server *server;
    struct kw_hop_client *inner;
    struct bench_watch watch;
    unsigned in_flight;
};

static void node_init(struct node *node)
{
    struct kw_id boot_id;

    *node = (struct node){0};
    bench_require(kw_ok(kw_id_random(&boot_id, NULL)), "randomness");
    bench_require(kw_ok(kw_loop_new(&node->loop, NULL)), "loop");
    bench_require(kw_ok(kw_rpc_new(node->loop, boot_id, &node->rpc, NULL)), "rpc");
}

static void node_listen(struct node *node, const struct bench_variant *variant,
                        void (*open)(struct kw_hop_call *call, const struct kw_hop_peer *peer,
                                     const struct kw_hop_open *open, void *context),
                        int report_fd)
{
    const struct kw_hop_server_options options = {
        .listen = "127.0.0.1:0",
        .credentials_dir = variant->credentials_dir,
        .trust_domain = "bench",
        .peers = peers,
        .handler = {.open = open, .context = node},
    };
    int port;

    bench_require(kw_ok(kw_hop_server_new(node->rpc, &options, &node->server, &port, NULL)),
                  "hop server");
    bench_report_port(report_fd, port);
}

static void node_connect(struct node *node, const struct bench_variant *variant, int inner_port,
                         void (*state)(bool connected, struct kw_id boot_id, void *context))
{
    char target[32];
    const char *const targets[] = {target, NULL};
    const struct kw_hop_client_options options = {
        .targets = targets,
        .credentials_dir = variant->credentials_dir,
        .trust_domain = "bench",
        .peer = BENCH_ID,
        .state = state,
        .context = node,
    };

    (void)snprintf(target, sizeof(target), "127.0.0.1:%d", inner_port);
    bench_require(kw_ok(kw_hop_client_new(node->rpc, &options, &node->inner, NULL)), "hop client");
}

/* --- the leaf --- */

static void echo(struct kw_hop_call *call, const struct kw_hop_peer *peer,
                 const struct kw_hop_open *open, void *context)
{
    (void)peer;
    (void)context;
    kw_hop_reply(call, open->item);
}

void hop_leaf(const struct bench_variant *variant, int report_fd)
{
    struct node node;

    node_init(&node);
    node_listen(&node, variant, echo, report_fd);
    kw_loop_run(node.loop); /* until the parent ends this process */
}

/* --- the forwarder --- */

static void forwarded_data(struct kw_hop_call *call, struct kw_hop_item item, void *outer)
{
    (void)call;
    kw_hop_reply(outer, item);
}

/* The answer went out with its message; anything else ends the bench, which counts no failures. */
static void forwarded_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                             struct kw_bytes context, void *outer)
{
    (void)call;
    (void)context;
    (void)outer;
    bench_require(status->reason == KW_E_NONE, kw_reason_row(status->reason)->name);
}

static void forward(struct kw_hop_call *call, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    static const struct kw_hop_events inward = {.data = forwarded_data, .status = forwarded_status};
    static const struct kw_hop_events outward = {0};
    struct node *node = context;
    struct kw_hop_call *inner;

    (void)peer;
    kw_hop_serve(call, &outward, NULL);
    bench_require(kw_ok(kw_hop_open(node->inner, open, &inward, call, &inner, NULL)), "forwarding");
}

void hop_forwarder(const struct bench_variant *variant, int inner_port, int report_fd)
{
    struct node node;

    node_init(&node);
    node_connect(&node, variant, inner_port, NULL);
    while (!kw_hop_client_connected(node.inner)) {
        (void)uv_run(kw_loop_uv(node.loop), UV_RUN_ONCE);
    }
    node_listen(&node, variant, forward, report_fd);
    kw_loop_run(node.loop);
}

/* --- the client --- */

struct lane {
    struct node *node;
    uint64_t start_ns;
};

static void lane_open(struct lane *lane);

static void lane_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                        struct kw_bytes context, void *user)
{
    struct lane *lane = user;

    (void)call;
    (void)context;
    bench_require(status->reason == KW_E_NONE, kw_reason_row(status->reason)->name);
    bench_watch_call(&lane->node->watch, lane->start_ns, 0);
    lane_open(lane);
}

static void lane_open(struct lane *lane)
{
    static const struct kw_hop_events events = {.status = lane_status};
    struct kw_hop_call *call;
    struct kw_hop_open open = {.item = {.data = KW_BYTES(bench_message, BENCH_MESSAGE_LEN)},
                               .has_item = true,
                               .end = true};

    lane->start_ns = kw_clock_mono_ns();
    open.deadline_ns = lane->start_ns + CALL_TIMEOUT_NS;
    bench_require(kw_ok(kw_hop_open(lane->node->inner, &open, &events, lane, &call, NULL)),
                  "opening");
}

static void on_connected(bool connected, struct kw_id boot_id, void *context)
{
    struct node *node = context;
    struct lane *lanes = bench_must(calloc(node->in_flight, sizeof(*lanes)));

    (void)boot_id;
    bench_require(connected, "stream lost");
    for (unsigned i = 0; i < node->in_flight; i++) {
        lanes[i].node = node;
        lane_open(&lanes[i]);
    }
}

void hop_client(const struct bench_variant *variant, int inner_port, int report_fd)
{
    struct node node;

    node_init(&node);
    node.in_flight = variant->in_flight;
    bench_chain_watch(&node.watch, report_fd);
    node_connect(&node, variant, inner_port, on_connected);
    kw_loop_run(node.loop);
}
