/* GetDeviceAccess, DeriveSession and their batch: a partner's key for a pen, wrapped for that
 * partner. */
#include "services/cryptocore/operations.h"

#include "common/audit/envelope.h"
#include "common/base/limits.h"
#include "common/rpc/resource.h"
#include "keyward/v1/device_access_service.pb-c.h"
#include "services/cryptocore/material.h"

/* One item of any of the three requests, alike. */
struct use {
    enum kw_envelope_kind kind;
    struct kw_id device;
    uint32_t epoch;
    struct kw_id nonce_app; /* sessions */
    struct kw_id nonce_pen;
    uint32_t counter;
};

static struct kw_result device_read(bool by_name, const char *name, ProtobufCBinaryData id,
                                    struct kw_id *ret_device, struct kw_error *err)
{
    struct kw_resource_ids ids;

    if (!by_name) {
        return kw_id_from_bytes(kw_bytes_field(id), ret_device, err);
    }
    KW_TRY(kw_resource_parse(KW_RESOURCE_DEVICE, name, &ids, err));
    *ret_device = ids.id[0];
    return KW_OK;
}

static struct kw_result get_read(const Keyward__V1__GetDeviceAccessRequest *get,
                                 struct use *ret_use, struct kw_error *err)
{
    bool by_name = get->selector_case == KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE;

    *ret_use = (struct use){.kind = KW_ENVELOPE_KEY, .epoch = get->epoch};
    KW_ENSURE(get->selector_case != KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR__NOT_SET, err,
              ARGUMENT_INVALID, "no device");
    return device_read(by_name, by_name ? get->device : "",
                       by_name ? (ProtobufCBinaryData){0} : get->device_id, &ret_use->device, err);
}

static struct kw_result derive_read(const Keyward__V1__DeriveSessionRequest *derive,
                                    struct use *ret_use, struct kw_error *err)
{
    bool by_name = derive->selector_case == KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR_DEVICE;

    *ret_use = (struct use){
        .kind = KW_ENVELOPE_SESSION, .epoch = derive->epoch, .counter = derive->session_counter};
    KW_ENSURE(derive->selector_case != KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR__NOT_SET, err,
              ARGUMENT_INVALID, "no device");
    KW_TRY(kw_id_from_bytes(kw_bytes_field(derive->nonce_app), &ret_use->nonce_app, err));
    KW_TRY(kw_id_from_bytes(kw_bytes_field(derive->nonce_pen), &ret_use->nonce_pen, err));
    return device_read(by_name, by_name ? derive->device : "",
                       by_name ? (ProtobufCBinaryData){0} : derive->device_id, &ret_use->device,
                       err);
}

static size_t body_count(const struct kw_core_call *call)
{
    if (call->method->id != KW_METHOD_BATCH_GET_DEVICE_ACCESS) {
        return 1;
    }
    return ((const Keyward__V1__BatchGetDeviceAccessRequest *)call->body)->n_items;
}

static struct kw_result body_item(const struct kw_core_call *call, size_t index,
                                  struct use *ret_use, struct kw_error *err)
{
    const Keyward__V1__BatchAccessItem *item;

    if (call->method->id == KW_METHOD_GET_DEVICE_ACCESS) {
        return get_read((const Keyward__V1__GetDeviceAccessRequest *)call->body, ret_use, err);
    }
    if (call->method->id == KW_METHOD_DERIVE_SESSION) {
        return derive_read((const Keyward__V1__DeriveSessionRequest *)call->body, ret_use, err);
    }
    item = ((const Keyward__V1__BatchGetDeviceAccessRequest *)call->body)->items[index];
    if (item->request_case == KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_GET) {
        return get_read(item->get, ret_use, err);
    }
    KW_ENSURE(item->request_case == KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_DERIVE, err,
              ARGUMENT_INVALID, "an item without request");
    return derive_read(item->derive, ret_use, err);
}

/* A past epoch is for old data, and the table has a row of its own for it. */
static enum kw_operation operation_of(const struct kw_core_call *call, const struct use *use)
{
    if (use->kind == KW_ENVELOPE_SESSION) {
        return KW_OPERATION_DERIVE_SESSION;
    }
    return use->epoch < call->capsule.epoch ? KW_OPERATION_RELEASE_PAST : KW_OPERATION_RELEASE;
}

static struct kw_result prefix_make(struct kw_core_call *call, const struct use *use,
                                    const struct kw_key_binding *binding,
                                    struct kw_bytes *ret_prefix, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf prefix = {0};
    const struct kw_envelope envelope = {
        .suite = KW_SUITE_AES256,
        .kind = use->kind,
        .device = use->device,
        .key = binding->key,
        .partner = call->capsule.owner,
        .epoch = use->epoch,
        .ptk_version = call->capsule.ptk_version,
        .receipt = call->receipt_id,
        .issued_ms = call->now_ms,
        .expires_ms = call->now_ms + KW_ENVELOPE_LIFETIME_MS,
        .region = kw_bytes_str(call->core->config->region),
        .nonce_app = use->nonce_app,
        .nonce_pen = use->nonce_pen,
        .counter = use->counter,
    };

    KW_TRY(kw_envelope_encode_prefix(&envelope, &prefix, err));
    return kw_arena_copy(call->arena, kw_buf_bytes(&prefix), ret_prefix, err);
}

/* All that must hold before the HSM is asked: epoch, device, scope, state. */
static struct kw_result item_prepare(struct kw_core_call *call, size_t index,
                                     const struct kw_ptk_binding *transport, struct kw_error *err)
{
    const Keyward__Internal__V1__WrappedDeviceKey *message = call->request->keys[index];
    struct kw_core_item *item = &call->items[index];
    struct kw_hsm_derive derive = {
        .transport = *transport, .partner = call->capsule.owner, .suite = KW_SUITE_AES256};
    struct kw_key_state state;
    struct kw_hsm_fact *facts;
    struct use use;

    KW_TRY(body_item(call, index, &use, err));
    item->device = use.device;
    KW_TRY(kw_material_key(message, &derive.device, err));
    item->key = derive.device.key;
    KW_TRY(kw_material_scope(call, &derive.device, use.device, err));
    KW_ENSURE((use.kind == KW_ENVELOPE_SESSION) ==
                  (call->capsule.operation == KW_OPERATION_DERIVE_SESSION),
              err, CAPSULE_INVALID, "the capsule is for another operation than item %zu", index);
    KW_ENSURE(use.epoch >= 1 && use.epoch <= call->capsule.epoch, err, ARGUMENT_INVALID,
              "epoch %u is not between 1 and %u", use.epoch, call->capsule.epoch);
    KW_TRY(kw_material_facts(call, message, item->key, &state, &facts, &derive.fact_count, err));
    KW_TRY(kw_state_require(&state, operation_of(call, &use), call->actor, err));
    KW_TRY(prefix_make(call, &use, &derive.device, &derive.envelope, err));
    derive.facts = facts;
    derive.kind = use.kind == KW_ENVELOPE_SESSION ? KW_HSM_SESSION : KW_HSM_RELEASE;
    derive.epoch = use.epoch;
    derive.counter = use.counter;
    kw_copy(derive.nonce_app, use.nonce_app.bytes, KW_ID_LEN);
    kw_copy(derive.nonce_pen, use.nonce_pen.bytes, KW_ID_LEN);
    kw_core_request_add(call, index, KW_HSM_DERIVE)->derive = derive;
    return KW_OK;
}

/* An item that may not be served has its own outcome; the others go on. */
struct kw_result kw_core_use_prepare(struct kw_core_call *call, struct kw_error *err)
{
    size_t count = body_count(call);
    struct kw_ptk_binding transport;

    KW_TRY(kw_core_items_make(call, count, err));
    KW_ENSURE(call->request->n_keys == count, err, INTERNAL, "%zu keys for %zu items",
              call->request->n_keys, count);
    KW_TRY(kw_material_transport(call, &transport, err));
    for (size_t i = 0; i < count; i++) {
        call->items[i].reason = item_prepare(call, i, &transport, err).reason;
    }
    return KW_OK;
}

static struct kw_result item_complete(struct kw_core_call *call, struct kw_core_item *item,
                                      struct kw_bytes prefix, const struct kw_hsm_derived *derived,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf envelope = {0};

    KW_TRY(kw_buf_append(&envelope, prefix, err));
    KW_TRY(kw_envelope_finish(&envelope, KW_BYTES(derived->wrapped, derived->wrapped_len),
                              derived->mac, err));
    KW_TRY(kw_sha256(kw_buf_bytes(&envelope), item->result.bytes, err));
    return kw_core_field(call, kw_buf_bytes(&envelope), &item->answer.envelope, err);
}

struct kw_result kw_core_use_complete(struct kw_core_call *call,
                                      const struct kw_hsm_answer *answers, size_t count,
                                      struct kw_error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct kw_core_item *item = &call->items[call->request_items[i]];

        item->reason = answers[i].result.reason;
        if (kw_ok(answers[i].result)) {
            KW_TRY(item_complete(call, item, call->requests[i].derive.envelope, &answers[i].derived,
                                 err));
        }
    }
    return KW_OK;
}
