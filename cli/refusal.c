/* Status details to a refusal, and a refusal to lines. */
#include "cli/refusal.h"

#include "cli/message.h"
#include "common/base/limits.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/protocheck.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#include <inttypes.h>
#include <string.h>

#define TYPE_PREFIX "type.googleapis.com/"

const char kw_refusal_unreachable_cure[] =
    "Is the mesh running, and target right? `keyward up` starts one.";

static void error_info(const ProtobufCMessage *message, struct kw_refusal *refusal)
{
    const Google__Rpc__ErrorInfo *info = (const Google__Rpc__ErrorInfo *)message;

    (void)snprintf(refusal->name, sizeof(refusal->name), "%s", info->reason);
    refusal->reason = kw_reason_by_name(info->reason, strlen(info->reason));
    if (refusal->reason == KW_E_NONE) {
        refusal->reason = KW_E_INTERNAL; /* of a newer server */
    }
    refusal->exit = KW_EXIT_REFUSED;
}

static void bad_request(const ProtobufCMessage *message, struct kw_refusal *refusal)
{
    const Google__Rpc__BadRequest *bad = (const Google__Rpc__BadRequest *)message;

    if (bad->n_field_violations > 0) {
        (void)snprintf(refusal->field, sizeof(refusal->field), "%s: %s",
                       bad->field_violations[0]->field, bad->field_violations[0]->description);
    }
}

static void retry_info(const ProtobufCMessage *message, struct kw_refusal *refusal)
{
    const Google__Rpc__RetryInfo *retry = (const Google__Rpc__RetryInfo *)message;

    if (retry->retry_delay != NULL && retry->retry_delay->seconds >= 0) {
        refusal->retry_ms = (uint64_t)retry->retry_delay->seconds * 1000 +
                            (uint64_t)(retry->retry_delay->nanos / 1000000);
    }
}

static void request_info(const ProtobufCMessage *message, struct kw_refusal *refusal)
{
    const Google__Rpc__RequestInfo *info = (const Google__Rpc__RequestInfo *)message;

    (void)snprintf(refusal->request_id, sizeof(refusal->request_id), "%s", info->request_id);
}

/* The details we read; others are for others. */
static const struct {
    const ProtobufCMessageDescriptor *type;
    void (*read)(const ProtobufCMessage *message, struct kw_refusal *refusal);
} details[] = {
    {&google__rpc__error_info__descriptor, error_info},
    {&google__rpc__bad_request__descriptor, bad_request},
    {&google__rpc__retry_info__descriptor, retry_info},
    {&google__rpc__request_info__descriptor, request_info},
};

static void detail_read(const Google__Protobuf__Any *any, struct kw_arena *arena,
                        struct kw_refusal *refusal)
{
    size_t prefix = sizeof(TYPE_PREFIX) - 1;
    ProtobufCMessage *message = NULL;

    for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
        if (strncmp(any->type_url, TYPE_PREFIX, prefix) == 0 &&
            strcmp(any->type_url + prefix, details[i].type->name) == 0 &&
            kw_ok(kw_arena_unpack(arena, details[i].type, KW_BYTES(any->value.data, any->value.len),
                                  &message, NULL))) {
            details[i].read(message, refusal);
        }
    }
}

static void details_read(struct kw_bytes encoded, struct kw_arena *arena,
                         struct kw_refusal *refusal)
{
    ProtobufCMessage *message = NULL;

    if (!kw_ok(kw_arena_unpack(arena, &google__rpc__status__descriptor, encoded, &message, NULL))) {
        return;
    }
    for (size_t i = 0; i < ((Google__Rpc__Status *)message)->n_details; i++) {
        detail_read(((Google__Rpc__Status *)message)->details[i], arena, refusal);
    }
}

/* Without a reason of ours nobody of ours answered: gRPC itself gave up. */
static enum kw_exit exit_without_reason(enum kw_grpc_code code)
{
    return code == KW_GRPC_UNAVAILABLE || code == KW_GRPC_DEADLINE_EXCEEDED ? KW_EXIT_UNREACHABLE
                                                                            : KW_EXIT_REFUSED;
}

void kw_refusal_from_reply(const struct kw_client_reply *reply, struct kw_refusal *ret_refusal)
{
    const struct kw_bytes *encoded = kw_client_trailer(reply, "grpc-status-details-bin");
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_refusal refusal = {.exit = exit_without_reason(reply->code)};

    (void)snprintf(refusal.text, sizeof(refusal.text), "%s",
                   reply->text != NULL ? reply->text : "");
    if (arena != NULL && encoded != NULL) {
        details_read(*encoded, arena, &refusal);
    }
    if (refusal.name[0] == '\0') {
        refusal.reason =
            refusal.exit == KW_EXIT_UNREACHABLE ? KW_E_PEER_UNAVAILABLE : KW_E_INTERNAL;
        (void)snprintf(refusal.name, sizeof(refusal.name),
                       refusal.exit == KW_EXIT_UNREACHABLE ? KW_REFUSAL_UNREACHABLE
                                                           : "gRPC code %d",
                       (int)reply->code);
    }
    kw_arena_free(arena);
    *ret_refusal = refusal;
}

void kw_refusal_from_error(const struct kw_error *error, struct kw_refusal *ret_refusal)
{
    struct kw_refusal refusal = {.exit = KW_EXIT_USAGE, .reason = error->reason};

    (void)snprintf(refusal.name, sizeof(refusal.name), "%s", kw_reason_row(error->reason)->name);
    (void)snprintf(refusal.text, sizeof(refusal.text), "%s", error->message);
    *ret_refusal = refusal;
}

static const char *cure_of(const struct kw_refusal *refusal)
{
    if (refusal->exit == KW_EXIT_UNREACHABLE) {
        return kw_refusal_unreachable_cure;
    }
    return refusal->exit == KW_EXIT_REFUSED ? kw_reason_row(refusal->reason)->cure : "";
}

void kw_refusal_print(const struct kw_refusal *refusal, FILE *out)
{
    const char *cure = cure_of(refusal);

    (void)fprintf(out, "keyward: %s: %s\n", refusal->name, refusal->text);
    if (refusal->field[0] != '\0') {
        (void)fprintf(out, "  field    %s\n", refusal->field);
    }
    if (cure[0] != '\0') {
        (void)fprintf(out, "  cure     %s\n", cure);
    }
    if (refusal->retry_ms > 0) {
        (void)fprintf(out, "  retry    in %" PRIu64 " ms\n", refusal->retry_ms);
    }
    if (refusal->request_id[0] != '\0') {
        (void)fprintf(out, "  request  %s\n", refusal->request_id);
    }
}
