/* ErrorInfo in, ErrorInfo out. */
#include "services/authz/rpc_status.h"

#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "google/rpc/error_details.pb-c.h"

#define ERROR_INFO_URL "type.googleapis.com/google.rpc.ErrorInfo"
#define DOMAIN         "keyward"

static struct kw_result detail_make(const struct kw_reason_row *row, struct kw_arena *arena,
                                    Google__Protobuf__Any *any, struct kw_error *err)
{
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    struct kw_bytes packed;

    info.reason = (char *)(uintptr_t)row->name;
    info.domain = (char *)(uintptr_t)DOMAIN;
    KW_TRY(kw_arena_pack(arena, &info.base, &packed, err));
    google__protobuf__any__init(any);
    any->type_url = (char *)(uintptr_t)ERROR_INFO_URL;
    any->value = kw_field_bytes(packed);
    return KW_OK;
}

struct kw_result kw_rpc_status_make(enum kw_reason reason, struct kw_arena *arena,
                                    Google__Rpc__Status **ret_status, struct kw_error *err)
{
    const struct kw_reason_row *row = kw_reason_row(reason);
    Google__Rpc__Status *status = kw_arena_alloc(arena, sizeof(*status));
    Google__Protobuf__Any *detail = kw_arena_alloc(arena, sizeof(*detail));
    Google__Protobuf__Any **details = kw_arena_alloc(arena, sizeof(*details));

    KW_ENSURE(status != NULL && detail != NULL && details != NULL, err, MEMORY, "a status");
    KW_TRY(detail_make(row, arena, detail, err));
    google__rpc__status__init(status);
    details[0] = detail;
    status->code = (int32_t)row->grpc_code;
    status->message = (char *)(uintptr_t)row->text;
    status->n_details = 1;
    status->details = details;
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
