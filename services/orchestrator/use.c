/* GetDeviceAccess and DeriveSession: one key for one partner. */
#include "services/orchestrator/use.h"

#include "common/rpc/messages.h"
#include "services/orchestrator/handlers.h"

/* --- what is asked --- */

static struct kw_result by_id(struct kw_call *call, ProtobufCBinaryData id,
                              struct kw_id *ret_device, struct kw_error *err)
{
    call->field = "device_id";
    KW_TRY(kw_id_from_bytes(kw_bytes_field(id), ret_device, err));
    call->field = NULL;
    return KW_OK;
}

static struct kw_result by_name(struct kw_call *call, const char *name, struct kw_id *ret_device,
                                struct kw_error *err)
{
    struct kw_resource_ids ids;

    KW_TRY(kw_call_name(call, "device", KW_RESOURCE_DEVICE, name, &ids, err));
    *ret_device = ids.id[0];
    return KW_OK;
}

struct kw_result kw_use_from_get(struct kw_call *call,
                                 const Keyward__V1__GetDeviceAccessRequest *get,
                                 struct kw_use *ret_use, struct kw_error *err)
{
    KW_ENSURE_FIELD(get->epoch >= 1, call, "epoch", err, "the first epoch is 1");
    *ret_use =
        (struct kw_use){.operation = get->epoch < call->capsule.epoch ? KW_OPERATION_RELEASE_PAST
                                                                      : KW_OPERATION_RELEASE};
    switch (get->selector_case) {
    case KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE:
        return by_name(call, get->device, &ret_use->device, err);
    case KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE_ID:
        return by_id(call, get->device_id, &ret_use->device, err);
    case KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR__NOT_SET:
    case _KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR__CASE_IS_INT_SIZE:
        break;
    }
    KW_ENSURE_FIELD(false, call, "device", err, "no device is named");
    return KW_OK;
}

struct kw_result kw_use_from_derive(struct kw_call *call,
                                    const Keyward__V1__DeriveSessionRequest *derive,
                                    struct kw_use *ret_use, struct kw_error *err)
{
    KW_ENSURE_FIELD(derive->epoch >= 1, call, "epoch", err, "the first epoch is 1");
    KW_ENSURE_FIELD(derive->nonce_app.len == KW_ID_LEN, call, "nonce_app", err,
                    "a nonce has 16 bytes");
    KW_ENSURE_FIELD(derive->nonce_pen.len == KW_ID_LEN, call, "nonce_pen", err,
                    "a nonce has 16 bytes");
    *ret_use = (struct kw_use){.operation = KW_OPERATION_DERIVE_SESSION};
    switch (derive->selector_case) {
    case KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR_DEVICE:
        return by_name(call, derive->device, &ret_use->device, err);
    case KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR_DEVICE_ID:
        return by_id(call, derive->device_id, &ret_use->device, err);
    case KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR__NOT_SET:
    case _KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR__CASE_IS_INT_SIZE:
        break;
    }
    KW_ENSURE_FIELD(false, call, "device", err, "no device is named");
    return KW_OK;
}

/* A device that the grant does not cover is told before its state is: whoever has some grant must
 * not learn the states of everybody's keys. The core checks it again, against the binding. */
static struct kw_result check_scope(const struct kw_call *call, const struct kw_key_row *row,
                                    struct kw_error *err)
{
    const struct kw_capsule *capsule = &call->capsule;

    KW_ENSURE(capsule->scope != KW_SCOPE_BATCH || kw_id_equal(row->batch, capsule->scope_id), err,
              SCOPE_MISMATCH, "a device of another batch");
    KW_ENSURE(capsule->scope != KW_SCOPE_PRODUCT || kw_id_equal(row->product, capsule->scope_id),
              err, SCOPE_MISMATCH, "a device of another product");
    return KW_OK;
}

struct kw_result kw_use_load(struct kw_call *call, struct kw_tx *tx, struct kw_use *use,
                             struct kw_error *err)
{
    KW_TRY(kw_material_of_device(call, tx, use->device, &use->material, err));
    KW_TRY(check_scope(call, &use->material.row, err));
    return kw_state_require(&use->material.state, use->operation, call->actor, err);
}

/* --- what is given --- */

static struct kw_result check_envelope(const struct kw_call *call, const struct kw_use *use,
                                       struct kw_bytes sealed, struct kw_error *err)
{
    struct kw_envelope envelope;
    struct kw_error inner = {0};

    KW_ENSURE(kw_ok(kw_envelope_decode(sealed, &envelope, &inner)), err, INTERNAL,
              "the core answered with no envelope: %s", inner.message);
    KW_ENSURE(kw_id_equal(envelope.device, use->device) &&
                  kw_id_equal(envelope.key, use->material.row.id) &&
                  kw_id_equal(envelope.partner, call->capsule.owner) &&
                  kw_id_equal(envelope.receipt, call->core.receipt.entry.receipt.id),
              err, INTERNAL, "the core answered with an envelope for something else");
    return KW_OK;
}

struct kw_result kw_use_envelope(struct kw_call *call, const struct kw_use *use,
                                 const Keyward__Internal__V1__CoreItem *item,
                                 Keyward__V1__KeyEnvelope **ret_envelope, struct kw_error *err)
{
    struct kw_bytes sealed = kw_bytes_field(item->envelope);

    KW_TRY(kw_core_item_result(item, err));
    KW_TRY(check_envelope(call, use, sealed, err));
    return kw_view_envelope(&call->view, sealed, ret_envelope, err);
}

/* --- the two methods --- */

static struct kw_result read_request(struct kw_call *call, struct kw_use *use, struct kw_error *err)
{
    if (call->method->id == KW_METHOD_DERIVE_SESSION) {
        return kw_use_from_derive(call, (const Keyward__V1__DeriveSessionRequest *)call->request,
                                  use, err);
    }
    return kw_use_from_get(call, (const Keyward__V1__GetDeviceAccessRequest *)call->request, use,
                           err);
}

struct kw_result kw_use_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_use *use = kw_arena_alloc(call->arena, sizeof(*use));

    KW_ENSURE(use != NULL, err, MEMORY, "a use");
    KW_TRY(read_request(call, use, err));
    KW_TRY(kw_use_load(call, tx, use, err));
    KW_TRY(kw_material_transport(call, tx, call->capsule.ptk_version, true, err));
    call->state = use;
    return kw_material_ask(call, &use->material, 1, err);
}

struct kw_result kw_use_write(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    Keyward__V1__GetDeviceAccessResponse get = KEYWARD__V1__GET_DEVICE_ACCESS_RESPONSE__INIT;
    Keyward__V1__DeriveSessionResponse derive = KEYWARD__V1__DERIVE_SESSION_RESPONSE__INIT;
    const Keyward__Internal__V1__CoreItem *item;
    Keyward__V1__KeyEnvelope *envelope;

    (void)tx; /* the receipt is all that is stored */
    KW_TRY(kw_call_only_item(call, &item, err));
    KW_TRY(kw_use_envelope(call, call->state, item, &envelope, err));
    if (call->method->id == KW_METHOD_DERIVE_SESSION) {
        derive.envelope = envelope;
        return kw_call_answer(call, &derive.base, err);
    }
    get.envelope = envelope;
    return kw_call_answer(call, &get.base, err);
}
