/* Answers: initial metadata, messages, trailers, or all in one block when there is no message. */
#include "common/base/clock.h"
#include "services/gateway/edge/edge_internal.h"

#include <stdio.h>

#define STATUS_SIZE 12

/* nghttp2 copies names and values. What differs from call to call stays out of HPACK's table, where
 * it would push out what repeats. */
static size_t to_nv(const struct kw_edge_fields *fields, nghttp2_nv *nv)
{
    for (size_t i = 0; i < fields->count; i++) {
        nv[i].name = fields->text.data + fields->field[i].name_at;
        nv[i].namelen = fields->field[i].name_len;
        nv[i].value = fields->text.data + fields->field[i].value_at;
        nv[i].valuelen = fields->field[i].value_len;
        nv[i].flags = fields->field[i].varies ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    }
    return fields->count;
}

static void put_initial(struct kw_edge_fields *fields, const struct kw_edge_call *call)
{
    const struct kw_edge *edge = call->connection->edge;

    kw_edge_fields_put(fields, ":status", kw_bytes_str("200"));
    kw_edge_fields_put(fields, "content-type", kw_bytes_str("application/grpc"));
    kw_edge_fields_put(fields, "keyward-version", kw_bytes_str(edge->version));
    kw_edge_fields_put(fields, "keyward-region", kw_bytes_str(edge->region));
    kw_edge_fields_put_metadata(fields, "x-request-id",
                                kw_edge_request_bytes(&call->request, call->request.request_id));
    if (call->request.refusal == KW_E_COMPRESSION_UNSUPPORTED) {
        kw_edge_fields_put(fields, "grpc-accept-encoding", kw_bytes_str("identity"));
    }
}

static void put_status(struct kw_edge_fields *fields, const struct kw_edge_status *status)
{
    char code[STATUS_SIZE];

    (void)snprintf(code, sizeof(code), "%d", (int)status->code);
    kw_edge_fields_put(fields, "grpc-status", kw_bytes_str(code));
    if (status->message != NULL && status->message[0] != '\0') {
        kw_edge_fields_put_percent(fields, "grpc-message", kw_bytes_str(status->message));
    }
    if (status->details.len > 0) {
        kw_edge_fields_put_metadata(fields, "grpc-status-details-bin", status->details);
    }
    for (size_t i = 0; i < status->trailer_count; i++) {
        kw_edge_fields_put_metadata(fields, status->trailers[i].name, status->trailers[i].value);
    }
}

void kw_edge_respond_reset(struct kw_edge_call *call)
{
    call->out_since_ns = 0;
    (void)nghttp2_submit_rst_stream(call->connection->h2, NGHTTP2_FLAG_NONE, call->stream,
                                    NGHTTP2_INTERNAL_ERROR);
    kw_edge_output_mark(call->connection);
}

static size_t take_out(struct kw_edge_call *call, uint8_t *to, size_t size)
{
    size_t left = call->out.len - call->out_taken;
    size_t len = left < size ? left : size;

    if (len == 0) {
        return 0;
    }
    kw_copy(to, call->out.data + call->out_taken, len);
    call->out_taken += len;
    kw_edge_calls_taken(call->connection, len);
    if (call->out_taken == call->out.len) {
        kw_buf_clear(&call->out);
        call->out_taken = 0;
    }
    return len;
}

static void note_progress(struct kw_edge_call *call)
{
    call->out_since_ns = call->out.len > 0 ? kw_clock_mono_ns() : 0;
    if (call->wants_room && call->out.len - call->out_taken <= KW_EDGE_SEND_QUEUE_MAX / 2) {
        kw_edge_call_ready(call);
    }
}

/* nghttp2 asks for the bytes of a DATA frame. Nothing yet: it is told to wait for
 * nghttp2_session_resume_data. Nothing more: the trailers end the stream, not this frame. */
static ssize_t on_data_wanted(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
                              uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct kw_edge_call *call = nghttp2_session_get_stream_user_data(session, stream);
    nghttp2_nv nv[KW_EDGE_FIELDS_MAX];
    size_t len;

    (void)source;
    (void)user;
    if (call == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    len = take_out(call, to, size);
    note_progress(call);
    if (call->out.len == 0 && call->trailers.count > 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, stream, nv, to_nv(&call->trailers, nv)) != 0) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
        return (ssize_t)len;
    }
    call->deferred = len == 0;
    return len == 0 ? NGHTTP2_ERR_DEFERRED : (ssize_t)len;
}

/* Sends the headers of the answer; without `body` they end the stream. */
static void submit(struct kw_edge_call *call, const struct kw_edge_fields *fields, bool body)
{
    const nghttp2_data_provider provider = {.read_callback = on_data_wanted};
    nghttp2_nv nv[KW_EDGE_FIELDS_MAX];

    call->answered = true;
    if (fields->failed ||
        nghttp2_submit_response(call->connection->h2, call->stream, nv, to_nv(fields, nv),
                                body ? &provider : NULL) != 0) {
        kw_edge_respond_reset(call);
    }
}

static void resume(struct kw_edge_call *call)
{
    if (call->deferred) {
        call->deferred = false;
        (void)nghttp2_session_resume_data(call->connection->h2, call->stream);
    }
    kw_edge_output_mark(call->connection);
}

/* Keeps the queue from growing at the front for ever while the back is being filled. */
static void compact_out(struct kw_edge_call *call)
{
    size_t left = call->out.len - call->out_taken;

    if (call->out_taken <= left) {
        return;
    }
    memmove(call->out.data, call->out.data + call->out_taken, left);
    kw_wipe(call->out.data + left, call->out_taken);
    call->out.len = left;
    call->out_taken = 0;
}

void kw_edge_respond(struct kw_edge_call *call, struct kw_bytes message)
{
    if (!call->answered) {
        KW_SCOPED(kw_edge_fields_done) struct kw_edge_fields fields = {0};

        put_initial(&fields, call);
        submit(call, &fields, true);
    }
    compact_out(call);
    if (kw_ok(kw_edge_message_put(&call->out, message, NULL))) {
        call->connection->unsent += KW_EDGE_PREFIX_LEN + message.len;
    } else {
        kw_edge_respond_reset(call);
    }
    if (call->out_since_ns == 0) {
        call->out_since_ns = kw_clock_mono_ns();
        kw_edge_watch_call(call);
    }
    resume(call);
}

void kw_edge_respond_status(struct kw_edge_call *call, const struct kw_edge_status *status)
{
    if (call->answered) {
        put_status(&call->trailers, status);
        if (call->trailers.failed) {
            kw_edge_respond_reset(call);
        }
    } else {
        KW_SCOPED(kw_edge_fields_done) struct kw_edge_fields fields = {0};

        put_initial(&fields, call);
        put_status(&fields, status);
        submit(call, &fields, false);
    }
    resume(call);
}

void kw_edge_respond_http(struct kw_edge_call *call)
{
    KW_SCOPED(kw_edge_fields_done) struct kw_edge_fields fields = {0};
    char status[STATUS_SIZE];

    (void)snprintf(status, sizeof(status), "%u", call->request.http_status);
    kw_edge_fields_put(&fields, ":status", kw_bytes_str(status));
    kw_edge_fields_put(&fields, "allow", kw_bytes_str("POST"));
    kw_edge_fields_put(&fields, "content-length", kw_bytes_str("0"));
    submit(call, &fields, false);
    resume(call);
}
