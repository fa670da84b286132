/* From bytes to frames and what both roles do with them: limits, credit, items. */
#include "common/base/metrics.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/hop_stream.h"

/* A message unpacked costs at most its own bytes, as much again in frame structures, and a little.
 */
#define READ_BUDGET (3U * KW_HOP_MESSAGE_LEN_MAX)

/* An item on the wire, and what takes its place in the receiver's window. */
static size_t item_overhead(size_t context_len)
{
    return context_len + KW_HOP_ITEM_COST;
}

bool kw_hop_item_fits(struct kw_hop_item item)
{
    return item.data.len <= KW_BODY_LEN_MAX && item.context.len <= KW_BODY_LEN_MAX;
}

struct kw_hop_item kw_hop_frame_item(const Keyward__Internal__V1__Frame *frame)
{
    return (struct kw_hop_item){.data = KW_BYTES(frame->data.data, frame->data.len),
                                .context = KW_BYTES(frame->context.data, frame->context.len)};
}

Keyward__Internal__V1__Frame kw_hop_frame_make(const struct kw_hop_call *call, uint32_t flags)
{
    Keyward__Internal__V1__Frame frame = KEYWARD__INTERNAL__V1__FRAME__INIT;

    frame.call = call->id;
    frame.flags = flags;
    return frame;
}

/* The generated type is not const; packing only reads. */
static ProtobufCBinaryData binary(struct kw_bytes bytes)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)bytes.data, .len = bytes.len};
}

void kw_hop_frame_set_item(Keyward__Internal__V1__Frame *frame, struct kw_hop_item item)
{
    frame->flags |= KW_HOP_FLAG(DATA);
    frame->data = binary(item.data);
    frame->context = binary(item.context);
}

/* --- credit --- */

bool kw_hop_charge(struct kw_hop_call *call, const Keyward__Internal__V1__Frame *frame)
{
    size_t held = call->unconsumed + call->overhead + call->credit_owed;

    /* An answer that ends its call needs no credit: there is at most one of them. */
    if (held >= call->window && (frame->flags & KW_HOP_FLAG(STATUS)) == 0) {
        return false;
    }
    call->unconsumed += frame->data.len;
    call->overhead += item_overhead(frame->context.len);
    return true;
}

void kw_hop_take_credit(struct kw_hop_call *call, uint64_t credit)
{
    int64_t window = (int64_t)call->window;

    if (credit > call->window) {
        credit = call->window;
    }
    call->credit += (int64_t)credit;
    if (call->credit > window) {
        call->credit = window;
    }
    if (call->blocked && call->credit > 0 && !kw_hop_stream_full(call->stream)) {
        call->blocked = false;
        if (call->events.writable != NULL) {
            call->events.writable(call, call->user);
        }
    }
}

void kw_hop_consume(struct kw_hop_call *call, size_t len)
{
    size_t consumed = len < call->unconsumed ? len : call->unconsumed;

    call->unconsumed -= consumed;
    call->credit_owed += consumed + call->overhead;
    call->overhead = 0;
    if (call->credit_owed >= call->window / 2) {
        Keyward__Internal__V1__Frame frame = kw_hop_frame_make(call, KW_HOP_FLAG(CREDIT));

        frame.credit = call->credit_owed;
        call->credit_owed = 0;
        kw_hop_stream_put(call->stream, &frame);
    }
}

void kw_hop_spend(struct kw_hop_call *call, struct kw_hop_item item)
{
    call->credit -= (int64_t)(item.data.len + item_overhead(item.context.len));
}

bool kw_hop_send(struct kw_hop_call *call, struct kw_hop_item item)
{
    struct kw_hop_stream *stream = call->stream;
    Keyward__Internal__V1__Frame frame = kw_hop_frame_make(call, 0);

    if (!kw_hop_item_fits(item)) {
        kw_hop_calls_expire(&stream->calls, call, KW_E_BODY_TOO_LARGE);
        kw_hop_stream_arm(stream);
        return true;
    }
    if (call->credit <= 0 || kw_hop_stream_full(stream)) {
        call->blocked = true;
        stream->full = stream->full || kw_hop_stream_full(stream);
        return false;
    }
    kw_hop_spend(call, item);
    kw_hop_frame_set_item(&frame, item);
    kw_hop_stream_put(stream, &frame);
    return true;
}

uint64_t kw_hop_deadline_ns(const struct kw_hop_call *call)
{
    return call->deadline_ns;
}

struct kw_id kw_hop_boot_id(const struct kw_hop_call *call)
{
    return call->stream->peer_boot_id;
}

/* --- reading --- */

static struct kw_result read_hello(struct kw_hop_stream *stream,
                                   const Keyward__Internal__V1__Hello *hello, struct kw_error *err)
{
    KW_ENSURE(!stream->ready, err, ENCODING_INVALID, "hop: a second hello");
    KW_ENSURE(hello->version == KW_HOP_VERSION, err, ENCODING_INVALID, "hop: version %u",
              hello->version);
    KW_TRY(kw_id_from_bytes(KW_BYTES(hello->boot_id.data, hello->boot_id.len),
                            &stream->peer_boot_id, err));
    stream->ready = true;
    stream->role->ready(stream);
    return KW_OK;
}

static struct kw_result read_frame(struct kw_hop_stream *stream,
                                   const Keyward__Internal__V1__Frame *frame, struct kw_error *err)
{
    KW_ENSURE(frame->data.len <= KW_BODY_LEN_MAX && frame->context.len <= KW_BODY_LEN_MAX, err,
              ENCODING_INVALID, "hop: an item of %zu and %zu bytes", frame->data.len,
              frame->context.len);
    KW_ENSURE(frame->trace.len <= KW_HOP_TRACE_LEN_MAX, err, ENCODING_INVALID,
              "hop: trace context of %zu bytes", frame->trace.len);
    KW_ENSURE(stream->role->frame(stream, frame), err, ENCODING_INVALID,
              "hop: flags %#x are out of order", frame->flags);
    return KW_OK;
}

static struct kw_result read_message(struct kw_hop_stream *stream, struct kw_arena *arena,
                                     struct kw_bytes bytes, struct kw_error *err)
{
    ProtobufCMessage *base;
    const Keyward__Internal__V1__HopMessage *message;

    KW_TRY(
        kw_arena_unpack(arena, &keyward__internal__v1__hop_message__descriptor, bytes, &base, err));
    message = (const Keyward__Internal__V1__HopMessage *)base;
    KW_ENSURE(message->n_frames <= KW_HOP_FRAMES_MAX, err, ENCODING_INVALID, "hop: %zu frames",
              message->n_frames);
    if (message->hello != NULL) {
        KW_TRY(read_hello(stream, message->hello, err));
    }
    KW_ENSURE(stream->ready, err, ENCODING_INVALID, "hop: no hello");
    kw_metric_add(KW_M_HOP_MESSAGES, "received", 1);
    kw_metric_add(KW_M_HOP_FRAMES, "received", (int64_t)message->n_frames);
    for (size_t i = 0; i < message->n_frames; i++) {
        KW_TRY(read_frame(stream, message->frames[i], err));
    }
    return KW_OK;
}

struct kw_result kw_hop_stream_read(struct kw_hop_stream *stream, struct kw_bytes message,
                                    struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(READ_BUDGET);
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "hop message");
    result = read_message(stream, arena, message, err);
    kw_arena_free(arena);
    return result;
}
