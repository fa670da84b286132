/* Batch load: one BatchGetDeviceAccess stream, items kept in flight. The messages carry item ids
 * that count up from 0 through the whole file, so that an answer tells which item it is of. */
#include "bench/grpc_load.h"
#include "common/base/clock.h"
#include "keyward/v1/device_access_service.pb-c.h"

#include <grpc/byte_buffer_reader.h>
#include <stdlib.h>

#define DEADLINE_S 50 /* the method takes at most a minute */

struct part {
    struct step step; /* first: the tag */
    struct stream *stream;
};

struct stream {
    struct load *load;
    grpc_call *call;
    struct part sending;
    struct part receiving;
    struct part ending;
    grpc_byte_buffer *sent;
    grpc_byte_buffer *received;
    grpc_metadata_array headers;
    grpc_metadata_array trailers;
    grpc_status_code status;
    grpc_slice details;
    unsigned in_flight;
    int busy;            /* a message is being sent */
    uint64_t *starts_ns; /* by item id */
    size_t item_count;
    size_t next_item;
};

static void send_if_room(struct stream *stream)
{
    struct load *load = stream->load;
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    uint64_t now_ns = kw_clock_mono_ns();

    if (stream->busy || stream->in_flight + load->items > load->in_flight) {
        return;
    }
    for (unsigned i = 0; i < load->items; i++) {
        stream->starts_ns[stream->next_item++ % stream->item_count] = now_ns;
    }
    stream->in_flight += load->items;
    stream->busy = 1;
    stream->sent = load_next_message(load);
    op.data.send_message.send_message = stream->sent;
    unary_start(stream->call, &op, 1, &stream->sending.step);
}

static void on_sent(struct step *step, int ok)
{
    struct stream *stream = ((struct part *)step)->stream;

    bench_require(ok, "the stream took no message");
    grpc_byte_buffer_destroy(stream->sent);
    stream->busy = 0;
    send_if_room(stream);
}

static void receive(struct stream *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

    op.data.recv_message.recv_message = &stream->received;
    unary_start(stream->call, &op, 1, &stream->receiving.step);
}

static void take_results(struct stream *stream,
                         const Keyward__V1__BatchGetDeviceAccessResponse *response)
{
    for (size_t i = 0; i < response->n_results; i++) {
        const Keyward__V1__BatchAccessResult *result = response->results[i];

        bench_require(result->item_id < stream->item_count && stream->in_flight > 0,
                      "an answer to nothing");
        stream->in_flight--;
        bench_watch_call(&stream->load->watch, stream->starts_ns[result->item_id],
                         result->result_case != KEYWARD__V1__BATCH_ACCESS_RESULT__RESULT_ENVELOPE);
    }
}

static void on_received(struct step *step, int ok)
{
    struct stream *stream = ((struct part *)step)->stream;
    Keyward__V1__BatchGetDeviceAccessResponse *response;
    grpc_byte_buffer_reader reader;
    grpc_slice slice;

    if (!ok || stream->received == NULL) {
        return; /* the status says why */
    }
    bench_require(grpc_byte_buffer_reader_init(&reader, stream->received), "answer");
    slice = grpc_byte_buffer_reader_readall(&reader);
    response = keyward__v1__batch_get_device_access_response__unpack(NULL, GRPC_SLICE_LENGTH(slice),
                                                                     GRPC_SLICE_START_PTR(slice));
    take_results(stream, bench_must(response));
    keyward__v1__batch_get_device_access_response__free_unpacked(response, NULL);
    grpc_slice_unref(slice);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(stream->received);
    receive(stream);
    send_if_room(stream);
}

/* A stream that ends while it is measured ends the bench. */
static void on_ended(struct step *step, int ok)
{
    struct stream *stream = ((struct part *)step)->stream;
    char *details = grpc_slice_to_c_string(stream->details);

    (void)ok;
    bench_require(0, details);
}

static void on_headers(struct step *step, int ok)
{
    (void)step;
    (void)ok;
}

static void start(struct stream *stream)
{
    static struct step headers_step = {on_headers};
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    grpc_op headers[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                          {.op = GRPC_OP_RECV_INITIAL_METADATA}};

    grpc_metadata_array_init(&stream->headers);
    grpc_metadata_array_init(&stream->trailers);
    status.data.recv_status_on_client.trailing_metadata = &stream->trailers;
    status.data.recv_status_on_client.status = &stream->status;
    status.data.recv_status_on_client.status_details = &stream->details;
    headers[1].data.recv_initial_metadata.recv_initial_metadata = &stream->headers;
    unary_start(stream->call, &status, 1, &stream->ending.step);
    unary_start(stream->call, headers, 2, &headers_step);
    receive(stream);
    send_if_room(stream);
}

void load_stream(struct load *load)
{
    struct stream stream = {.load = load, .item_count = load->messages.count * load->items};

    bench_require(stream.item_count >= 2 * (size_t)load->in_flight, "more messages");
    stream.starts_ns = bench_must(calloc(stream.item_count, sizeof(uint64_t)));
    stream.sending = (struct part){{on_sent}, &stream};
    stream.receiving = (struct part){{on_received}, &stream};
    stream.ending = (struct part){{on_ended}, &stream};
    stream.call = grpc_channel_create_call(
        load->channels[0], NULL, GRPC_PROPAGATE_DEFAULTS, load->node.queue,
        grpc_slice_from_static_string(load->path), NULL,
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(DEADLINE_S, GPR_TIMESPAN)),
        NULL);
    start(&stream);
    unary_node_run(&load->node);
}
