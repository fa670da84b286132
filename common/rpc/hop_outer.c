/* The outer side of a call: opened by us, ended by the inner side's status, our deadline, our
 * cancelling, or the loss of the stream. */
#include "common/base/clock.h"
#include "common/rpc/hop_roles.h"

/* Whole milliseconds left, rounded down so that the inner side gives up first; at least one. */
static uint32_t time_left_ms(uint64_t deadline_ns, uint64_t now_ns)
{
    uint64_t left_ms = (deadline_ns - now_ns) / KW_NS_PER_MS;

    if (left_ms == 0) {
        return 1;
    }
    return left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX;
}

static void put_open(struct kw_hop_call *call, const struct kw_hop_open *open, uint64_t now_ns)
{
    Keyward__Internal__V1__Frame frame = kw_hop_frame_make(call, KW_HOP_FLAG(OPEN));

    frame.method = open->method;
    frame.deadline_ms = time_left_ms(open->deadline_ns, now_ns);
    frame.trace = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)open->trace.data,
                                        .len = open->trace.len};
    if (open->has_item) {
        kw_hop_frame_set_item(&frame, open->item);
        kw_hop_spend(call, open->item);
    }
    if (open->end) {
        frame.flags |= KW_HOP_FLAG(END);
        call->ended = true;
    }
    kw_hop_stream_put(call->stream, &frame);
}

struct kw_result kw_hop_outer_open(struct kw_hop_stream *stream, const struct kw_hop_open *open,
                                   const struct kw_hop_events *events, void *user,
                                   struct kw_hop_call **ret_call, struct kw_error *err)
{
    uint64_t now_ns = kw_clock_mono_ns();
    struct kw_hop_call *call;

    KW_ENSURE(open->deadline_ns > now_ns, err, DEADLINE_EXCEEDED, "hop: over before it began");
    KW_ENSURE(!open->has_item || kw_hop_item_fits(open->item), err, BODY_TOO_LARGE,
              "hop: an item of %zu and %zu bytes", open->item.data.len, open->item.context.len);
    KW_ENSURE(open->trace.len <= KW_HOP_TRACE_LEN_MAX, err, ARGUMENT_INVALID,
              "hop: trace context of %zu bytes", open->trace.len);
    call = kw_hop_calls_make(&stream->calls, open->method, open->deadline_ns);
    KW_ENSURE(call != NULL, err, RATE_LIMITED, "hop: %zu calls in flight", stream->calls.count);
    call->stream = stream;
    call->events = *events;
    call->user = user;
    put_open(call, open, now_ns);
    kw_hop_stream_arm(stream);
    *ret_call = call;
    return KW_OK;
}

void kw_hop_end(struct kw_hop_call *call)
{
    Keyward__Internal__V1__Frame frame = kw_hop_frame_make(call, KW_HOP_FLAG(END));

    call->ended = true;
    kw_hop_stream_put(call->stream, &frame);
}

void kw_hop_cancel(struct kw_hop_call *call)
{
    Keyward__Internal__V1__Frame frame = kw_hop_frame_make(call, KW_HOP_FLAG(CANCEL));

    kw_hop_stream_put(call->stream, &frame);
    kw_hop_stream_drop(call);
}

static void tell_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                        struct kw_bytes context)
{
    call->events.status(call, status, context, call->user);
    kw_hop_stream_drop(call);
}

void kw_hop_outer_expired(struct kw_hop_call *call)
{
    const struct kw_hop_status status = {.reason = call->expiry, .field = "", .description = ""};
    Keyward__Internal__V1__Frame frame = kw_hop_frame_make(call, KW_HOP_FLAG(CANCEL));

    kw_hop_stream_put(call->stream, &frame);
    tell_status(call, &status, KW_BYTES_NONE);
}

void kw_hop_outer_lost(struct kw_hop_call *call)
{
    const struct kw_hop_status status = {
        .reason = KW_E_PEER_UNAVAILABLE, .field = "", .description = ""};

    tell_status(call, &status, KW_BYTES_NONE);
}

/* --- frames from inside --- */

static enum kw_reason reason_of(const char *name)
{
    enum kw_reason reason;

    if (name[0] == '\0') {
        return KW_E_NONE;
    }
    reason = kw_reason_by_name(name, strlen(name));
    return reason != KW_E_NONE ? reason : KW_E_INTERNAL; /* a peer of another version */
}

/* The context of an answer in one piece belongs to its item. */
static void take_status(struct kw_hop_call *call, const Keyward__Internal__V1__Frame *frame)
{
    bool with_item = (frame->flags & KW_HOP_FLAG(DATA)) != 0;
    const struct kw_hop_status status = {
        .reason = reason_of(frame->reason),
        .field = frame->field,
        .description = frame->description,
        .retry_after_ms = frame->retry_after_ms,
    };

    tell_status(call, &status, with_item ? KW_BYTES_NONE : kw_hop_frame_item(frame).context);
}

static bool take_data(struct kw_hop_call *call, const Keyward__Internal__V1__Frame *frame)
{
    if (!kw_hop_charge(call, frame)) {
        return false;
    }
    if (call->events.data != NULL) {
        call->events.data(call, kw_hop_frame_item(frame), call->user);
    }
    return true;
}

/* Any event may end the call, so it is looked up anew for each thing the frame says. */
bool kw_hop_outer_frame(struct kw_hop_stream *stream, const Keyward__Internal__V1__Frame *frame)
{
    struct kw_hop_call *call = kw_hop_calls_find(&stream->calls, frame->call);

    if ((frame->flags & KW_HOP_FLAG(DRAIN)) != 0) {
        stream->draining = true;
        return true;
    }
    if (call != NULL && (frame->flags & KW_HOP_FLAG(CREDIT)) != 0) {
        kw_hop_take_credit(call, frame->credit);
        call = kw_hop_calls_find(&stream->calls, frame->call);
    }
    if (call != NULL && (frame->flags & KW_HOP_FLAG(DATA)) != 0) {
        if (!take_data(call, frame)) {
            return false;
        }
        call = kw_hop_calls_find(&stream->calls, frame->call);
    }
    if (call != NULL && (frame->flags & KW_HOP_FLAG(STATUS)) != 0) {
        take_status(call, frame);
    }
    return true;
}
