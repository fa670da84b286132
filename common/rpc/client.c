/* The waiting client: a channel and a completion queue that is plucked for one operation at a time.
 */
#include "common/rpc/client.h"

#include "common/base/limits.h"
#include "common/rpc/creds.h"
#include "common/rpc/tag.h"

#include <grpc/byte_buffer_reader.h>
#include <stdlib.h>

struct kw_client {
    grpc_channel *channel;
    grpc_completion_queue *queue;
};

/* An operation gRPC may still hold; its address is the tag. */
struct operation {
    bool pending;
    bool ok;
};

struct kw_client_stream {
    struct kw_client *client;
    grpc_call *call;
    struct operation opening; /* initial metadata, there and back */
    struct operation sending;
    struct operation receiving;
    struct operation ending;
    struct operation closing; /* the status */
    grpc_byte_buffer *sent;
    grpc_byte_buffer *received;
    grpc_metadata *metadata;
    size_t metadata_count;
    grpc_metadata_array headers;
    grpc_metadata_array trailers;
    grpc_status_code status;
    grpc_slice text;
};

/* --- the client --- */

static grpc_channel *make_channel(const char *target, grpc_channel_credentials *creds)
{
    grpc_arg args[] = {
        KW_RPC_INTEGER_ARG(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        KW_RPC_INTEGER_ARG(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        KW_RPC_INTEGER_ARG(GRPC_ARG_ENABLE_RETRIES, 0),
        KW_RPC_INTEGER_ARG(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        KW_RPC_INTEGER_ARG(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        KW_RPC_INTEGER_ARG(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, KW_HOP_MESSAGE_LEN_MAX),
    };
    const grpc_channel_args channel_args = {sizeof(args) / sizeof(args[0]), args};

    return grpc_channel_create(target, creds, &channel_args);
}

struct kw_result kw_client_new(const struct kw_client_options *options,
                               struct kw_client **ret_client, struct kw_error *err)
{
    const struct kw_creds_files files = {
        .key = options->key_file, .cert = options->cert_file, .ca = options->ca_file};
    const char *const ids[] = {options->peer, NULL};
    struct kw_client *client = calloc(1, sizeof(*client));
    grpc_channel_credentials *creds;
    struct kw_result made;

    KW_ENSURE(client != NULL, err, MEMORY, "client");
    kw_grpc_start();
    made = kw_creds_client(&files, ids, &creds, err);
    if (!kw_ok(made)) {
        kw_grpc_stop();
        free(client);
        return made;
    }
    client->queue = grpc_completion_queue_create_for_pluck(NULL);
    client->channel = make_channel(options->target, creds);
    grpc_channel_credentials_release(creds);
    *ret_client = client;
    return KW_OK;
}

void kw_client_free(struct kw_client *client)
{
    if (client == NULL) {
        return;
    }
    grpc_channel_destroy(client->channel);
    grpc_completion_queue_shutdown(client->queue);
    while (
        grpc_completion_queue_pluck(client->queue, NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL)
            .type != GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(client->queue);
    kw_grpc_stop();
    free(client);
}

/* --- operations --- */

static void start(struct kw_client_stream *stream, struct operation *operation, const grpc_op *ops,
                  size_t count)
{
    operation->ok = false;
    operation->pending =
        grpc_call_start_batch(stream->call, ops, count, operation, NULL) == GRPC_CALL_OK;
}

/* Waits until gRPC is done with it. No deadline of its own: the call has one. */
static bool await(struct kw_client_stream *stream, struct operation *operation)
{
    if (operation->pending) {
        grpc_event event = grpc_completion_queue_pluck(stream->client->queue, operation,
                                                       gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

        operation->pending = false;
        operation->ok = event.type == GRPC_OP_COMPLETE && event.success != 0;
    }
    return operation->ok;
}

/* --- opening --- */

static struct kw_result take_metadata(struct kw_client_stream *stream,
                                      const struct kw_client_call *call, struct kw_error *err)
{
    stream->metadata = calloc(call->metadata_count + 1, sizeof(stream->metadata[0]));
    KW_ENSURE(stream->metadata != NULL, err, MEMORY, "metadata");
    for (size_t i = 0; i < call->metadata_count; i++) {
        struct kw_bytes value = call->metadata[i].value;
        grpc_slice key = grpc_slice_from_static_string(call->metadata[i].name);
        bool binary = grpc_is_binary_header(key) != 0;

        stream->metadata[i].key = grpc_slice_from_copied_string(call->metadata[i].name);
        stream->metadata[i].value =
            grpc_slice_from_copied_buffer((const char *)value.data, value.len);
        KW_ENSURE(grpc_header_key_is_legal(key) != 0 &&
                      (binary || grpc_header_nonbin_value_is_legal(stream->metadata[i].value) != 0),
                  err, ARGUMENT_INVALID, "metadata %s", call->metadata[i].name);
    }
    return KW_OK;
}

static void release_metadata(grpc_metadata *metadata, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        grpc_slice_unref(metadata[i].key);
        grpc_slice_unref(metadata[i].value);
    }
    free(metadata);
}

static grpc_call *make_call(struct kw_client *client, const struct kw_client_call *call)
{
    gpr_timespec deadline =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_millis((int64_t)call->timeout_ms, GPR_TIMESPAN));
    grpc_slice path = grpc_slice_from_copied_string(call->path);
    grpc_call *made = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                               client->queue, path, NULL, deadline, NULL);

    grpc_slice_unref(path); /* the call has taken a reference of its own */
    return made;
}

static void begin(struct kw_client_stream *stream, size_t metadata_count)
{
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    grpc_op headers[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                          {.op = GRPC_OP_RECV_INITIAL_METADATA}};

    status.data.recv_status_on_client.trailing_metadata = &stream->trailers;
    status.data.recv_status_on_client.status = &stream->status;
    status.data.recv_status_on_client.status_details = &stream->text;
    start(stream, &stream->closing, &status, 1);
    headers[0].data.send_initial_metadata.metadata = stream->metadata;
    headers[0].data.send_initial_metadata.count = metadata_count;
    headers[1].data.recv_initial_metadata.recv_initial_metadata = &stream->headers;
    start(stream, &stream->opening, headers, 2);
}

struct kw_result kw_client_stream_open(struct kw_client *client, const struct kw_client_call *call,
                                       struct kw_client_stream **ret_stream, struct kw_error *err)
{
    struct kw_client_stream *stream = calloc(1, sizeof(*stream));
    struct kw_result taken;

    KW_ENSURE(stream != NULL, err, MEMORY, "client stream");
    stream->client = client;
    stream->text = grpc_empty_slice();
    grpc_metadata_array_init(&stream->headers);
    grpc_metadata_array_init(&stream->trailers);
    taken = take_metadata(stream, call, err);
    stream->metadata_count = stream->metadata != NULL ? call->metadata_count : 0;
    if (!kw_ok(taken)) {
        kw_client_stream_free(stream);
        return taken;
    }
    stream->call = make_call(client, call);
    begin(stream, call->metadata_count);
    *ret_stream = stream;
    return KW_OK;
}

/* --- messages --- */

static void release_sent(struct kw_client_stream *stream)
{
    grpc_byte_buffer_destroy(stream->sent);
    stream->sent = NULL;
}

struct kw_result kw_client_stream_send(struct kw_client_stream *stream, struct kw_bytes message,
                                       struct kw_error *err)
{
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    bool first = stream->sent == NULL;
    grpc_slice slice;

    KW_ENSURE(await(stream, &stream->sending) || first, err, PEER_UNAVAILABLE, "the call is over");
    release_sent(stream);
    slice = grpc_slice_from_copied_buffer((const char *)message.data, message.len);
    stream->sent = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    op.data.send_message.send_message = stream->sent;
    start(stream, &stream->sending, &op, 1);
    KW_ENSURE(stream->sending.pending, err, PEER_UNAVAILABLE, "the call takes no message");
    return KW_OK;
}

struct kw_result kw_client_stream_end(struct kw_client_stream *stream, struct kw_error *err)
{
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};

    start(stream, &stream->ending, &op, 1);
    KW_ENSURE(stream->ending.pending, err, PEER_UNAVAILABLE, "the call was ended before");
    return KW_OK;
}

/* Waits for one message; it stays in `received`, NULL when there are no more. */
static void receive(struct kw_client_stream *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

    grpc_byte_buffer_destroy(stream->received);
    stream->received = NULL;
    op.data.recv_message.recv_message = &stream->received;
    start(stream, &stream->receiving, &op, 1);
    (void)await(stream, &stream->receiving);
}

static struct kw_result copy_received(struct kw_client_stream *stream, struct kw_arena *arena,
                                      struct kw_bytes *ret_message, struct kw_error *err)
{
    grpc_byte_buffer_reader reader;
    struct kw_result copied;
    grpc_slice slice;

    KW_ENSURE(grpc_byte_buffer_reader_init(&reader, stream->received) != 0, err, MEMORY,
              "the message cannot be read");
    slice = grpc_byte_buffer_reader_readall(&reader);
    copied = kw_arena_copy(arena, KW_BYTES(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice)),
                           ret_message, err);
    grpc_slice_unref(slice);
    grpc_byte_buffer_reader_destroy(&reader);
    return copied;
}

struct kw_result kw_client_stream_receive(struct kw_client_stream *stream, struct kw_arena *arena,
                                          struct kw_bytes *ret_message, bool *ret_more,
                                          struct kw_error *err)
{
    receive(stream);
    if (stream->received == NULL) {
        *ret_more = false;
        return KW_OK;
    }
    KW_TRY(copy_received(stream, arena, ret_message, err));
    *ret_more = true;
    return KW_OK;
}

/* --- the end --- */

static struct kw_result copy_text(struct kw_arena *arena, grpc_slice slice, const char **ret_text,
                                  struct kw_error *err)
{
    *ret_text =
        kw_arena_text(arena, (const char *)GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
    KW_ENSURE(*ret_text != NULL, err, MEMORY, "request budget: metadata");
    return KW_OK;
}

static struct kw_result copy_trailers(const struct kw_client_stream *stream, struct kw_arena *arena,
                                      struct kw_client_reply *reply, struct kw_error *err)
{
    size_t count = stream->trailers.count;
    struct kw_client_metadata *trailers = kw_arena_alloc(arena, (count + 1) * sizeof(*trailers));

    KW_ENSURE(trailers != NULL, err, MEMORY, "request budget: %zu trailers", count);
    for (size_t i = 0; i < count; i++) {
        grpc_slice value = stream->trailers.metadata[i].value;

        KW_TRY(copy_text(arena, stream->trailers.metadata[i].key, &trailers[i].name, err));
        KW_TRY(kw_arena_copy(arena, KW_BYTES(GRPC_SLICE_START_PTR(value), GRPC_SLICE_LENGTH(value)),
                             &trailers[i].value, err));
    }
    reply->trailers = trailers;
    reply->trailer_count = count;
    return KW_OK;
}

/* An answer left unread would hold the status back until the deadline. */
static void await_end(struct kw_client_stream *stream)
{
    do {
        receive(stream);
    } while (stream->received != NULL);
    (void)await(stream, &stream->closing);
    (void)await(stream, &stream->opening);
    (void)await(stream, &stream->sending);
    (void)await(stream, &stream->ending);
}

struct kw_result kw_client_stream_finish(struct kw_client_stream *stream, struct kw_arena *arena,
                                         struct kw_client_reply *ret_reply, struct kw_error *err)
{
    struct kw_client_reply reply = {0};

    await_end(stream);
    reply.code = (enum kw_grpc_code)stream->status;
    KW_TRY(copy_text(arena, stream->text, &reply.text, err));
    KW_TRY(copy_trailers(stream, arena, &reply, err));
    *ret_reply = reply;
    return KW_OK;
}

void kw_client_stream_free(struct kw_client_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    if (stream->call != NULL) {
        if (stream->closing.pending) {
            (void)grpc_call_cancel(stream->call, NULL);
            await_end(stream);
        }
        grpc_call_unref(stream->call);
    }
    release_sent(stream);
    grpc_byte_buffer_destroy(stream->received);
    release_metadata(stream->metadata, stream->metadata_count);
    grpc_metadata_array_destroy(&stream->headers);
    grpc_metadata_array_destroy(&stream->trailers);
    grpc_slice_unref(stream->text);
    free(stream);
}

/* A send that fails is not the answer: the status is. */
static struct kw_result exchange(struct kw_client_stream *stream, struct kw_bytes request,
                                 struct kw_arena *arena, struct kw_client_reply *ret_reply,
                                 struct kw_error *err)
{
    struct kw_bytes message = KW_BYTES_NONE;
    bool more = false;

    KW_IGNORE(kw_client_stream_send(stream, request, err));
    KW_IGNORE(kw_client_stream_end(stream, err));
    KW_TRY(kw_client_stream_receive(stream, arena, &message, &more, err));
    KW_TRY(kw_client_stream_finish(stream, arena, ret_reply, err));
    ret_reply->message = message;
    return KW_OK;
}

struct kw_result kw_client_unary(struct kw_client *client, const struct kw_client_call *call,
                                 struct kw_bytes request, struct kw_arena *arena,
                                 struct kw_client_reply *ret_reply, struct kw_error *err)
{
    struct kw_client_stream *stream;
    struct kw_result result;

    KW_TRY(kw_client_stream_open(client, call, &stream, err));
    result = exchange(stream, request, arena, ret_reply, err);
    kw_client_stream_free(stream);
    return result;
}

const struct kw_bytes *kw_client_trailer(const struct kw_client_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->trailer_count; i++) {
        if (strcmp(reply->trailers[i].name, name) == 0) {
            return &reply->trailers[i].value;
        }
    }
    return NULL;
}
