/* ConfirmDevice: the pen proves that it took its key; then the fact that it did. */
#include "services/cryptocore/operations.h"

#include "common/rpc/resource.h"
#include "keyward/v1/provisioning_service.pb-c.h"
#include "services/cryptocore/material.h"

enum {
    ROUND_PROVED = 1,
    ROUND_CONFIRMED = 2
};

static struct kw_result proof_read(const Keyward__V1__ConfirmDeviceRequest *body,
                                   struct kw_hsm_possession *ret_possession, struct kw_error *err)
{
    KW_ENSURE(body->challenge.len == KW_HSM_NONCE_LEN, err, ARGUMENT_INVALID,
              "challenge has %zu bytes", body->challenge.len);
    KW_ENSURE(body->tag.len == KW_HSM_MAC_LEN, err, ARGUMENT_INVALID, "tag has %zu bytes",
              body->tag.len);
    kw_copy(ret_possession->challenge, body->challenge.data, KW_HSM_NONCE_LEN);
    kw_copy(ret_possession->tag, body->tag.data, KW_HSM_MAC_LEN);
    return KW_OK;
}

struct kw_result kw_core_possession_prepare(struct kw_core_call *call, struct kw_error *err)
{
    const Keyward__V1__ConfirmDeviceRequest *body =
        (const Keyward__V1__ConfirmDeviceRequest *)call->body;
    struct kw_hsm_possession possession;
    struct kw_resource_ids ids;
    struct kw_key_state state;
    struct kw_hsm_fact *facts;
    size_t fact_count;

    KW_TRY(kw_core_items_make(call, 1, err));
    KW_ENSURE(call->request->n_keys == 1, err, INTERNAL, "%zu keys", call->request->n_keys);
    KW_TRY(kw_resource_parse(KW_RESOURCE_DEVICE, body->device, &ids, err));
    KW_TRY(kw_material_key(call->request->keys[0], &possession.device, err));
    call->items[0].key = possession.device.key;
    call->items[0].device = ids.id[0];
    KW_TRY(kw_material_scope(call, &possession.device, ids.id[0], err));
    KW_TRY(kw_material_facts(call, call->request->keys[0], possession.device.key, &state, &facts,
                             &fact_count, err));
    KW_TRY(kw_state_require(&state, KW_OPERATION_CONFIRM, call->actor, err));
    KW_TRY(proof_read(body, &possession, err));
    if (fact_count > 0) {
        kw_core_request_add(call, 0, KW_HSM_VERIFY_FACTS)->verify_facts =
            (struct kw_hsm_verify_facts){
                .device = possession.device, .facts = facts, .count = fact_count};
    }
    kw_core_request_add(call, 0, KW_HSM_VERIFY_POSSESSION)->possession = possession;
    return KW_OK;
}

static struct kw_result proved(struct kw_core_call *call, struct kw_error *err)
{
    struct kw_bytes *fact = kw_arena_alloc(call->arena, sizeof(*fact));

    KW_ENSURE(fact != NULL, err, MEMORY, "fact");
    KW_TRY(
        kw_material_fact_make(call, call->items[0].key, KW_FACT_CONFIRMED, KW_ID_NONE, fact, err));
    kw_core_request_add(call, 0, KW_HSM_MAC_FACTS)->mac_facts =
        (struct kw_hsm_mac_facts){.contents = fact, .count = 1};
    return KW_OK;
}

struct kw_result kw_core_possession_complete(struct kw_core_call *call,
                                             const struct kw_hsm_answer *answers, size_t count,
                                             struct kw_error *err)
{
    const struct kw_bytes *fact;

    for (size_t i = 0; i < count; i++) {
        if (!kw_ok(answers[i].result)) {
            return kw_core_answer_failure(&answers[i], err);
        }
    }
    if (call->step == ROUND_PROVED) {
        return proved(call, err);
    }
    fact = call->requests[0].mac_facts.contents;
    KW_TRY(kw_material_facts_answer(call, &call->items[0], fact, answers[0].macs.items, 1, err));
    call->items[0].reason = KW_E_NONE;
    return KW_OK;
}
