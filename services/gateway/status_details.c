/* Each detail is packed into a google.protobuf.Any of one arena; the status is packed from there.
 */
#include "services/gateway/status_details.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#define DETAILS_MAX 4
#define MS_PER_S    1000U

struct builder {
    struct kw_arena *arena;
    const struct kw_status_details *details;
    Google__Protobuf__Any any[DETAILS_MAX];
    Google__Protobuf__Any *list[DETAILS_MAX];
    size_t count;
};

static bool has_text(const char *text)
{
    return text != NULL && text[0] != '\0';
}

const char *kw_status_message(const struct kw_status_details *details)
{
    return has_text(details->description) ? details->description
                                          : kw_reason_row(details->reason)->text;
}

/* When trying again makes sense, in milliseconds; 0: RetryInfo would be wrong. */
static uint32_t retry_ms_of(enum kw_reason reason, uint32_t retry_after_ms)
{
    if (retry_after_ms > 0) {
        return retry_after_ms;
    }
    if (kw_reason_row(reason)->grpc_code == KW_GRPC_UNAVAILABLE || reason == KW_E_RATE_LIMITED ||
        reason == KW_E_LIMIT_REACHED || reason == KW_E_HSM_BUSY || reason == KW_E_MEMORY) {
        return KW_GATEWAY_RETRY_MS;
    }
    return 0;
}

static struct kw_result add(struct builder *b, const char *type_url,
                            const ProtobufCMessage *message, struct kw_error *err)
{
    Google__Protobuf__Any *any = &b->any[b->count];
    struct kw_bytes packed;

    KW_TRY(kw_arena_pack(b->arena, message, &packed, err));
    google__protobuf__any__init(any);
    any->type_url = kw_field_text(type_url);
    any->value = kw_field_bytes(packed);
    b->list[b->count++] = any;
    return KW_OK;
}

static struct kw_result add_error_info(struct builder *b, struct kw_error *err)
{
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;

    info.reason = kw_field_text(kw_reason_row(b->details->reason)->name);
    info.domain = kw_field_text(KW_ERROR_DOMAIN);
    return add(b, "type.googleapis.com/google.rpc.ErrorInfo", &info.base, err);
}

static struct kw_result add_bad_request(struct builder *b, struct kw_error *err)
{
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    Google__Rpc__BadRequest__FieldViolation violation =
        GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};

    violation.field = kw_field_text(b->details->field);
    violation.description = kw_field_text(kw_status_message(b->details));
    bad.n_field_violations = 1;
    bad.field_violations = violations;
    return add(b, "type.googleapis.com/google.rpc.BadRequest", &bad.base, err);
}

static struct kw_result add_retry_info(struct builder *b, uint32_t retry_ms, struct kw_error *err)
{
    Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;

    delay.seconds = retry_ms / MS_PER_S;
    delay.nanos = (int32_t)(retry_ms % MS_PER_S * KW_NS_PER_MS);
    info.retry_delay = &delay;
    return add(b, "type.googleapis.com/google.rpc.RetryInfo", &info.base, err);
}

static struct kw_result add_request_info(struct builder *b, struct kw_error *err)
{
    Google__Rpc__RequestInfo info = GOOGLE__RPC__REQUEST_INFO__INIT;

    info.request_id = kw_arena_text(b->arena, (const char *)b->details->request_id.data,
                                    b->details->request_id.len);
    KW_ENSURE(info.request_id != NULL, err, MEMORY, "request id");
    return add(b, "type.googleapis.com/google.rpc.RequestInfo", &info.base, err);
}

static struct kw_result build(struct builder *b, struct kw_bytes *ret_packed, struct kw_error *err)
{
    const struct kw_status_details *details = b->details;
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    uint32_t retry_ms = retry_ms_of(details->reason, details->retry_after_ms);

    KW_TRY(add_error_info(b, err));
    if (has_text(details->field)) {
        KW_TRY(add_bad_request(b, err));
    }
    if (retry_ms > 0) {
        KW_TRY(add_retry_info(b, retry_ms, err));
    }
    if (details->request_id.len > 0) {
        KW_TRY(add_request_info(b, err));
    }
    status.code = (int32_t)kw_reason_row(details->reason)->grpc_code;
    status.message = kw_field_text(kw_status_message(details));
    status.n_details = b->count;
    status.details = b->list;
    return kw_arena_pack(b->arena, &status.base, ret_packed, err);
}

static void arena_done(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

struct kw_result kw_status_details_append(const struct kw_status_details *details,
                                          struct kw_buf *out, struct kw_error *err)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(KW_GATEWAY_DETAILS_MAX);
    struct builder b = {.arena = arena, .details = details};
    struct kw_bytes packed;

    KW_ENSURE(arena != NULL, err, MEMORY, "status details");
    KW_TRY(build(&b, &packed, err));
    return kw_buf_append(out, packed, err);
}

void kw_status_describe(enum kw_reason reason, struct kw_buf *details, void *context)
{
    const struct kw_status_details what = {.reason = reason};

    (void)context;
    KW_IGNORE(kw_status_details_append(&what, details, NULL)); /* code and message remain */
}
