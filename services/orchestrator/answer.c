/* The way out: what a call says to authz when everything that it says is durable. */
#include "services/orchestrator/call_internal.h"

#include "common/base/log.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"

struct kw_result kw_call_answer(struct kw_call *call, const ProtobufCMessage *message,
                                struct kw_error *err)
{
    KW_ENSURE(call->message_count < KW_CALL_MESSAGES_MAX, err, INTERNAL, "an answer too many");
    KW_TRY(kw_view_pack(&call->view, message, &call->messages[call->message_count], err));
    call->message_count++;
    call->answered = true;
    return KW_OK;
}

/* --- what goes with it --- */

/* The chain's head that authz is to witness. For a lagging witness it is the newest durable one:
 * answers whose callers had gone never reached authz, and without it no capsule would be good
 * enough again. */
static bool head_find(const struct kw_call *call, struct kw_witness *ret_head)
{
    const struct kw_receipt_entry *entry = &call->core.receipt.entry;

    if (!call->has_receipt) {
        return call->result.reason == KW_E_RECEIPT_LAG &&
               kw_core_link_head(call->orch->link, ret_head);
    }
    *ret_head = (struct kw_witness){
        .core = entry->receipt.core, .stream = entry->receipt.stream, .seq = entry->receipt.seq};
    kw_copy(ret_head->head, entry->head.bytes, sizeof(ret_head->head));
    return true;
}

/* `head` must live as long as `outcome`. */
static void fill_outcome(const struct kw_call *call, struct kw_witness *head,
                         Keyward__Internal__V1__Outcome *outcome)
{
    if (call->has_receipt) {
        outcome->receipt_id = kw_field_bytes(kw_id_bytes(&call->core.receipt.entry.receipt.id));
    }
    if (head_find(call, head)) {
        outcome->core_boot = kw_field_bytes(kw_id_bytes(&head->core));
        outcome->stream_boot = kw_field_bytes(kw_id_bytes(&head->stream));
        outcome->seq = head->seq;
        outcome->head = kw_field_bytes(KW_BYTES_OF(head->head));
    }
}

struct kw_result kw_call_outcome(struct kw_call *call, struct kw_arena *arena,
                                 struct kw_bytes *ret_outcome, struct kw_error *err)
{
    Keyward__Internal__V1__Outcome outcome = KEYWARD__INTERNAL__V1__OUTCOME__INIT;
    ProtobufCBinaryData disabled = kw_field_bytes(call->disabled);
    struct kw_witness head;

    if (call->stored_outcome.len > 0) {
        *ret_outcome = call->stored_outcome;
        return KW_OK;
    }
    fill_outcome(call, &head, &outcome);
    outcome.replayed = call->replayed;
    outcome.local_only = call->copy.missing;
    if (call->disabled.len > 0) {
        outcome.n_disabled = 1;
        outcome.disabled = &disabled;
    }
    return kw_arena_pack(arena, &outcome.base, ret_outcome, err);
}

/* --- sending --- */

static void finish_well(struct kw_call *call, struct kw_bytes outcome)
{
    static const struct kw_hop_status success = {.field = "", .description = ""};
    bool unary = !kw_method_has(call->method, KW_METHOD_SERVER_STREAM) ||
                 call->method->id == KW_METHOD_BATCH_GET_DEVICE_ACCESS;

    if (unary) {
        kw_hop_reply(call->outer,
                     (struct kw_hop_item){.data = call->messages[0], .context = outcome});
    } else {
        kw_hop_finish(call->outer, &success, outcome);
    }
    call->outer = NULL;
}

/* A stream's messages, as far as credit goes. */
static bool send_messages(struct kw_call *call)
{
    if (!kw_method_has(call->method, KW_METHOD_SERVER_STREAM) ||
        call->method->id == KW_METHOD_BATCH_GET_DEVICE_ACCESS) {
        return true; /* goes with the status, in one piece */
    }
    while (call->sent_count < call->message_count) {
        if (!kw_hop_send(call->outer,
                         (struct kw_hop_item){.data = call->messages[call->sent_count]})) {
            return false;
        }
        call->sent_count++;
    }
    return true;
}

bool kw_call_send(struct kw_call *call)
{
    struct kw_bytes outcome;

    if (call->outer == NULL) {
        return true;
    }
    if (!send_messages(call) || call->more) {
        return false;
    }
    call->result = kw_call_outcome(call, call->arena, &outcome, &call->error);
    if (!kw_ok(call->result)) {
        kw_call_refuse(call);
        return true;
    }
    finish_well(call, outcome);
    return true;
}

/* --- refusing --- */

static bool is_ours(enum kw_reason reason)
{
    switch (kw_reason_row(reason)->grpc_code) {
    case KW_GRPC_INTERNAL:
    case KW_GRPC_DATA_LOSS:
    case KW_GRPC_UNAVAILABLE:
    case KW_GRPC_UNKNOWN:
        return true;
    case KW_GRPC_OK:
    case KW_GRPC_CANCELLED:
    case KW_GRPC_INVALID_ARGUMENT:
    case KW_GRPC_DEADLINE_EXCEEDED:
    case KW_GRPC_NOT_FOUND:
    case KW_GRPC_ALREADY_EXISTS:
    case KW_GRPC_PERMISSION_DENIED:
    case KW_GRPC_RESOURCE_EXHAUSTED:
    case KW_GRPC_FAILED_PRECONDITION:
    case KW_GRPC_ABORTED:
    case KW_GRPC_OUT_OF_RANGE:
    case KW_GRPC_UNIMPLEMENTED:
    case KW_GRPC_UNAUTHENTICATED:
        break;
    }
    return false;
}

static void log_refusal(const struct kw_call *call)
{
    const char *path = call->method != NULL ? call->method->path : "";
    const char *reason = kw_reason_row(call->result.reason)->name;

    if (is_ours(call->result.reason)) {
        KW_LOG(WARN, "call failed", KW_F_STR("method", path), KW_F_STR("reason", reason),
               KW_F_ID("request", KW_ID_REQUEST, call->request_id), KW_F_ERR(&call->error));
    } else {
        KW_LOG(INFO, "call refused", KW_F_STR("method", path), KW_F_STR("reason", reason),
               KW_F_ID("request", KW_ID_REQUEST, call->request_id), KW_F_ERR(&call->error));
    }
}

void kw_call_refuse(struct kw_call *call)
{
    bool blames = call->result.reason == KW_E_ARGUMENT_INVALID && call->field != NULL;
    const struct kw_hop_status status = {
        .reason = call->result.reason,
        .field = blames ? call->field : "",
        .description = blames ? call->error.message : "",
    };
    struct kw_bytes outcome = KW_BYTES_NONE;

    log_refusal(call);
    if (call->outer == NULL) {
        return;
    }
    if ((call->has_receipt || call->result.reason == KW_E_RECEIPT_LAG) &&
        !kw_ok(kw_call_outcome(call, call->arena, &outcome, NULL))) { /* a witness less */
        outcome = KW_BYTES_NONE;
    }
    kw_hop_finish(call->outer, &status, outcome);
    call->outer = NULL;
}
