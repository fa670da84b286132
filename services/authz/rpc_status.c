/* Details in, ErrorInfo out. */
#include "services/authz/rpc_status.h"

#include "common/base/clock.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "google/rpc/error_details.pb-c.h"

#define ERROR_INFO_URL "type.googleapis.com/google.rpc.ErrorInfo"
#define RETRY_INFO_URL "type.googleapis.com/google.rpc.RetryInfo"
#define DOMAIN         "keyward"
#define DETAILS_MAX    2
#define MS_PER_S       1000U

static struct kw_result detail_add(Google__Rpc__Status *status, const char *type_url,
                                   const ProtobufCMessage *message, struct kw_arena *arena,
                                   struct kw_error *err)
{
    Google__Protobuf__Any *any = kw_arena_alloc(arena, sizeof(*any));
    struct kw_bytes packed;

    KW_ENSURE(any != NULL, err, MEMORY, "a detail");
    KW_TRY(kw_arena_pack(arena, message, &packed, err));
    google__protobuf__any__init(any);
    any->type_url = kw_field_text(type_url);
    any->value = kw_field_bytes(packed);
    status->details[status->n_details++] = any;
    return KW_OK;
}

static struct kw_result error_info_add(Google__Rpc__Status *status, const char *name,
                                       struct kw_arena *arena, struct kw_error *err)
{
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;

    info.reason = kw_field_text(name);
    info.domain = kw_field_text(DOMAIN);
    return detail_add(status, ERROR_INFO_URL, &info.base, arena, err);
}

static struct kw_result retry_info_add(Google__Rpc__Status *status, uint32_t retry_ms,
                                       struct kw_arena *arena, struct kw_error *err)
{
    Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;

    if (retry_ms == 0) {
        return KW_OK;
    }
    delay.seconds = retry_ms / MS_PER_S;
    delay.nanos = (int32_t)(retry_ms % MS_PER_S * KW_NS_PER_MS);
    info.retry_delay = &delay;
    return detail_add(status, RETRY_INFO_URL, &info.base, arena, err);
}

struct kw_result kw_rpc_status_make(enum kw_reason reason, uint32_t retry_ms,
                                    struct kw_arena *arena, Google__Rpc__Status **ret_status,
                                    struct kw_error *err)
{
    const struct kw_reason_row *row = kw_reason_row(reason);
    Google__Rpc__Status *status = kw_arena_alloc(arena, sizeof(*status));

    KW_ENSURE(status != NULL, err, MEMORY, "a status");
    google__rpc__status__init(status);
    status->code = (int32_t)row->grpc_code;
    status->message = kw_field_text(row->text);
    status->details = kw_arena_alloc(arena, DETAILS_MAX * sizeof(*status->details));
    KW_ENSURE(status->details != NULL, err, MEMORY, "a status");
    KW_TRY(error_info_add(status, row->name, arena, err));
    KW_TRY(retry_info_add(status, retry_ms, arena, err));
    *ret_status = status;
    return KW_OK;
}

enum kw_reason kw_rpc_status_reason(const Google__Rpc__Status *status, struct kw_arena *arena)
{
    for (size_t i = 0; i < status->n_details; i++) {
        const Google__Protobuf__Any *detail = status->details[i];
        ProtobufCMessage *info;

        if (strcmp(detail->type_url, ERROR_INFO_URL) == 0 &&
            kw_ok(kw_message_unpack(&google__rpc__error_info__descriptor,
                                    kw_bytes_field(detail->value), arena, &info, NULL))) {
            const char *name = ((const Google__Rpc__ErrorInfo *)info)->reason;
            enum kw_reason reason = kw_reason_by_name(name, strlen(name));

            return reason != KW_E_NONE ? reason : KW_E_INTERNAL;
        }
    }
    return KW_E_INTERNAL;
}
