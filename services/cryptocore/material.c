/* From messages to bindings, facts and back. */
#include "services/cryptocore/material.h"

#include "common/base/limits.h"

static struct kw_result fixed(ProtobufCBinaryData field, void *out, size_t len, const char *what,
                              struct kw_error *err)
{
    KW_ENSURE(field.len == len, err, BINDING_INVALID, "%s has %zu bytes", what, field.len);
    kw_copy(out, field.data, len);
    return KW_OK;
}

struct kw_result kw_material_key(const Keyward__Internal__V1__WrappedDeviceKey *message,
                                 struct kw_key_binding *ret_binding, struct kw_error *err)
{
    struct kw_key_binding binding = {.kek_version = message->kek_version};

    KW_TRY(fixed(message->key_id, binding.key.bytes, KW_ID_LEN, "key id", err));
    KW_TRY(fixed(message->device_id, binding.device.bytes, KW_ID_LEN, "device id", err));
    KW_TRY(fixed(message->product_id, binding.product.bytes, KW_ID_LEN, "product id", err));
    KW_TRY(fixed(message->batch_id, binding.batch.bytes, KW_ID_LEN, "batch id", err));
    KW_TRY(fixed(message->wrapped, binding.wrapped, sizeof(binding.wrapped), "wrapped key", err));
    KW_TRY(fixed(message->check_value, binding.check, sizeof(binding.check), "check value", err));
    KW_TRY(fixed(message->mac, binding.mac, sizeof(binding.mac), "binding MAC", err));
    *ret_binding = binding;
    return KW_OK;
}

struct kw_result kw_material_transport(const struct kw_core_call *call,
                                       struct kw_ptk_binding *ret_binding, struct kw_error *err)
{
    const Keyward__Internal__V1__WrappedTransportKey *message = call->request->transport_key;
    struct kw_ptk_binding binding;

    KW_ENSURE(message != NULL, err, BINDING_INVALID, "no transport key");
    binding =
        (struct kw_ptk_binding){.version = message->version, .kek_version = message->kek_version};
    KW_TRY(fixed(message->owner_id, binding.owner.bytes, KW_ID_LEN, "owner id", err));
    KW_TRY(fixed(message->wrapped, binding.wrapped, sizeof(binding.wrapped), "wrapped key", err));
    KW_TRY(fixed(message->check_value, binding.check, sizeof(binding.check), "check value", err));
    KW_TRY(fixed(message->mac, binding.mac, sizeof(binding.mac), "binding MAC", err));
    KW_ENSURE(kw_id_equal(binding.owner, call->capsule.owner) &&
                  binding.version == call->capsule.ptk_version,
              err, CAPSULE_INVALID, "the transport key is not the capsule's");
    *ret_binding = binding;
    return KW_OK;
}

struct kw_result kw_material_scope(const struct kw_core_call *call,
                                   const struct kw_key_binding *binding, struct kw_id device,
                                   struct kw_error *err)
{
    const struct kw_capsule *capsule = &call->capsule;

    KW_ENSURE(kw_id_equal(binding->device, device), err, CAPSULE_INVALID,
              "the stored key is another device's than the one asked for");
    KW_ENSURE(capsule->scope != KW_SCOPE_NONE, err, CAPSULE_INVALID,
              "the capsule is about no device");
    KW_ENSURE(capsule->scope != KW_SCOPE_BATCH || kw_id_equal(binding->batch, capsule->scope_id),
              err, SCOPE_MISMATCH, "the device is of another batch");
    KW_ENSURE(capsule->scope != KW_SCOPE_PRODUCT ||
                  kw_id_equal(binding->product, capsule->scope_id),
              err, SCOPE_MISMATCH, "the device is of another product");
    return KW_OK;
}

static struct kw_result fact_take(const Keyward__Internal__V1__Fact *message, struct kw_id key,
                                  struct kw_key_state *state, struct kw_hsm_fact *facts,
                                  size_t *count, struct kw_error *err)
{
    struct kw_fact fact;

    KW_ENSURE(kw_ok(kw_fact_decode(kw_bytes_field(message->fact), &fact, NULL)), err,
              BINDING_INVALID, "malformed fact");
    KW_ENSURE(kw_id_equal(fact.key, key), err, BINDING_INVALID, "a fact about another key");
    KW_TRY(kw_state_add(state, &fact, err));
    if (kw_fact_kind_enabling(fact.kind)) {
        facts[*count].content = kw_bytes_field(message->fact);
        KW_TRY(fixed(message->mac, facts[*count].mac, KW_HSM_MAC_LEN, "fact MAC", err));
        (*count)++;
    }
    return KW_OK;
}

struct kw_result kw_material_facts(struct kw_core_call *call,
                                   const Keyward__Internal__V1__WrappedDeviceKey *message,
                                   struct kw_id key, struct kw_key_state *ret_state,
                                   struct kw_hsm_fact **ret_facts, size_t *ret_count,
                                   struct kw_error *err)
{
    struct kw_key_state state = {0};
    struct kw_hsm_fact *facts;
    size_t count = 0;

    KW_ENSURE(message->n_facts <= KW_HSM_FACTS_MAX, err, LIMIT_REACHED, "%zu facts",
              message->n_facts);
    facts = kw_arena_alloc(call->arena, (message->n_facts + 1) * sizeof(*facts));
    KW_ENSURE(facts != NULL, err, MEMORY, "%zu facts", message->n_facts);
    for (size_t i = 0; i < message->n_facts; i++) {
        KW_TRY(fact_take(message->facts[i], key, &state, facts, &count, err));
    }
    KW_TRY(kw_capsule_disabled_fold(&call->capsule, key, &state, err));
    *ret_state = state;
    *ret_facts = facts;
    *ret_count = count;
    return KW_OK;
}

struct kw_result kw_material_fact_make(struct kw_core_call *call, struct kw_id key,
                                       enum kw_fact_kind kind, struct kw_id ref,
                                       struct kw_bytes *ret_record, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const struct kw_fact fact = {.key = key,
                                 .kind = kind,
                                 .ref = ref,
                                 .time_ms = call->now_ms,
                                 .capsule = call->capsule.id,
                                 .actor = call->capsule.caller};

    KW_TRY(kw_fact_encode(&fact, &record, err));
    return kw_arena_copy(call->arena, kw_buf_bytes(&record), ret_record, err);
}

struct kw_result kw_material_key_message(struct kw_core_call *call,
                                         const struct kw_key_binding *binding,
                                         Keyward__Internal__V1__WrappedDeviceKey **ret_message,
                                         struct kw_error *err)
{
    Keyward__Internal__V1__WrappedDeviceKey *message =
        kw_arena_alloc(call->arena, sizeof(*message));

    KW_ENSURE(message != NULL, err, MEMORY, "device key");
    keyward__internal__v1__wrapped_device_key__init(message);
    message->kek_version = binding->kek_version;
    KW_TRY(kw_core_field(call, kw_id_bytes(&binding->key), &message->key_id, err));
    KW_TRY(kw_core_field(call, kw_id_bytes(&binding->device), &message->device_id, err));
    KW_TRY(kw_core_field(call, kw_id_bytes(&binding->product), &message->product_id, err));
    KW_TRY(kw_core_field(call, kw_id_bytes(&binding->batch), &message->batch_id, err));
    KW_TRY(kw_core_field(call, KW_BYTES_OF(binding->wrapped), &message->wrapped, err));
    KW_TRY(kw_core_field(call, KW_BYTES_OF(binding->check), &message->check_value, err));
    KW_TRY(kw_core_field(call, KW_BYTES_OF(binding->mac), &message->mac, err));
    *ret_message = message;
    return KW_OK;
}

struct kw_result
kw_material_transport_message(struct kw_core_call *call, const struct kw_ptk_binding *binding,
                              Keyward__Internal__V1__WrappedTransportKey **ret_message,
                              struct kw_error *err)
{
    Keyward__Internal__V1__WrappedTransportKey *message =
        kw_arena_alloc(call->arena, sizeof(*message));

    KW_ENSURE(message != NULL, err, MEMORY, "transport key");
    keyward__internal__v1__wrapped_transport_key__init(message);
    message->version = binding->version;
    message->kek_version = binding->kek_version;
    KW_TRY(kw_core_field(call, kw_id_bytes(&binding->owner), &message->owner_id, err));
    KW_TRY(kw_core_field(call, KW_BYTES_OF(binding->wrapped), &message->wrapped, err));
    KW_TRY(kw_core_field(call, KW_BYTES_OF(binding->check), &message->check_value, err));
    KW_TRY(kw_core_field(call, KW_BYTES_OF(binding->mac), &message->mac, err));
    *ret_message = message;
    return KW_OK;
}

struct kw_result kw_material_facts_answer(struct kw_core_call *call, struct kw_core_item *item,
                                          const struct kw_bytes *records,
                                          const uint8_t (*macs)[KW_HSM_MAC_LEN], size_t count,
                                          struct kw_error *err)
{
    Keyward__Internal__V1__Fact **list = kw_arena_alloc(call->arena, count * sizeof(*list));
    Keyward__Internal__V1__Fact *facts = kw_arena_alloc(call->arena, count * sizeof(*facts));

    KW_ENSURE(list != NULL && facts != NULL, err, MEMORY, "%zu facts", count);
    for (size_t i = 0; i < count; i++) {
        keyward__internal__v1__fact__init(&facts[i]);
        facts[i].fact = kw_field_bytes(records[i]);
        KW_TRY(kw_core_field(call, KW_BYTES_OF(macs[i]), &facts[i].mac, err));
        list[i] = &facts[i];
    }
    item->answer.n_facts = count;
    item->answer.facts = list;
    return KW_OK;
}
