/* The gRPC mechanics of a stream: at most one send and one receive outstanding, frames coalesced by
 * the loop's flush, deadlines by one timer. */
#include "common/rpc/hop_stream.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/rpc/handover.h"

#include <grpc/byte_buffer_reader.h>
#include <stdlib.h>

static void release(struct kw_hop_stream *stream);

static bool start(struct kw_hop_stream *stream, const grpc_op *ops, size_t count,
                  struct kw_rpc_tag *tag)
{
    if (!kw_rpc_start(stream->rpc, stream->call, ops, count, tag)) {
        kw_hop_stream_break(stream);
        return false;
    }
    stream->pending++;
    return true;
}

/* --- sending --- */

static void free_parcel(void *parcel)
{
    KW_TAKEN(parcel);
    kw_hop_parcel_free(parcel);
}

static void send_parcel(struct kw_hop_stream *stream, struct kw_hop_parcel *parcel)
{
    grpc_slice slice =
        grpc_slice_new_with_user_data(parcel->packed.data, parcel->packed.len, free_parcel, parcel);
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_MESSAGE}, {.op = GRPC_OP_SEND_INITIAL_METADATA}};

    stream->stats->messages_sent++;
    stream->stats->frames_sent += parcel->frames;
    kw_metric_add(KW_M_HOP_MESSAGES, "sent", 1);
    kw_metric_add(KW_M_HOP_FRAMES, "sent", (int64_t)parcel->frames);
    KW_GIVEN(parcel);
    stream->sending = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    ops[0].data.send_message.send_message = stream->sending;
    if (!start(stream, ops, stream->metadata_sent ? 1 : 2, &stream->send_tag)) {
        grpc_byte_buffer_destroy(stream->sending);
        stream->sending = NULL;
    }
    stream->metadata_sent = true;
}

static void on_flush(struct kw_flush *flush)
{
    struct kw_hop_stream *stream = KW_CONTAINER(flush, struct kw_hop_stream, flush);

    if (!stream->over && !stream->broken && stream->sending == NULL &&
        stream->outbox.head != NULL) {
        send_parcel(stream, kw_hop_outbox_take(&stream->outbox));
    }
}

static void mark(struct kw_hop_stream *stream)
{
    if (!stream->over) {
        kw_loop_mark(kw_rpc_loop(stream->rpc), &stream->flush);
    }
}

/* A `writable` may end any call, so the table is walked by slot and looked at anew each time. */
static void tell_writable(struct kw_hop_stream *stream)
{
    stream->full = false;
    for (size_t i = 0; i < KW_HOP_CALLS_MAX && !kw_hop_stream_full(stream); i++) {
        struct kw_hop_call *call = stream->calls.slots[i];

        if (call != NULL && call->blocked) {
            kw_hop_take_credit(call, 0);
        }
    }
}

static void receive(struct kw_hop_stream *stream);

static void on_sent(struct kw_rpc_tag *tag, bool ok)
{
    struct kw_hop_stream *stream = KW_CONTAINER(tag, struct kw_hop_stream, send_tag);

    (void)ok; /* a failed send means that the call is ending: over_tag says so */
    grpc_byte_buffer_destroy(stream->sending);
    stream->sending = NULL;
    if (stream->outbox.head != NULL) {
        mark(stream);
    }
    if (!stream->over && stream->outbox.bytes <= KW_HOP_QUEUE_BYTES_MAX / 2) {
        if (stream->full) {
            tell_writable(stream);
        }
        if (stream->starved) {
            stream->starved = false;
            receive(stream);
        }
    }
    release(stream);
}

void kw_hop_stream_put(struct kw_hop_stream *stream, Keyward__Internal__V1__Frame *frame)
{
    if (stream->over || stream->broken) {
        return;
    }
    if (!kw_ok(kw_hop_outbox_frame(&stream->outbox, frame, NULL))) {
        kw_hop_stream_break(
            stream); /* out of memory: a frame left out would be a lie to the peer */
        return;
    }
    mark(stream);
}

/* --- receiving --- */

static struct kw_result read_buffer(struct kw_hop_stream *stream, grpc_byte_buffer *buffer,
                                    struct kw_error *err)
{
    grpc_byte_buffer_reader reader;
    struct kw_result result;
    grpc_slice slice;

    KW_ENSURE(grpc_byte_buffer_reader_init(&reader, buffer) != 0, err, ENCODING_INVALID,
              "hop message: cannot be decompressed");
    slice = grpc_byte_buffer_reader_readall(&reader);
    result = kw_hop_stream_read(
        stream, KW_BYTES(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice)), err);
    grpc_slice_unref(slice);
    grpc_byte_buffer_reader_destroy(&reader);
    return result;
}

static void on_received(struct kw_rpc_tag *tag, bool ok)
{
    struct kw_hop_stream *stream = KW_CONTAINER(tag, struct kw_hop_stream, receive_tag);
    grpc_byte_buffer *buffer = stream->received;
    struct kw_error error;

    stream->received = NULL;
    if (!ok || buffer == NULL || stream->over || stream->broken) {
        kw_hop_stream_break(stream); /* the peer sends no more: for us that is the end */
    } else if (kw_ok(read_buffer(stream, buffer, &error))) {
        receive(stream);
    } else {
        KW_LOG(WARN, "hop stream is cut: the peer does not keep to the protocol", KW_F_ERR(&error));
        kw_hop_stream_break(stream);
    }
    grpc_byte_buffer_destroy(buffer);
    release(stream);
}

/* Not while answers pile up: a peer that does not read gets no more work done. */
static void receive(struct kw_hop_stream *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};

    if (stream->over || stream->broken) {
        return;
    }
    if (stream->inner && kw_hop_stream_full(stream)) {
        stream->starved = true;
        return;
    }
    op.data.recv_message.recv_message = &stream->received;
    (void)start(stream, &op, 1, &stream->receive_tag);
}

/* --- deadlines --- */

static void on_timer(struct kw_timer *timer)
{
    struct kw_hop_stream *stream = KW_CONTAINER(timer, struct kw_hop_stream, timer);
    uint64_t now_ns = kw_clock_mono_ns();
    struct kw_hop_call *call;

    stream->timer_ns = 0;
    while ((call = kw_hop_calls_first(&stream->calls)) != NULL && call->deadline_ns <= now_ns) {
        stream->role->expired(call);
    }
    kw_hop_stream_arm(stream);
}

/* Left alone when it fires early enough already: it then finds nothing to do and is armed again. */
void kw_hop_stream_arm(struct kw_hop_stream *stream)
{
    const struct kw_hop_call *first = kw_hop_calls_first(&stream->calls);
    uint64_t now_ns;
    uint64_t left_ns;

    if (stream->over || first == NULL ||
        (stream->timer_ns != 0 && stream->timer_ns <= first->deadline_ns)) {
        return;
    }
    now_ns = kw_clock_mono_ns();
    left_ns = first->deadline_ns > now_ns ? first->deadline_ns - now_ns : 0;
    kw_timer_start(&stream->timer, (left_ns + KW_NS_PER_MS - 1) / KW_NS_PER_MS, 0);
    stream->timer_ns = first->deadline_ns > 0 ? first->deadline_ns : 1;
}

/* --- the end --- */

static void on_timer_closed(struct kw_timer *timer)
{
    struct kw_hop_stream *stream = KW_CONTAINER(timer, struct kw_hop_stream, timer);

    stream->role->gone(stream);
    kw_hop_outbox_done(&stream->outbox);
    grpc_metadata_array_destroy(&stream->metadata);
    grpc_metadata_array_destroy(&stream->trailers);
    grpc_slice_unref(stream->status_text);
    grpc_call_unref(stream->call);
    free(stream);
}

static void release(struct kw_hop_stream *stream)
{
    stream->pending--;
    if (stream->pending == 0 && stream->over) {
        kw_timer_close(&stream->timer, on_timer_closed);
    }
}

static void on_over(struct kw_rpc_tag *tag, bool ok)
{
    struct kw_hop_stream *stream = KW_CONTAINER(tag, struct kw_hop_stream, over_tag);
    struct kw_hop_call *call;

    (void)ok; /* this batch always completes; what matters is that it did */
    stream->over = true;
    kw_timer_stop(&stream->timer);
    while ((call = kw_hop_calls_first(&stream->calls)) != NULL) {
        stream->role->lost(call);
    }
    stream->role->over(stream);
    kw_hop_stream_break(stream); /* whatever is still outstanding comes back */
    release(stream);
}

void kw_hop_stream_break(struct kw_hop_stream *stream)
{
    if (!stream->broken) {
        stream->broken = true;
        (void)grpc_call_cancel(stream->call, NULL);
    }
}

/* --- the beginning --- */

static void on_metadata(struct kw_rpc_tag *tag, bool ok)
{
    (void)ok;
    release(KW_CONTAINER(tag, struct kw_hop_stream, metadata_tag));
}

struct kw_result kw_hop_stream_new(struct kw_rpc *rpc, grpc_call *call,
                                   const struct kw_hop_role *role, void *owner,
                                   struct kw_hop_stats *stats, struct kw_hop_stream **ret_stream,
                                   struct kw_error *err)
{
    struct kw_hop_stream *stream = calloc(1, sizeof(*stream));

    KW_ENSURE(stream != NULL, err, MEMORY, "hop stream");
    stream->rpc = rpc;
    stream->call = call;
    stream->role = role;
    stream->owner = owner;
    stream->stats = stats;
    stream->send_tag.done = on_sent;
    stream->receive_tag.done = on_received;
    stream->over_tag.done = on_over;
    stream->metadata_tag.done = on_metadata;
    stream->flush.run = on_flush;
    stream->status_text = grpc_empty_slice();
    grpc_metadata_array_init(&stream->metadata);
    grpc_metadata_array_init(&stream->trailers);
    kw_timer_init(&stream->timer, kw_rpc_loop(rpc), on_timer);
    *ret_stream = stream;
    return KW_OK;
}

/* The operation that tells how the call ended is armed before any other: nothing may be missed. */
static void watch_end(struct kw_hop_stream *stream)
{
    grpc_op op = {.op =
                      stream->inner ? GRPC_OP_RECV_CLOSE_ON_SERVER : GRPC_OP_RECV_STATUS_ON_CLIENT};

    if (stream->inner) {
        op.data.recv_close_on_server.cancelled = &stream->cancelled;
    } else {
        op.data.recv_status_on_client.trailing_metadata = &stream->trailers;
        op.data.recv_status_on_client.status = &stream->status;
        op.data.recv_status_on_client.status_details = &stream->status_text;
    }
    (void)start(stream, &op, 1, &stream->over_tag);
}

/* Without asking for it gRPC never reports the status. */
static void receive_metadata(struct kw_hop_stream *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_INITIAL_METADATA};

    op.data.recv_initial_metadata.recv_initial_metadata = &stream->metadata;
    (void)start(stream, &op, 1, &stream->metadata_tag);
}

void kw_hop_stream_begin(struct kw_hop_stream *stream, bool inner)
{
    struct kw_id boot_id = kw_rpc_boot_id(stream->rpc);
    Keyward__Internal__V1__Hello hello = KEYWARD__INTERNAL__V1__HELLO__INIT;

    stream->inner = inner;
    watch_end(stream);
    if (!inner) {
        receive_metadata(stream);
    }
    hello.version = KW_HOP_VERSION;
    hello.boot_id = (ProtobufCBinaryData){.data = boot_id.bytes, .len = KW_ID_LEN};
    if (!kw_ok(kw_hop_outbox_hello(&stream->outbox, &hello, NULL))) {
        kw_hop_stream_break(stream);
    }
    mark(stream);
    receive(stream);
}

void kw_hop_stream_drop(struct kw_hop_call *call)
{
    struct kw_hop_stream *stream = call->stream;

    kw_hop_calls_remove(&stream->calls, call);
    if (stream->calls.count == 0 && !stream->over) {
        stream->role->idle(stream);
    }
}

bool kw_hop_stream_full(const struct kw_hop_stream *stream)
{
    return stream->outbox.bytes >= KW_HOP_QUEUE_BYTES_MAX;
}

bool kw_hop_stream_open_for_calls(const struct kw_hop_stream *stream)
{
    return stream->ready && !stream->draining && !stream->broken && !stream->over;
}
