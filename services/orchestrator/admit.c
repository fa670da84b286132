/* The way in: who is it, what exactly was allowed, and is it well-formed? Nothing else is looked at
 * before. */
#include "services/orchestrator/call_internal.h"

#include "common/audit/capsule_check.h"
#include "common/base/clock.h"
#include "common/rpc/messages.h"
#include "services/orchestrator/handlers.h"

static struct kw_result find_method(struct kw_call *call, uint32_t number, struct kw_error *err)
{
    call->method = kw_method_by_id(number);
    call->handler = kw_handler_find(number);
    KW_ENSURE(call->method != NULL && call->handler != NULL, err, METHOD_UNKNOWN,
              "method %u does not come here", number);
    return KW_OK;
}

/* What the hop lends goes when the callback returns. */
static struct kw_result copy_open(struct kw_call *call, const struct kw_hop_open *open,
                                  struct kw_error *err)
{
    KW_ENSURE(open->has_item && open->end, err, ENCODING_INVALID,
              "the request did not come in one piece");
    KW_TRY(kw_arena_copy(call->arena, open->item.data, &call->body, err));
    KW_TRY(kw_arena_copy(call->arena, open->item.context, &call->context, err));
    KW_TRY(kw_arena_copy(call->arena, open->trace, &call->trace, err));
    call->deadline_ns = open->deadline_ns;
    return KW_OK;
}

static struct kw_result check_capsule(struct kw_call *call, struct kw_error *err)
{
    struct kw_orch *orch = call->orch;
    struct kw_arrival arrival = kw_arrival_now();
    uint8_t body_hash[KW_SHA256_LEN];
    const struct kw_capsule_gate gate = {.seals = orch->seals, .replay = orch->replay};
    const struct kw_capsule_expected expected = {
        .region = kw_bytes_str(orch->config->region),
        .cell = kw_bytes_str(orch->config->cell),
        .method = (uint16_t)call->method->id,
        .operations = KW_OPERATION_BIT(call->method->operation) | call->handler->operations,
        .body_hash = body_hash,
        .arrival = arrival,
        .mono_ns = arrival.mono_ns,
    };

    KW_TRY(kw_sha256(call->body, body_hash, err));
    KW_TRY(kw_message_unpack(&keyward__internal__v1__authorization__descriptor, call->context,
                             call->arena, (ProtobufCMessage **)&call->authorization, err));
    return kw_capsule_admit(&gate, kw_bytes_field(call->authorization->capsule),
                            kw_bytes_field(call->authorization->signer_certificate), &expected,
                            &call->capsule, err);
}

static struct kw_result identify_caller(struct kw_call *call, struct kw_error *err)
{
    KW_TRY(kw_capsule_actor(&call->capsule, &call->actor, err));
    KW_TRY(kw_spiffe_parse(call->capsule.caller, &call->caller, err));
    KW_ENSURE(strcmp(call->caller.trust_domain, call->orch->config->trust_domain) == 0, err,
              CAPSULE_INVALID, "a caller of another trust domain");
    KW_ENSURE(kw_method_admits(call->method, call->caller.role), err, PERMISSION_DENIED,
              "a %s may not call %s", kw_role_name(call->caller.role), call->method->name);
    (void)kw_spiffe_text(&call->caller, call->caller_id);
    return KW_OK;
}

static struct kw_result read_common_fields(struct kw_call *call, struct kw_error *err)
{
    call->field = "request_id";
    KW_TRY(kw_request_id_parse(kw_message_request_id(call->request), &call->request_id, err));
    call->field = NULL;
    call->validate_only = kw_message_validate_only(call->request);
    return KW_OK;
}

static struct kw_result read_request(struct kw_call *call, struct kw_error *err)
{
    const ProtobufCMethodDescriptor *messages = kw_method_messages(call->method);
    ProtobufCMessage *request;

    KW_TRY(kw_message_unpack(messages->input, call->body, call->arena, &request, err));
    call->request = request;
    if (kw_method_has(call->method, KW_METHOD_MUTATES)) {
        KW_TRY(read_common_fields(call, err));
    }
    return KW_OK;
}

struct kw_result kw_call_admit(struct kw_call *call, const struct kw_hop_open *open,
                               struct kw_error *err)
{
    KW_TRY(find_method(call, open->method, err));
    KW_TRY(copy_open(call, open, err));
    KW_TRY(check_capsule(call, err));
    KW_TRY(identify_caller(call, err));
    KW_TRY(read_request(call, err));
    call->now_ms = kw_clock_wall_ms();
    return KW_OK;
}
