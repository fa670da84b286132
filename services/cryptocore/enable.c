/* Enabling facts: ActivateKey, ReleaseBatch and LiftKeySuspensions. Two rounds: the key's binding
 * and the facts the decision rests on are verified, then the new ones get their MACs. An enabling
 * fact is made from verified ones only, about the key that the caller named. */
#include "services/cryptocore/operations.h"

#include "common/base/limits.h"
#include "common/rpc/resource.h"
#include "keyward/v1/key_service.pb-c.h"
#include "keyward/v1/provisioning_service.pb-c.h"
#include "services/cryptocore/material.h"

enum {
    ROUND_VERIFIED = 1,
    ROUND_MADE = 2
};

static struct kw_result item_prepare(struct kw_core_call *call, size_t index,
                                     enum kw_operation operation, struct kw_key_state *ret_state,
                                     struct kw_error *err)
{
    const Keyward__Internal__V1__WrappedDeviceKey *message = call->request->keys[index];
    struct kw_core_item *item = &call->items[index];
    struct kw_key_binding binding;
    struct kw_hsm_fact *facts;
    size_t count;

    KW_TRY(kw_material_key(message, &binding, err));
    item->key = binding.key;
    item->device = binding.device;
    KW_TRY(kw_material_scope(call, &binding, binding.device, err));
    KW_TRY(kw_material_facts(call, message, binding.key, ret_state, &facts, &count, err));
    KW_TRY(kw_state_require(ret_state, operation, call->actor, err));
    KW_ENSURE(count > 0, err, KEY_STATE, "a key without any enabling fact");
    kw_core_request_add(call, index, KW_HSM_VERIFY_FACTS)->verify_facts =
        (struct kw_hsm_verify_facts){.device = binding, .facts = facts, .count = count};
    return KW_OK;
}

/* The name in the body is the key that was sent: an orchestrator can't have another one activated.
 */
static struct kw_result named_key_check(const struct kw_core_call *call, const char *name,
                                        struct kw_error *err)
{
    struct kw_resource_ids ids;

    KW_TRY(kw_resource_parse(KW_RESOURCE_KEY, name, &ids, err));
    KW_ENSURE(kw_id_equal(ids.id[0], call->items[0].device) &&
                  kw_id_equal(ids.id[1], call->items[0].key),
              err, CAPSULE_INVALID, "another key than the one named");
    return KW_OK;
}

/* What a release reaches is the batch that the station signed for, whatever authz says. */
static struct kw_result released_batch_check(const struct kw_core_call *call, const char *name,
                                             struct kw_error *err)
{
    struct kw_resource_ids ids;

    KW_TRY(kw_resource_parse(KW_RESOURCE_BATCH, name, &ids, err));
    KW_ENSURE(call->capsule.scope == KW_SCOPE_BATCH &&
                  kw_id_equal(call->capsule.scope_id, ids.id[0]),
              err, CAPSULE_INVALID, "the capsule is not about the batch named");
    return KW_OK;
}

struct kw_result kw_core_activate_prepare(struct kw_core_call *call, struct kw_error *err)
{
    struct kw_key_state state;

    KW_TRY(kw_core_items_make(call, call->request->n_keys, err));
    KW_ENSURE(call->method->id == KW_METHOD_RELEASE_BATCH || call->item_count == 1, err,
              CAPSULE_INVALID, "%zu keys activated at once", call->item_count);
    if (call->method->id == KW_METHOD_RELEASE_BATCH) {
        KW_TRY(released_batch_check(
            call, ((const Keyward__V1__ReleaseBatchRequest *)call->body)->name, err));
    }
    for (size_t i = 0; i < call->item_count; i++) {
        call->items[i].reason = item_prepare(call, i, KW_OPERATION_ACTIVATE, &state, err).reason;
    }
    if (call->method->id == KW_METHOD_ACTIVATE_KEY) {
        KW_TRY(named_key_check(call, ((const Keyward__V1__ActivateKeyRequest *)call->body)->name,
                               err));
    }
    return KW_OK;
}

struct kw_result kw_core_lift_prepare(struct kw_core_call *call, struct kw_error *err)
{
    const Keyward__V1__LiftKeySuspensionsRequest *body =
        (const Keyward__V1__LiftKeySuspensionsRequest *)call->body;
    struct kw_key_state state;

    KW_TRY(kw_core_items_make(call, 1, err));
    KW_ENSURE(call->request->n_keys == 1, err, INTERNAL, "%zu keys", call->request->n_keys);
    KW_TRY(item_prepare(call, 0, KW_OPERATION_LIFT, &state, err));
    KW_TRY(named_key_check(call, body->name, err));
    KW_ENSURE(body->n_suspensions >= 1 && body->n_suspensions <= KW_KEY_SUSPENSIONS_MAX, err,
              ARGUMENT_INVALID, "%zu suspensions", body->n_suspensions);
    for (size_t i = 0; i < body->n_suspensions; i++) {
        struct kw_id id;

        KW_TRY(kw_id_parse(KW_ID_SUSPENSION, kw_bytes_str(body->suspensions[i]), &id, err));
        KW_ENSURE(kw_state_has_suspension(&state, id), err, STATE_CONFLICT,
                  "suspension %zu is not known", i);
    }
    return KW_OK;
}

/* The new facts of one item: one activation, or one lifting for each suspension named. */
static struct kw_result facts_make(struct kw_core_call *call, const struct kw_core_item *item,
                                   struct kw_hsm_mac_facts *ret_facts, struct kw_error *err)
{
    const Keyward__V1__LiftKeySuspensionsRequest *lift =
        (const Keyward__V1__LiftKeySuspensionsRequest *)call->body;
    bool lifting = call->method->id == KW_METHOD_LIFT_KEY_SUSPENSIONS;
    size_t count = lifting ? lift->n_suspensions : 1;
    struct kw_bytes *facts = kw_arena_alloc(call->arena, count * sizeof(*facts));

    KW_ENSURE(facts != NULL, err, MEMORY, "%zu facts", count);
    for (size_t i = 0; i < count; i++) {
        struct kw_id suspension = KW_ID_NONE;

        if (lifting) {
            KW_TRY(kw_id_parse(KW_ID_SUSPENSION, kw_bytes_str(lift->suspensions[i]), &suspension,
                               err));
        }
        KW_TRY(kw_material_fact_make(call, item->key, lifting ? KW_FACT_LIFTED : KW_FACT_ACTIVATED,
                                     suspension, &facts[i], err));
    }
    *ret_facts = (struct kw_hsm_mac_facts){.contents = facts, .count = count};
    return KW_OK;
}

/* What was verified in the first round becomes requests of the second; what was not has its
 * outcome. */
static struct kw_result verified(struct kw_core_call *call, const struct kw_hsm_answer *answers,
                                 size_t count, struct kw_error *err)
{
    for (size_t i = 0; i < count; i++) {
        size_t index = call->request_items[i];
        struct kw_core_item *item = &call->items[index];

        item->reason = answers[i].result.reason;
        if (item->reason == KW_E_NONE) {
            struct kw_hsm_mac_facts facts;

            KW_TRY(facts_make(call, item, &facts, err));
            kw_core_request_add(call, index, KW_HSM_MAC_FACTS)->mac_facts = facts;
        }
    }
    return KW_OK;
}

struct kw_result kw_core_enable_complete(struct kw_core_call *call,
                                         const struct kw_hsm_answer *answers, size_t count,
                                         struct kw_error *err)
{
    if (call->step == ROUND_VERIFIED) {
        return verified(call, answers, count, err);
    }
    for (size_t i = 0; i < count; i++) {
        struct kw_core_item *item = &call->items[call->request_items[i]];
        const struct kw_hsm_mac_facts *facts = &call->requests[i].mac_facts;

        item->reason = answers[i].result.reason;
        if (item->reason == KW_E_NONE) {
            KW_TRY(kw_material_facts_answer(call, item, facts->contents, answers[i].macs.items,
                                            facts->count, err));
        }
    }
    return KW_OK;
}
