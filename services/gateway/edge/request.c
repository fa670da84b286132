/* A request's headers: what makes them a gRPC call, what is wrong with them, and the few pieces of
 * metadata that mean something to us. All other metadata is ignored, as gRPC asks. */
#include "services/gateway/edge/edge_internal.h"
#include "services/gateway/edge/metadata.h"
#include "services/gateway/edge/timeout.h"

#include "common/base/clock.h"
#include "common/base/id.h"

#define FIELD_OVERHEAD          32 /* RFC 9113 6.5.2 */
#define HEADER_BOMB_FACTOR      4
#define HTTP_METHOD_NOT_ALLOWED 405
#define HTTP_UNSUPPORTED_TYPE   415

static const char grpc_type[] = "application/grpc";

struct kw_bytes kw_edge_request_bytes(const struct kw_edge_request *request,
                                      struct kw_edge_span span)
{
    return span.len == 0 ? KW_BYTES_NONE : KW_BYTES(request->text.data + span.at, span.len);
}

/* The first thing that is wrong is the one that is answered. */
static void refuse(struct kw_edge_request *request, enum kw_reason reason)
{
    if (request->refusal == KW_E_NONE) {
        request->refusal = reason;
    }
}

static void refuse_http(struct kw_edge_request *request, unsigned status)
{
    if (request->http_status == 0) {
        request->http_status = status;
    }
}

static void keep(struct kw_edge_request *request, struct kw_bytes value, struct kw_edge_span *span)
{
    size_t at = request->text.len;

    if (!kw_ok(kw_buf_append(&request->text, value, NULL))) {
        refuse(request, KW_E_MEMORY);
        return;
    }
    *span = (struct kw_edge_span){at, value.len};
}

static void on_method(struct kw_edge_call *call, struct kw_bytes value)
{
    if (!kw_bytes_equal(value, kw_bytes_str("POST"))) {
        refuse_http(&call->request, HTTP_METHOD_NOT_ALLOWED);
    }
}

static void on_path(struct kw_edge_call *call, struct kw_bytes value)
{
    keep(&call->request, value, &call->request.path);
}

/* "application/grpc", "application/grpc+proto", "application/grpc;…", but not
 * "application/grpc-web". */
static void on_content_type(struct kw_edge_call *call, struct kw_bytes value)
{
    size_t len = sizeof(grpc_type) - 1;

    if (value.len >= len && memcmp(value.data, grpc_type, len) == 0 &&
        (value.len == len || value.data[len] == '+' || value.data[len] == ';')) {
        call->request.has_content_type = true;
    }
}

static void on_encoding(struct kw_edge_call *call, struct kw_bytes value)
{
    if (!kw_bytes_equal(value, kw_bytes_str("identity"))) {
        refuse(&call->request, KW_E_COMPRESSION_UNSUPPORTED);
    }
}

static void on_timeout(struct kw_edge_call *call, struct kw_bytes value)
{
    uint64_t timeout_ns;

    if (!kw_ok(kw_edge_timeout_parse(value, &timeout_ns, NULL))) {
        refuse(&call->request, KW_E_METADATA_INVALID);
        return;
    }
    if (__builtin_add_overflow(kw_clock_mono_ns(), timeout_ns, &call->deadline_ns)) {
        call->deadline_ns = UINT64_MAX;
    }
}

/* Repeated, it would leave open which one is meant: that is not left to order. */
static void on_signature(struct kw_edge_call *call, struct kw_bytes value)
{
    struct kw_edge_request *request = &call->request;
    KW_SCOPED(kw_buf_done) struct kw_buf decoded = {0};

    if (request->has_signature || !kw_ok(kw_edge_base64_decode(value, &decoded, NULL)) ||
        decoded.len > KW_EDGE_SIGNATURE_LEN_MAX) {
        refuse(request, KW_E_METADATA_INVALID);
        return;
    }
    request->has_signature = true;
    keep(request, kw_buf_bytes(&decoded), &request->signature);
}

/* Likewise. */
static void on_wait(struct kw_edge_call *call, struct kw_bytes value)
{
    if (call->request.wait.len > 0 || value.len == 0) {
        refuse(&call->request, KW_E_METADATA_INVALID);
        return;
    }
    keep(&call->request, value, &call->request.wait);
}

static void on_traceparent(struct kw_edge_call *call, struct kw_bytes value)
{
    if (call->request.traceparent.len == 0) {
        keep(&call->request, value, &call->request.traceparent);
    }
}

static void on_request_id(struct kw_edge_call *call, struct kw_bytes value)
{
    if (call->request.request_id.len == 0 && kw_edge_request_id_valid(value)) {
        keep(&call->request, value, &call->request.request_id);
    }
}

static const struct {
    const char *name;
    void (*take)(struct kw_edge_call *call, struct kw_bytes value);
} known[] = {
    {":method", on_method},
    {":path", on_path},
    {"content-type", on_content_type},
    {"grpc-timeout", on_timeout},
    {"grpc-encoding", on_encoding},
    {"traceparent", on_traceparent},
    {"x-request-id", on_request_id},
    {"keyward-signature-bin", on_signature},
    {"keyward-wait", on_wait},
};

/* Once the list is too long nothing of it is kept: the call is refused when it is complete. */
bool kw_edge_request_header(struct kw_edge_call *call, struct kw_bytes name, struct kw_bytes value)
{
    struct kw_edge_request *request = &call->request;
    size_t len_max = call->connection->edge->limits.header_list_len;

    request->list_len += name.len + value.len + FIELD_OVERHEAD;
    if (request->list_len > len_max) {
        refuse(request, KW_E_METADATA_TOO_LARGE);
        return request->list_len <= len_max * HEADER_BOMB_FACTOR;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !call->headers_done; i++) {
        if (kw_bytes_equal(name, kw_bytes_str(known[i].name))) {
            known[i].take(call, value);
            break;
        }
    }
    return true;
}

static void make_request_id(struct kw_edge_request *request)
{
    struct kw_id id = KW_ID_NONE;
    char text[KW_ID_TEXT_SIZE];

    if (!kw_ok(kw_id_v7(&id, NULL))) {
        refuse(request, KW_E_SYSTEM);
    }
    keep(request, kw_bytes_str(kw_id_text(KW_ID_REQUEST, id, text)), &request->request_id);
}

void kw_edge_request_complete(struct kw_edge_call *call)
{
    call->headers_done = true;
    if (call->request.request_id.len == 0) {
        make_request_id(&call->request);
    }
    if (!call->request.has_content_type && call->request.refusal != KW_E_METADATA_TOO_LARGE) {
        refuse_http(&call->request, HTTP_UNSUPPORTED_TYPE);
    }
}
