/* The edge's side of a forwarded call. */
#include "services/gateway/call_internal.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/rpc/messages.h"
#include "common/rpc/protocheck.h"

#include <stdlib.h>

static struct kw_call *call_of(struct kw_serving *serving)
{
    return KW_CONTAINER_OF(serving, struct kw_call, serving);
}

/* Authz has said its last word; the client may not have heard it yet. */
static bool is_answered(const struct kw_call *call)
{
    return call->opened && call->hop == NULL;
}

/* Keeps the message of a unary request until it is known to be the only one. */
static struct kw_result take_body(struct kw_call *call, struct kw_bytes message,
                                  struct kw_error *err)
{
    KW_ENSURE(!call->has_body, err, ENCODING_INVALID, "more than one message in a unary request");
    KW_TRY(kw_proto_check(call->request, message, err));
    KW_TRY(kw_buf_append(&call->body, message, err));
    call->has_body = true;
    return KW_OK;
}

/* The first message goes with OPEN; later ones wait their turn. What is dropped, because authz has
 * answered already, counts as consumed. */
static struct kw_result take_streamed(struct kw_call *call, struct kw_bytes message,
                                      struct kw_error *err)
{
    KW_TRY(kw_proto_check(call->request, message, err));
    if (is_answered(call)) {
        kw_edge_consume(call->serving.call, message.len);
        return KW_OK;
    }
    return kw_queue_push(&call->inward, message, KW_GATEWAY_PENDING_LEN_MAX, err);
}

static void on_message(struct kw_serving *serving, struct kw_bytes message)
{
    struct kw_call *call = call_of(serving);
    struct kw_error error;
    bool streams = kw_call_streams_in(call);
    struct kw_result taken =
        streams ? take_streamed(call, message, &error) : take_body(call, message, &error);

    if (!kw_ok(taken)) {
        kw_serving_fail(serving, &error);
    } else if (streams && !is_answered(call)) {
        kw_call_push_inward(call);
    }
}

static void on_end(struct kw_serving *serving)
{
    static const struct kw_hop_status nothing_asked = {.reason = KW_E_NONE};
    struct kw_call *call = call_of(serving);
    struct kw_error error;

    call->ended = true;
    if (kw_call_streams_in(call)) {
        if (!call->opened) {
            kw_serving_finish(serving, &nothing_asked, NULL);
        } else if (!is_answered(call)) {
            kw_call_push_inward(call);
        }
    } else if (!call->has_body) {
        (void)KW_MAKE(&error, ENCODING_INVALID, "no message in a unary request");
        kw_serving_fail(serving, &error);
    } else if (kw_serving_queue(serving)) {
        kw_call_replay_begin(call);
    }
}

static void on_writable(struct kw_serving *serving)
{
    kw_call_push_outward(call_of(serving));
}

static void on_over(struct kw_serving *serving)
{
    struct kw_call *call = call_of(serving);

    if (call->hop != NULL) {
        kw_hop_cancel(call->hop);
    }
    kw_call_replay_done(call);
    kw_buf_done(&call->body);
    kw_buf_done(&call->answer);
    kw_queue_done(&call->inward);
    kw_queue_done(&call->outward);
    free(call);
}

static const struct kw_serving_events events = {
    .message = on_message, .end = on_end, .writable = on_writable, .over = on_over};

uint64_t kw_call_deadline(const struct kw_method *row, uint64_t asked_ns, uint64_t now_ns)
{
    uint64_t cap_ns = now_ns + row->deadline_ms_max * KW_NS_PER_MS;
    uint64_t default_ns = now_ns + KW_DEADLINE_DEFAULT_MS * KW_NS_PER_MS;
    uint64_t deadline_ns = asked_ns != 0 ? asked_ns : default_ns;

    return deadline_ns < cap_ns ? deadline_ns : cap_ns;
}

/* A stream takes as long as its client likes. */
struct kw_pace *kw_call_pace(const struct kw_gateway *gateway, const struct kw_method *row)
{
    bool streams =
        kw_method_has(row, KW_METHOD_CLIENT_STREAM) || kw_method_has(row, KW_METHOD_SERVER_STREAM);
    size_t count;

    return streams ? NULL : &gateway->paces[row - kw_method_table(&count)];
}

struct kw_result kw_call_open(struct kw_gateway *gateway, const struct kw_edge_open *open,
                              struct kw_serving **ret_serving, struct kw_error *err)
{
    const struct kw_method *row = kw_method_by_path(open->path);
    Keyward__Internal__V1__Copies wait;
    struct kw_call *call;

    KW_ENSURE(row != NULL && !kw_method_has(row, KW_METHOD_INTERNAL), err, METHOD_UNKNOWN,
              "not in the method table");
    KW_TRY(kw_wait_read(row, open->wait, &wait, err));
    call = calloc(1, sizeof(*call));
    KW_ENSURE(call != NULL, err, MEMORY, "call");
    call->serving.events = &events;
    call->serving.method = row->name;
    call->serving.deadline_ns = kw_call_deadline(row, open->deadline_ns, kw_clock_mono_ns());
    call->serving.pace = wait == 0 ? kw_call_pace(gateway, row) : NULL; /* it takes what it takes */
    call->wait = wait;
    call->row = row;
    call->request = kw_method_messages(row)->input;
    call->signature = open->signature;
    call->traceparent = open->traceparent;
    *ret_serving = &call->serving;
    return KW_OK;
}
