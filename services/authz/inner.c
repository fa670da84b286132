/* The way in and back. */
#include "services/authz/inner.h"

#include "common/base/container.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "keyward/internal/v1/context.pb-c.h"

#include <stdio.h>

static void end(struct kw_inner *inner, enum kw_reason reason)
{
    inner->hop = NULL;
    inner->reason = reason;
    inner->done(inner);
}

static void detail_keep(struct kw_inner *inner, const struct kw_error *error)
{
    (void)snprintf(inner->detail, sizeof(inner->detail), "%.*s", (int)sizeof(inner->detail) - 1,
                   error->message);
}

/* --- what the answer says --- */

static struct kw_result disabled_read(struct kw_inner *inner,
                                      const Keyward__Internal__V1__Outcome *outcome,
                                      struct kw_error *err)
{
    struct kw_bytes *facts =
        kw_arena_alloc(inner->arena, (outcome->n_disabled + 1) * sizeof(*facts));

    KW_ENSURE(facts != NULL, err, MEMORY, "%zu facts", outcome->n_disabled);
    for (size_t i = 0; i < outcome->n_disabled; i++) {
        facts[i] = kw_bytes_field(outcome->disabled[i]);
    }
    inner->outcome.disabled = facts;
    inner->outcome.disabled_count = outcome->n_disabled;
    return KW_OK;
}

static bool head_read(const Keyward__Internal__V1__Outcome *outcome, struct kw_witness *ret_head)
{
    struct kw_witness head = {.seq = outcome->seq};

    if (outcome->head.len != sizeof(head.head) || outcome->seq == 0 ||
        !kw_ok(kw_id_from_bytes(kw_bytes_field(outcome->core_boot), &head.core, NULL)) ||
        !kw_ok(kw_id_from_bytes(kw_bytes_field(outcome->stream_boot), &head.stream, NULL))) {
        return false;
    }
    kw_copy(head.head, outcome->head.data, sizeof(head.head));
    *ret_head = head;
    return true;
}

/* The head of a replay is that of the first time, of a chain that may be over: no witness. */
static void receipt_read(struct kw_inner *inner, const Keyward__Internal__V1__Outcome *outcome)
{
    struct kw_witness head;

    inner->outcome.receipt_id = kw_bytes_field(outcome->receipt_id);
    inner->outcome.has_receipt = false;
    if (!head_read(outcome, &head)) {
        return;
    }
    inner->outcome.has_receipt = outcome->receipt_id.len == KW_ID_LEN;
    if (!outcome->replayed) {
        kw_diary_witness(&inner->authz->diary, &head);
    }
}

static struct kw_result outcome_read(struct kw_inner *inner, struct kw_bytes context,
                                     struct kw_error *err)
{
    const Keyward__Internal__V1__Outcome *outcome;
    ProtobufCMessage *message;

    if (context.len == 0) {
        return KW_OK;
    }
    KW_TRY(kw_message_unpack(&keyward__internal__v1__outcome__descriptor, context, inner->arena,
                             &message, err));
    outcome = (const Keyward__Internal__V1__Outcome *)message;
    inner->outcome.replayed = outcome->replayed;
    inner->outcome.local_only = outcome->local_only;
    receipt_read(inner, outcome);
    return disabled_read(inner, outcome, err);
}

static struct kw_result message_keep(struct kw_inner *inner, struct kw_bytes data,
                                     struct kw_error *err)
{
    KW_ENSURE(inner->message_count < KW_INNER_MESSAGES_MAX, err, LIMIT_REACHED,
              "more than %d messages of an answer", KW_INNER_MESSAGES_MAX);
    KW_TRY(kw_arena_copy(inner->arena, data, &inner->messages[inner->message_count], err));
    inner->message_count++;
    return KW_OK;
}

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct kw_inner *inner = user;
    struct kw_error error;
    struct kw_result result = outcome_read(inner, item.context, &error);

    inner->received++;
    if (kw_ok(result) && inner->message == NULL) {
        result = message_keep(inner, item.data, &error);
        kw_hop_consume(call, item.data.len);
    }
    if (!kw_ok(result)) {
        kw_hop_cancel(call);
        detail_keep(inner, &error);
        end(inner, result.reason);
        return;
    }
    if (inner->message != NULL) {
        inner->message(inner, item.data);
    }
}

struct kw_result kw_inner_receipt_require(const struct kw_inner *inner, struct kw_error *err)
{
    if (!inner->outcome.has_receipt) {
        KW_LOG(ERROR, "alarm: an answer without receipt is withheld",
               KW_F_STR("method", inner->method->path));
        KW_FAIL(err, INTERNAL, "an answer without receipt");
    }
    return KW_OK;
}

static struct kw_result answer_check(const struct kw_inner *inner, struct kw_error *err)
{
    bool uses_keys = inner->method->ends == KW_LAYER_CORE && inner->method->audit == KW_AUDIT_KEY;

    return uses_keys && !inner->receipt_optional ? kw_inner_receipt_require(inner, err) : KW_OK;
}

/* --- the end, or another try --- */

static bool may_retry(const struct kw_inner *inner, enum kw_reason reason)
{
    if (inner->retried || inner->cancelled || inner->received > 0) {
        return false;
    }
    return reason == KW_E_DRAINING || reason == KW_E_RECEIPT_LAG ||
           (reason == KW_E_PEER_UNAVAILABLE && kw_method_has(inner->method, KW_METHOD_IDEMPOTENT));
}

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct kw_inner *inner = user;
    enum kw_reason reason = status->reason;
    struct kw_error error;
    struct kw_result result = outcome_read(inner, context, &error);

    (void)call;
    inner->hop = NULL;
    if (may_retry(inner, reason)) {
        inner->retried = true;
        kw_inner_start(inner);
        return;
    }
    (void)snprintf(inner->field, sizeof(inner->field), "%s", status->field);
    (void)snprintf(inner->description, sizeof(inner->description), "%s", status->description);
    inner->retry_after_ms = status->retry_after_ms;
    if (reason == KW_E_NONE) {
        result = kw_ok(result) ? answer_check(inner, &error) : result;
        if (kw_ok(result) && kw_failpoint_hit(KW_FP_AUTHZ_AFTER_INNER)) {
            result = KW_MAKE(&error, SYSTEM, "failpoint: the answer is lost here");
        }
        if (!kw_ok(result)) {
            detail_keep(inner, &error);
        }
        reason = result.reason;
    }
    end(inner, reason);
}

/* --- the way in --- */

static struct kw_result authorization_make(const struct kw_inner *inner, struct kw_bytes *ret_bytes,
                                           struct kw_error *err)
{
    Keyward__Internal__V1__Authorization authorization = KEYWARD__INTERNAL__V1__AUTHORIZATION__INIT;

    authorization.capsule = kw_field_bytes(kw_buf_bytes(&inner->slot.sealed));
    authorization.signer_certificate =
        kw_field_bytes(kw_buf_bytes(&inner->authz->capsules.certificate));
    authorization.caller_certificate = kw_field_bytes(inner->caller_certificate);
    authorization.caller_signature = kw_field_bytes(inner->caller_signature);
    authorization.invitation = kw_field_bytes(inner->invitation);
    return kw_arena_pack(inner->arena, &authorization.base, ret_bytes, err);
}

static struct kw_result hop_start(struct kw_inner *inner, struct kw_error *err)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    struct kw_hop_open open = {
        .method = (uint32_t)inner->method->id,
        .deadline_ns = inner->deadline_ns,
        .trace = inner->trace,
        .item = {.data = inner->body},
        .has_item = true,
        .end = true,
        .kept = kw_method_is_officers(inner->method),
    };

    KW_FAILPOINT(KW_FP_AUTHZ_BEFORE_INNER, err);
    KW_ENSURE(inner->authz->inner != NULL, err, PEER_UNAVAILABLE, "the link is closed");
    KW_TRY(authorization_make(inner, &open.item.context, err));
    return kw_hop_open(inner->authz->inner, &open, &events, inner, &inner->hop, err);
}

static void on_sealed(struct kw_capsule_slot *slot, struct kw_result result,
                      const struct kw_error *sealing)
{
    struct kw_inner *inner = KW_CONTAINER_OF(slot, struct kw_inner, slot);
    struct kw_error error = *sealing;

    if (inner->cancelled) {
        end(inner, KW_E_CANCELLED);
        return;
    }
    if (kw_ok(result)) {
        result = hop_start(inner, &error);
    }
    if (!kw_ok(result)) {
        detail_keep(inner, &error);
        end(inner, result.reason);
    }
}

void kw_inner_start(struct kw_inner *inner)
{
    kw_buf_clear(&inner->slot.sealed);
    inner->slot.done = on_sealed;
    kw_capsules_add(&inner->authz->capsules, &inner->slot);
}

void kw_inner_cancel(struct kw_inner *inner)
{
    inner->cancelled = true;
    inner->slot.skip = true;
    if (inner->hop != NULL) {
        kw_hop_cancel(inner->hop);
        inner->hop = NULL;
        kw_capsules_add(&inner->authz->capsules, &inner->slot);
    }
}

void kw_inner_reset(struct kw_inner *inner)
{
    inner->retried = false;
    inner->received = 0;
    inner->message_count = 0;
    inner->outcome = (struct kw_inner_outcome){0};
    inner->reason = KW_E_NONE;
    inner->field[0] = '\0';
    inner->description[0] = '\0';
    inner->detail[0] = '\0';
    inner->retry_after_ms = 0;
}

void kw_inner_done(struct kw_inner *inner)
{
    kw_capsule_slot_done(&inner->slot);
}
