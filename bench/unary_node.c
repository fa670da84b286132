/* The node, its calls to a server, and its server. */
#include "bench/unary_node.h"

#include "common/rpc/tag.h"

#include <stdlib.h>

#define SLOTS 256U /* incoming calls gRPC may hand over at once */

void unary_node_init(struct unary_node *node)
{
    *node = (struct unary_node){0};
    kw_grpc_start();
    node->queue = grpc_completion_queue_create_for_next(NULL);
}

void unary_node_step(struct unary_node *node, gpr_timespec until)
{
    grpc_event event = grpc_completion_queue_next(node->queue, until, NULL);
    struct step *step = event.tag;

    if (event.type != GRPC_QUEUE_TIMEOUT) {
        bench_require(event.type == GRPC_OP_COMPLETE, "completion");
        step->done(step, event.success);
    }
}

void unary_node_run(struct unary_node *node)
{
    for (;;) {
        unary_node_step(node, gpr_inf_future(GPR_CLOCK_MONOTONIC));
    }
}

void unary_start(grpc_call *call, const grpc_op *ops, size_t count, struct step *step)
{
    bench_require(grpc_call_start_batch(call, ops, count, step, NULL) == GRPC_CALL_OK, "batch");
}

grpc_channel *unary_channel(const char *target, grpc_channel_credentials *creds)
{
    grpc_arg args[] = {KW_RPC_INTEGER_ARG(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
                       KW_RPC_INTEGER_ARG(GRPC_ARG_ENABLE_RETRIES, 0),
                       KW_RPC_INTEGER_ARG(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1)};
    const grpc_channel_args channel_args = {sizeof(args) / sizeof(args[0]), args};
    grpc_channel *channel = grpc_channel_create(target, creds, &channel_args);

    grpc_channel_credentials_release(creds);
    return bench_must(channel);
}

/* --- calls to a server --- */

void unary_call_start(struct unary_call *call)
{
    grpc_op ops[6] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},  {.op = GRPC_OP_SEND_MESSAGE},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, {.op = GRPC_OP_RECV_INITIAL_METADATA},
        {.op = GRPC_OP_RECV_MESSAGE},           {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};

    grpc_metadata_array_init(&call->headers);
    grpc_metadata_array_init(&call->trailers);
    call->call =
        grpc_channel_create_call(call->channel, NULL, GRPC_PROPAGATE_DEFAULTS, call->node->queue,
                                 grpc_slice_from_static_string(call->path), NULL,
                                 gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                              gpr_time_from_millis(call->timeout_ms, GPR_TIMESPAN)),
                                 NULL);
    ops[1].data.send_message.send_message = call->request;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &call->headers;
    ops[4].data.recv_message.recv_message = &call->answer;
    ops[5].data.recv_status_on_client.trailing_metadata = &call->trailers;
    ops[5].data.recv_status_on_client.status = &call->status;
    ops[5].data.recv_status_on_client.status_details = &call->details;
    unary_start(call->call, ops, 6, &call->step);
}

int unary_call_end(struct unary_call *call)
{
    int well = call->status == GRPC_STATUS_OK && call->answer != NULL;

    grpc_metadata_array_destroy(&call->headers);
    grpc_metadata_array_destroy(&call->trailers);
    grpc_slice_unref(call->details);
    grpc_byte_buffer_destroy(call->request);
    grpc_call_unref(call->call);
    if (!well) {
        grpc_byte_buffer_destroy(call->answer);
        call->answer = NULL;
    }
    return well;
}

/* --- a server --- */

static void on_answered(struct step *step, int ok)
{
    struct unary_incoming *in = (struct unary_incoming *)step;

    (void)ok; /* the client may be gone */
    grpc_byte_buffer_destroy(in->message);
    grpc_metadata_array_destroy(&in->metadata);
    grpc_call_unref(in->call);
    free(in);
}

void unary_answer(struct unary_incoming *in)
{
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE},
                      {.op = GRPC_OP_SEND_STATUS_FROM_SERVER},
                      {.op = GRPC_OP_RECV_CLOSE_ON_SERVER}};

    ops[1].data.send_message.send_message = in->message;
    ops[2].data.send_status_from_server.status = GRPC_STATUS_OK;
    ops[3].data.recv_close_on_server.cancelled = &in->cancelled;
    in->step.done = on_answered;
    unary_start(in->call, ops, 4, &in->step);
}

static void request_next(struct unary_node *node, void (*serve)(struct unary_incoming *in));

static void on_incoming(struct step *step, int ok)
{
    struct unary_incoming *in = (struct unary_incoming *)step;

    bench_require(ok, "incoming call");
    request_next(in->node, in->serve);
    in->serve(in);
}

static void request_next(struct unary_node *node, void (*serve)(struct unary_incoming *in))
{
    struct unary_incoming *in = bench_must(calloc(1, sizeof(*in)));

    in->node = node;
    in->serve = serve;
    in->step.done = on_incoming;
    grpc_metadata_array_init(&in->metadata);
    bench_require(grpc_server_request_registered_call(
                      node->server, node->method, &in->call, &in->deadline, &in->metadata,
                      &in->message, node->queue, node->queue, &in->step) == GRPC_CALL_OK,
                  "request");
}

int unary_listen(struct unary_node *node, const char *path, grpc_server_credentials *creds,
                 void (*serve)(struct unary_incoming *in))
{
    grpc_arg args[] = {KW_RPC_INTEGER_ARG(GRPC_ARG_ALLOW_REUSEPORT, 0)};
    const grpc_channel_args channel_args = {1, args};
    int port;

    node->server = grpc_server_create(&channel_args, NULL);
    grpc_server_register_completion_queue(node->server, node->queue, NULL);
    node->method = grpc_server_register_method(node->server, path, NULL,
                                               GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    port = grpc_server_add_http2_port(node->server, "127.0.0.1:0", creds);
    grpc_server_credentials_release(creds);
    bench_require(port > 0, "port");
    grpc_server_start(node->server);
    for (unsigned i = 0; i < SLOTS; i++) {
        request_next(node, serve);
    }
    return port;
}
