/* CreateBatch, one range of it: device keys made in the HSM, wrapped for storage and for the
 * station. */
#include "services/cryptocore/operations.h"

#include "common/base/limits.h"
#include "common/rpc/resource.h"
#include "keyward/v1/provisioning_service.pb-c.h"
#include "services/cryptocore/material.h"

/* Two rounds: the keys, then the MACs of the facts that say they are protected. The facts come with
 * the keys, and the orchestrator stores them once they are true: protect before
 * release. */
enum {
    ROUND_GENERATED = 1,
    ROUND_PROTECTED = 2
};

static struct kw_result new_key_read(const struct kw_core_call *call, size_t index,
                                     struct kw_id product, struct kw_id batch,
                                     struct kw_hsm_new_key *ret_key, struct kw_error *err)
{
    const Keyward__Internal__V1__NewKey *message = call->request->new_keys[index];

    ret_key->product = product;
    ret_key->batch = batch;
    KW_TRY(kw_id_from_bytes(kw_bytes_field(message->key_id), &ret_key->key, err));
    return kw_id_from_bytes(kw_bytes_field(message->device_id), &ret_key->device, err);
}

/* The keys are of the range that the capsule is for, and that range lies within what the station
 * signed. In 64 bits, where nothing wraps. */
static struct kw_result range_check(const struct kw_core_call *call, struct kw_error *err)
{
    const Keyward__V1__CreateBatchRequest *body =
        (const Keyward__V1__CreateBatchRequest *)call->body;
    uint64_t first = call->capsule.first;
    uint64_t count = call->request->n_new_keys;

    KW_ENSURE(count <= call->capsule.count, err, CAPSULE_INVALID,
              "%llu keys where the capsule allows %u", (unsigned long long)count,
              call->capsule.count);
    KW_ENSURE(first >= body->start_index && first + count <= body->count, err, CAPSULE_INVALID,
              "%llu keys from %llu where %u to %u were asked for", (unsigned long long)count,
              (unsigned long long)first, body->start_index, body->count);
    return KW_OK;
}

/* Station, authz and orchestrator mean the same product. */
static struct kw_result product_check(const struct kw_core_call *call, struct kw_id product,
                                      struct kw_error *err)
{
    const Keyward__V1__CreateBatchRequest *body =
        (const Keyward__V1__CreateBatchRequest *)call->body;
    struct kw_resource_ids ids;

    KW_TRY(kw_resource_parse(KW_RESOURCE_PRODUCT, body->product, &ids, err));
    KW_ENSURE(kw_id_equal(ids.id[0], product), err, CAPSULE_INVALID,
              "another product than the one asked for");
    KW_ENSURE(call->capsule.scope == KW_SCOPE_PRODUCT &&
                  kw_id_equal(call->capsule.scope_id, product),
              err, CAPSULE_INVALID, "the capsule is not about the product asked for");
    return KW_OK;
}

struct kw_result kw_core_generate_prepare(struct kw_core_call *call, struct kw_error *err)
{
    const Keyward__Internal__V1__CoreRequest *request = call->request;
    struct kw_hsm_generate generate = {.kek_version = call->core->config->kek_version,
                                       .count = request->n_new_keys};
    struct kw_hsm_new_key *keys;
    struct kw_id product;
    struct kw_id batch;

    KW_TRY(kw_core_items_make(call, request->n_new_keys, err));
    KW_TRY(range_check(call, err));
    KW_TRY(kw_material_transport(call, &generate.station, err));
    KW_TRY(kw_id_from_bytes(kw_bytes_field(request->product_id), &product, err));
    KW_TRY(kw_id_from_bytes(kw_bytes_field(request->batch_id), &batch, err));
    KW_TRY(product_check(call, product, err));
    keys = kw_arena_alloc(call->arena, request->n_new_keys * sizeof(*keys));
    KW_ENSURE(keys != NULL, err, MEMORY, "%zu keys", request->n_new_keys);
    for (size_t i = 0; i < request->n_new_keys; i++) {
        KW_TRY(new_key_read(call, i, product, batch, &keys[i], err));
        call->items[i].key = keys[i].key;
        call->items[i].device = keys[i].device;
    }
    generate.keys = keys;
    kw_core_request_add(call, 0, KW_HSM_GENERATE)->generate = generate;
    return KW_OK;
}

static struct kw_result generated_take(struct kw_core_call *call,
                                       const struct kw_hsm_generated *generated,
                                       struct kw_error *err)
{
    size_t count = call->item_count;
    struct kw_bytes *facts = kw_arena_alloc(call->arena, count * sizeof(*facts));
    struct kw_hsm_request *request;

    KW_ENSURE(facts != NULL, err, MEMORY, "%zu facts", count);
    for (size_t i = 0; i < count; i++) {
        struct kw_core_item *item = &call->items[i];

        KW_TRY(kw_material_key_message(call, &generated[i].stored, &item->answer.key, err));
        KW_TRY(
            kw_core_field(call, KW_BYTES_OF(generated[i].delivered), &item->answer.delivery, err));
        KW_TRY(kw_sha256(KW_BYTES_OF(generated[i].delivered), item->result.bytes, err));
        KW_TRY(
            kw_material_fact_make(call, item->key, KW_FACT_PROTECTED, KW_ID_NONE, &facts[i], err));
    }
    request = kw_core_request_add(call, 0, KW_HSM_MAC_FACTS);
    request->mac_facts = (struct kw_hsm_mac_facts){.contents = facts, .count = count};
    return KW_OK;
}

static struct kw_result protected_take(struct kw_core_call *call,
                                       const struct kw_hsm_answer *answer, struct kw_error *err)
{
    const struct kw_bytes *facts = call->requests[0].mac_facts.contents;

    for (size_t i = 0; i < call->item_count; i++) {
        KW_TRY(kw_material_facts_answer(call, &call->items[i], &facts[i], &answer->macs.items[i], 1,
                                        err));
        call->items[i].reason = KW_E_NONE;
    }
    return KW_OK;
}

struct kw_result kw_core_generate_complete(struct kw_core_call *call,
                                           const struct kw_hsm_answer *answers, size_t count,
                                           struct kw_error *err)
{
    (void)count;
    if (!kw_ok(answers[0].result)) {
        return kw_core_answer_failure(&answers[0], err);
    }
    if (call->step == ROUND_GENERATED) {
        return generated_take(call, answers[0].generated.items, err);
    }
    return protected_take(call, &answers[0], err);
}
