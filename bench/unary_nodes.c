/* The yardstick: the same chain as one unary gRPC call per request and hop, as a plain gRPC server
 * does it: a completion queue, a thread that takes its events, handlers in that thread. Same
 * certificates and TLS. */
#include "bench/hop_bench.h"
#include "common/base/clock.h"
#include "common/rpc/creds.h"
#include "common/rpc/tag.h"

#include <grpc/grpc.h>
#include <stdio.h>
#include <stdlib.h>

#define METHOD "/bench.Echo/Call"
#define SLOTS  256U /* incoming calls gRPC may hand over at once */

static const char *const peers[] = {BENCH_ID, NULL};

struct unary_node {
    grpc_completion_queue *queue;
    grpc_server *server;
    void *method;
    grpc_channel *inner; /* NULL in the leaf */
    struct bench_watch watch;
};

/* What a completion belongs to, and what to do with it. */
struct step {
    void (*done)(struct step *step);
};

static void node_init(struct unary_node *node)
{
    *node = (struct unary_node){0};
    kw_grpc_start();
    node->queue = grpc_completion_queue_create_for_next(NULL);
}

static void node_run(struct unary_node *node)
{
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(node->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        struct step *step = event.tag;

        bench_require(event.type == GRPC_OP_COMPLETE && event.success != 0, "completion");
        step->done(step);
    }
}

static void start(grpc_call *call, const grpc_op *ops, size_t count, struct step *step)
{
    bench_require(grpc_call_start_batch(call, ops, count, step, NULL) == GRPC_CALL_OK, "batch");
}

static void node_connect(struct unary_node *node, const struct bench_variant *variant, int port)
{
    grpc_channel_credentials *creds;
    grpc_arg args[] = {KW_RPC_INTEGER_ARG(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
                       KW_RPC_INTEGER_ARG(GRPC_ARG_ENABLE_RETRIES, 0)};
    const grpc_channel_args channel_args = {sizeof(args) / sizeof(args[0]), args};
    char target[32];

    (void)snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    bench_require(kw_ok(kw_creds_client_dir(variant->credentials_dir, peers, &creds, NULL)),
                  "creds");
    node->inner = grpc_channel_create(target, creds, &channel_args);
    grpc_channel_credentials_release(creds);
}

/* --- a call to the inner side --- */

struct outgoing {
    struct step step; /* first: the tag */
    struct unary_node *node;
    grpc_call *call;
    grpc_byte_buffer *request; /* borrowed until the end */
    grpc_byte_buffer *answer;
    grpc_metadata_array headers;
    grpc_metadata_array trailers;
    grpc_status_code status;
    grpc_slice details;
    uint64_t start_ns;
    void *user;
};

static void outgoing_start(struct outgoing *out)
{
    grpc_op ops[6] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
        {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};

    grpc_metadata_array_init(&out->headers);
    grpc_metadata_array_init(&out->trailers);
    out->call = grpc_channel_create_call(
        out->node->inner, NULL, GRPC_PROPAGATE_DEFAULTS, out->node->queue,
        grpc_slice_from_static_string(METHOD), NULL,
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(20, GPR_TIMESPAN)), NULL);
    ops[1].data.send_message.send_message = out->request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &out->headers;
    ops[4].data.recv_message.recv_message = &out->answer;
    ops[5].data.recv_status_on_client.trailing_metadata = &out->trailers;
    ops[5].data.recv_status_on_client.status = &out->status;
    ops[5].data.recv_status_on_client.status_details = &out->details;
    start(out->call, ops, 6, &out->step);
}

/* Everything but the answer, which is the caller's. */
static void outgoing_end(struct outgoing *out)
{
    bench_require(out->status == GRPC_STATUS_OK && out->answer != NULL &&
                      grpc_byte_buffer_length(out->answer) == BENCH_MESSAGE_LEN,
                  "unary call");
    grpc_metadata_array_destroy(&out->headers);
    grpc_metadata_array_destroy(&out->trailers);
    grpc_slice_unref(out->details);
    grpc_call_unref(out->call);
}

/* --- a call from the outer side --- */

struct incoming {
    struct step step; /* first: the tag */
    struct unary_node *node;
    grpc_call *call;
    grpc_metadata_array metadata;
    gpr_timespec deadline;
    grpc_byte_buffer *message; /* the request, then the answer */
    int cancelled;
    struct outgoing out;
};

static void on_answered(struct step *step)
{
    struct incoming *in = (struct incoming *)step;

    grpc_byte_buffer_destroy(in->message);
    grpc_metadata_array_destroy(&in->metadata);
    grpc_call_unref(in->call);
    free(in);
}

static void answer(struct incoming *in)
{
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_STATUS_FROM_SERVER},
                      {.op = GRPC_OP_RECV_CLOSE_ON_SERVER}};

    ops[1].data.send_message.send_message = in->message;
    ops[2].data.send_status_from_server.status = GRPC_STATUS_OK;
    ops[3].data.recv_close_on_server.cancelled = &in->cancelled;
    in->step.done = on_answered;
    start(in->call, ops, 4, &in->step);
}

static void on_inner_answer(struct step *step)
{
    struct outgoing *out = (struct outgoing *)step;
    struct incoming *in = out->user;

    outgoing_end(out);
    grpc_byte_buffer_destroy(in->message);
    in->message = out->answer;
    answer(in);
}

static void request_next(struct unary_node *node);

static void on_incoming(struct step *step)
{
    struct incoming *in = (struct incoming *)step;

    request_next(in->node);
    if (in->node->inner == NULL) {
        answer(in);
        return;
    }
    in->out =
        (struct outgoing){.step = {on_inner_answer}, .node = in->node, .request = in->message};
    in->out.user = in;
    outgoing_start(&in->out);
}

static void request_next(struct unary_node *node)
{
    struct incoming *in = bench_must(calloc(1, sizeof(*in)));

    in->node = node;
    in->step.done = on_incoming;
    grpc_metadata_array_init(&in->metadata);
    bench_require(grpc_server_request_registered_call(
                      node->server, node->method, &in->call, &in->deadline, &in->metadata,
                      &in->message, node->queue, node->queue, &in->step) == GRPC_CALL_OK,
                  "request");
}

static void node_listen(struct unary_node *node, const struct bench_variant *variant, int report_fd)
{
    struct bench_report report = {.word = BENCH_PORT};
    grpc_server_credentials *creds;
    grpc_arg args[] = {KW_RPC_INTEGER_ARG(GRPC_ARG_ALLOW_REUSEPORT, 0)};
    const grpc_channel_args channel_args = {1, args};

    bench_require(kw_ok(kw_creds_server_dir(variant->credentials_dir, peers, &creds, NULL)),
                  "creds");
    node->server = grpc_server_create(&channel_args, NULL);
    grpc_server_register_completion_queue(node->server, node->queue, NULL);
    node->method = grpc_server_register_method(node->server, METHOD, NULL,
                                               GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    report.port = grpc_server_add_http2_port(node->server, "127.0.0.1:0", creds);
    grpc_server_credentials_release(creds);
    grpc_server_start(node->server);
    for (unsigned i = 0; i < SLOTS; i++) {
        request_next(node);
    }
    bench_report(report_fd, &report);
}

void unary_leaf(const struct bench_variant *variant, int report_fd)
{
    struct unary_node node;

    node_init(&node);
    node_listen(&node, variant, report_fd);
    node_run(&node);
}

void unary_forwarder(const struct bench_variant *variant, int inner_port, int report_fd)
{
    struct unary_node node;

    node_init(&node);
    node_connect(&node, variant, inner_port);
    node_listen(&node, variant, report_fd);
    node_run(&node);
}

/* --- the client --- */

static void lane_start(struct outgoing *lane);

static void on_lane(struct step *step)
{
    struct outgoing *lane = (struct outgoing *)step;

    outgoing_end(lane);
    grpc_byte_buffer_destroy(lane->request);
    grpc_byte_buffer_destroy(lane->answer);
    bench_watch_call(&lane->node->watch, lane->start_ns);
    lane_start(lane);
}

/* A buffer for each call: gRPC takes the slices of the one it sends. */
static void lane_start(struct outgoing *lane)
{
    grpc_slice slice = grpc_slice_from_static_buffer(bench_message, BENCH_MESSAGE_LEN);

    *lane = (struct outgoing){.step = {on_lane},
                              .node = lane->node,
                              .request = grpc_raw_byte_buffer_create(&slice, 1),
                              .start_ns = kw_clock_mono_ns()};
    outgoing_start(lane);
}

void unary_client(const struct bench_variant *variant, int inner_port, int report_fd)
{
    struct unary_node node;
    struct outgoing *lanes = bench_must(calloc(variant->in_flight, sizeof(*lanes)));

    node_init(&node);
    bench_watch_init(&node.watch, report_fd);
    node_connect(&node, variant, inner_port);
    for (unsigned i = 0; i < variant->in_flight; i++) {
        lanes[i].node = &node;
        lane_start(&lanes[i]);
    }
    node_run(&node);
}
