/* Authz's side of a forwarded call. */
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/observe/trace.h"
#include "common/rpc/messages.h"
#include "keyward/internal/v1/context.pb-c.h"
#include "services/gateway/call_internal.h"
#include "services/gateway/status.h"

#include <stdio.h>

/* --- the answer --- */

static void finish_by(struct kw_call *call, const struct kw_hop_status *status)
{
    const struct kw_serving_note note = {.receipt = call->receipt[0] != '\0' ? call->receipt : NULL,
                                         .durability =
                                             kw_wait_tell(call->reached, call->local_only)};

    kw_serving_finish(&call->serving, status, &note);
}

static void finish(struct kw_call *call, enum kw_reason reason)
{
    finish_by(call, &(struct kw_hop_status){.reason = reason});
}

/* Success: what authz sent, or the cached copy if that is what authz said is right. Nothing leaves
 * without its word. */
static void finish_answered(struct kw_call *call)
{
    if (call->has_answer) {
        kw_call_replay_keep(call);
        (void)kw_edge_send(call->serving.call, kw_buf_bytes(&call->answer));
        finish(call, KW_E_NONE);
    } else if (call->replayed && call->replay.found) {
        (void)kw_edge_send(call->serving.call, kw_buf_bytes(&call->replay.outcome));
        finish(call, KW_E_NONE);
    } else {
        finish(call, KW_E_INTERNAL);
    }
}

/* GetStatus answers also when those inside do not. */
static void finish_status(struct kw_call *call, enum kw_reason reason)
{
    KW_SCOPED(kw_buf_done) struct kw_buf composed = {0};
    struct kw_error error;
    bool reached = reason == KW_E_NONE && call->has_answer;

    if (!kw_ok(kw_status_compose(call->serving.gateway, reached, kw_buf_bytes(&call->answer),
                                 &composed, &error))) {
        kw_serving_fail(&call->serving, &error);
        return;
    }
    (void)kw_edge_send(call->serving.call, kw_buf_bytes(&composed));
    finish(call, KW_E_NONE);
}

static bool is_status_call(const struct kw_call *call, enum kw_reason reason)
{
    return call->row->id == KW_METHOD_GET_STATUS &&
           (reason == KW_E_NONE || reason == KW_E_PEER_UNAVAILABLE || reason == KW_E_DRAINING ||
            reason == KW_E_DEADLINE_EXCEEDED);
}

/* Tells the client what the layers noted beside the answer. Fails: INTERNAL (unreadable). */
static struct kw_result take_outcome(struct kw_call *call, struct kw_bytes context,
                                     struct kw_error *err)
{
    Keyward__Internal__V1__Outcome *outcome;
    struct kw_id id;

    if (context.len == 0) {
        return KW_OK;
    }
    outcome = keyward__internal__v1__outcome__unpack(NULL, context.len, context.data);
    KW_ENSURE(outcome != NULL, err, INTERNAL, "an outcome that cannot be read");
    call->replayed = call->replayed || outcome->replayed;
    call->local_only = call->local_only || outcome->local_only;
    call->reached = outcome->reached;
    if (kw_ok(kw_id_from_bytes(kw_bytes_field(outcome->receipt_id), &id, NULL))) {
        (void)kw_resource_name1(KW_RESOURCE_RECEIPT, id, call->receipt);
    }
    keyward__internal__v1__outcome__free_unpacked(outcome, NULL);
    return KW_OK;
}

/* --- outward --- */

void kw_call_push_outward(struct kw_call *call)
{
    struct kw_bytes message;

    while (kw_queue_front(&call->outward, &message)) {
        if (!kw_edge_send(call->serving.call, message)) {
            return;
        }
        if (call->hop != NULL) {
            kw_hop_consume(call->hop, message.len);
        }
        kw_queue_pop(&call->outward);
    }
    if (call->done) {
        finish_by(call, &call->done_status);
    }
}

static struct kw_result take_streamed(struct kw_call *call, struct kw_bytes message,
                                      struct kw_error *err)
{
    if (kw_queue_is_empty(&call->outward) && kw_edge_send(call->serving.call, message)) {
        kw_hop_consume(call->hop, message.len);
        return KW_OK;
    }
    return kw_queue_push(&call->outward, message, KW_GATEWAY_PENDING_LEN_MAX, err);
}

static struct kw_result take_answer(struct kw_call *call, struct kw_hop_item item,
                                    struct kw_error *err)
{
    KW_ENSURE(!call->has_answer, err, INTERNAL, "more than one message in a unary answer");
    KW_TRY(take_outcome(call, item.context, err));
    call->has_answer = true;
    return kw_buf_append(&call->answer, item.data, err);
}

static void on_data(struct kw_hop_call *hop, struct kw_hop_item item, void *user)
{
    struct kw_call *call = user;
    struct kw_error error;
    struct kw_result taken = kw_call_streams_out(call) ? take_streamed(call, item.data, &error)
                                                       : take_answer(call, item, &error);

    (void)hop;
    if (!kw_ok(taken)) {
        kw_serving_fail(&call->serving, &error);
    }
}

/* May the request be sent again, because its loss cannot matter? Once, on another stream. */
static bool may_retry(const struct kw_call *call, enum kw_reason reason)
{
    return (reason == KW_E_PEER_UNAVAILABLE || reason == KW_E_DRAINING) && !call->retried &&
           kw_method_has(call->row, KW_METHOD_IDEMPOTENT) && !kw_call_streams_in(call) &&
           !kw_call_streams_out(call) && kw_hop_client_connected(call->serving.gateway->authz);
}

static void finish_with(struct kw_call *call, const struct kw_hop_status *status)
{
    if (is_status_call(call, status->reason)) {
        finish_status(call, status->reason);
    } else if (status->reason != KW_E_NONE) {
        finish_by(call, status);
    } else if (kw_call_streams_out(call)) {
        finish(call, KW_E_NONE);
    } else {
        finish_answered(call);
    }
}

/* The status waits for the messages before it; words of a late error are not kept. */
static void hold_status(struct kw_call *call, const struct kw_hop_status *status)
{
    call->done = true;
    call->done_status =
        (struct kw_hop_status){.reason = status->reason, .retry_after_ms = status->retry_after_ms};
}

static void on_status(struct kw_hop_call *hop, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct kw_call *call = user;
    struct kw_error error;

    (void)hop;
    call->hop = NULL;
    if (!kw_ok(take_outcome(call, context, &error))) {
        kw_serving_fail(&call->serving, &error);
    } else if (may_retry(call, status->reason)) {
        call->retried = true;
        call->has_answer = false;
        kw_buf_clear(&call->answer);
        (void)kw_call_forward(call, kw_buf_bytes(&call->body));
    } else if (!kw_queue_is_empty(&call->outward)) {
        hold_status(call, status);
    } else {
        finish_with(call, status);
    }
}

/* --- inward --- */

static void on_writable(struct kw_hop_call *hop, void *user)
{
    (void)hop;
    kw_call_push_inward(user);
}

static const struct kw_hop_events hop_events = {
    .data = on_data, .writable = on_writable, .status = on_status};

static struct kw_result caller_context(struct kw_call *call, struct kw_buf *out,
                                       struct kw_error *err)
{
    Keyward__Internal__V1__Caller caller = KEYWARD__INTERNAL__V1__CALLER__INIT;
    uint8_t digest[KW_SHA256_LEN];
    size_t len;

    caller.certificate = kw_field_bytes(call->serving.peer->certificate);
    caller.peer_address = kw_field_text(call->serving.peer->address);
    caller.signature = kw_field_bytes(call->signature);
    caller.wait = call->wait;
    if (call->replay.found) {
        KW_TRY(kw_sha256(kw_buf_bytes(&call->replay.outcome), digest, err));
        caller.cached_digest = kw_field_bytes(KW_BYTES_OF(digest));
    }
    len = keyward__internal__v1__caller__get_packed_size(&caller);
    kw_buf_clear(out);
    KW_TRY(kw_buf_reserve(out, len, err));
    out->len = keyward__internal__v1__caller__pack(&caller, out->data);
    return KW_OK;
}

/* GetStatus keeps some of its time, to say which layer was silent. */
static uint64_t hop_deadline(const struct kw_call *call)
{
    uint64_t deadline_ns = kw_edge_deadline_ns(call->serving.call);
    uint64_t now_ns = kw_clock_mono_ns();

    if (call->row->id == KW_METHOD_GET_STATUS && deadline_ns > now_ns) {
        deadline_ns -= (deadline_ns - now_ns) / KW_STATUS_MARGIN;
    }
    return deadline_ns;
}

static struct kw_result open_hop(struct kw_call *call, struct kw_bytes message,
                                 struct kw_error *err)
{
    struct kw_gateway *gateway = call->serving.gateway;
    bool unary = !kw_call_streams_in(call);
    struct kw_trace trace;
    char text[KW_TRACE_TEXT_SIZE];
    struct kw_hop_open open = {.method = call->row->id,
                               .deadline_ns = hop_deadline(call),
                               .item = {.data = message},
                               .has_item = true,
                               .end = unary,
                               .kept = call->serving.caller->officer};

    KW_TRY(kw_trace_accept(call->traceparent, &trace, err));
    open.trace = kw_bytes_str(kw_trace_text(&trace, text));
    KW_TRY(caller_context(call, &gateway->scratch, err));
    open.item.context = kw_buf_bytes(&gateway->scratch);
    return kw_hop_open(gateway->authz, &open, &hop_events, call, &call->hop, err);
}

bool kw_call_forward(struct kw_call *call, struct kw_bytes message)
{
    struct kw_error error;
    struct kw_result opened = open_hop(call, message, &error);

    call->opened = true;
    if (kw_ok(opened)) {
        return true;
    }
    if (is_status_call(call, opened.reason)) {
        finish_status(call, opened.reason);
    } else {
        kw_serving_fail(&call->serving, &error);
    }
    return false;
}

/* False: no room now, or the call is gone. */
static bool send_inward(struct kw_call *call, struct kw_bytes message)
{
    return call->opened ? kw_hop_send(call->hop, (struct kw_hop_item){.data = message})
                        : kw_call_forward(call, message);
}

void kw_call_push_inward(struct kw_call *call)
{
    struct kw_bytes message;

    while (kw_queue_front(&call->inward, &message)) {
        if (!send_inward(call, message)) {
            return;
        }
        kw_edge_consume(call->serving.call, message.len);
        kw_queue_pop(&call->inward);
    }
    if (call->ended && !call->end_sent) {
        call->end_sent = true;
        kw_hop_end(call->hop);
    }
}
