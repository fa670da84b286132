/* The inner side of a call: opened by a frame, ended by finish, cancel, deadline or the loss of the
 * stream. */
#include "common/base/clock.h"
#include "common/rpc/hop_roles.h"

static void put_status(struct kw_hop_stream *stream, Keyward__Internal__V1__Frame *frame,
                       const struct kw_hop_status *status)
{
    frame->flags |= KW_HOP_FLAG(STATUS);
    if (status->reason != KW_E_NONE) {
        frame->reason =
            (char *)(uintptr_t)kw_reason_row(status->reason)->name; /* packing only reads */
    }
    if (status->field != NULL) {
        frame->field = (char *)(uintptr_t)status->field;
    }
    if (status->description != NULL) {
        frame->description = (char *)(uintptr_t)status->description;
    }
    frame->retry_after_ms = status->retry_after_ms;
    kw_hop_stream_put(stream, frame);
}

void kw_hop_finish(struct kw_hop_call *call, const struct kw_hop_status *status,
                   struct kw_bytes context)
{
    const struct kw_hop_status too_large = {.reason = KW_E_BODY_TOO_LARGE};
    struct kw_hop_item item = {.context = context};
    Keyward__Internal__V1__Frame frame = kw_hop_frame_make(call, 0);

    if (kw_hop_item_fits(item)) {
        kw_hop_frame_set_item(&frame, item);
        frame.flags = 0; /* the context alone is no message */
        put_status(call->stream, &frame, status);
    } else {
        put_status(call->stream, &frame, &too_large);
    }
    kw_hop_stream_drop(call);
}

void kw_hop_reply(struct kw_hop_call *call, struct kw_hop_item item)
{
    const struct kw_hop_status too_large = {.reason = KW_E_BODY_TOO_LARGE};
    const struct kw_hop_status success = {.reason = KW_E_NONE};
    Keyward__Internal__V1__Frame frame = kw_hop_frame_make(call, 0);

    if (kw_hop_item_fits(item)) {
        kw_hop_frame_set_item(&frame, item);
        put_status(call->stream, &frame, &success);
    } else {
        put_status(call->stream, &frame, &too_large);
    }
    kw_hop_stream_drop(call);
}

void kw_hop_serve(struct kw_hop_call *call, const struct kw_hop_events *events, void *user)
{
    call->events = *events;
    call->user = user;
}

static void tell_cancel(struct kw_hop_call *call)
{
    if (call->events.cancel != NULL) {
        call->events.cancel(call, call->user);
    }
}

void kw_hop_inner_expired(struct kw_hop_call *call)
{
    const struct kw_hop_status status = {.reason = call->expiry};
    Keyward__Internal__V1__Frame frame = kw_hop_frame_make(call, 0);

    tell_cancel(call);
    put_status(call->stream, &frame, &status);
    kw_hop_stream_drop(call);
}

void kw_hop_inner_lost(struct kw_hop_call *call)
{
    tell_cancel(call);
    kw_hop_stream_drop(call);
}

/* --- frames from outside --- */

static void refuse(struct kw_hop_stream *stream, uint64_t id, enum kw_reason reason)
{
    const struct kw_hop_status status = {.reason = reason};
    Keyward__Internal__V1__Frame answer = KEYWARD__INTERNAL__V1__FRAME__INIT;

    answer.call = id;
    put_status(stream, &answer, &status);
}

static bool take_open(struct kw_hop_stream *stream, const Keyward__Internal__V1__Frame *frame,
                      const struct kw_hop_handler *handler, const struct kw_hop_peer *peer)
{
    uint64_t deadline_ns = kw_clock_mono_ns() + (uint64_t)frame->deadline_ms * KW_NS_PER_MS;
    struct kw_hop_call *call;
    struct kw_hop_open open = {
        .method = frame->method,
        .deadline_ns = deadline_ns,
        .trace = KW_BYTES(frame->trace.data, frame->trace.len),
        .item = kw_hop_frame_item(frame),
        .has_item = (frame->flags & KW_HOP_FLAG(DATA)) != 0,
        .end = (frame->flags & KW_HOP_FLAG(END)) != 0,
    };

    if (stream->draining) {
        refuse(stream, frame->call, KW_E_DRAINING);
        return true;
    }
    call = kw_hop_calls_accept(&stream->calls, frame->call, frame->method, deadline_ns);
    if (call == NULL) {
        return false;
    }
    call->stream = stream;
    call->ended = open.end;
    if (open.has_item) {
        (void)kw_hop_charge(call, frame); /* the first item is always within the credit */
    }
    kw_hop_stream_arm(stream);
    handler->open(call, peer, &open, handler->context);
    return true;
}

static bool take_data(struct kw_hop_call *call, const Keyward__Internal__V1__Frame *frame)
{
    if (call->ended || !kw_hop_charge(call, frame)) {
        return false;
    }
    if (call->events.data != NULL) {
        call->events.data(call, kw_hop_frame_item(frame), call->user);
    }
    return true;
}

static bool take_end(struct kw_hop_call *call)
{
    if (call->ended) {
        return false;
    }
    call->ended = true;
    if (call->events.end != NULL) {
        call->events.end(call, call->user);
    }
    return true;
}

/* Any event may end the call, so it is looked up anew for each thing the frame says. A call that is
 * not found ended here while the frame was on its way. */
bool kw_hop_inner_frame(struct kw_hop_stream *stream, const Keyward__Internal__V1__Frame *frame,
                        const struct kw_hop_handler *handler, const struct kw_hop_peer *peer)
{
    struct kw_hop_call *call;

    if ((frame->flags & KW_HOP_FLAG(OPEN)) != 0) {
        return take_open(stream, frame, handler, peer);
    }
    call = kw_hop_calls_find(&stream->calls, frame->call);
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
    if (call != NULL && (frame->flags & KW_HOP_FLAG(END)) != 0) {
        if (!take_end(call)) {
            return false;
        }
        call = kw_hop_calls_find(&stream->calls, frame->call);
    }
    if (call != NULL && (frame->flags & KW_HOP_FLAG(CANCEL)) != 0) {
        kw_hop_inner_lost(call);
    }
    return true;
}
