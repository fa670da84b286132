/* ConfirmDevice: a pen proves that it took its key. */
#include "common/rpc/field.h"
#include "services/orchestrator/device_feed.h"
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/material.h"

#include "common/base/limits.h"

static const Keyward__V1__ConfirmDeviceRequest *request_of(const struct kw_call *call)
{
    return (const Keyward__V1__ConfirmDeviceRequest *)call->request;
}

static struct kw_result check_fields(struct kw_call *call, struct kw_id *ret_device,
                                     struct kw_error *err)
{
    const Keyward__V1__ConfirmDeviceRequest *request = request_of(call);
    struct kw_resource_ids ids;

    KW_TRY(kw_call_name(call, "device", KW_RESOURCE_DEVICE, request->device, &ids, err));
    KW_ENSURE_FIELD(request->challenge.len == KW_ID_LEN, call, "challenge", err,
                    "a challenge has 16 bytes");
    KW_ENSURE_FIELD(request->tag.len == KW_CMAC_LEN, call, "tag", err, "a tag has 16 bytes");
    KW_ENSURE_FIELD(kw_field_printable(request->serial_number, KW_DEVICE_SERIAL_LEN_MAX), call,
                    "serial_number", err, "a serial number has 1 to %d printable ASCII characters",
                    KW_DEVICE_SERIAL_LEN_MAX);
    *ret_device = ids.id[0];
    return KW_OK;
}

/* The device, if it is the station's and may be confirmed with this serial number. */
static struct kw_result find_device(struct kw_call *call, struct kw_tx *tx, struct kw_id id,
                                    struct kw_device_row *ret_device, struct kw_error *err)
{
    struct kw_device_row device;
    bool found;

    KW_TRY(kw_device_find(tx, id, call->arena, &device, &found, err));
    KW_ENSURE(found && kw_id_equal(device.station, call->capsule.owner), err, NOT_FOUND,
              "no such device of this station");
    KW_ENSURE(device.released_ms == 0, err, STATE_CONFLICT, "the device is released");
    KW_ENSURE(!device.disputed, err, STATE_CONFLICT, "several pens were confirmed as this device");
    KW_ENSURE(device.confirmed_ms == 0 ||
                  strcmp(device.serial, request_of(call)->serial_number) == 0,
              err, STATE_CONFLICT, "the device is confirmed with another serial number");
    *ret_device = device;
    return KW_OK;
}

static struct kw_result answer_device(struct kw_call *call, const struct kw_device_row *device,
                                      struct kw_error *err)
{
    Keyward__V1__ConfirmDeviceResponse response = KEYWARD__V1__CONFIRM_DEVICE_RESPONSE__INIT;

    KW_TRY(kw_view_device(&call->view, device, &response.device, err));
    return kw_call_answer(call, &response.base, err);
}

struct kw_result kw_confirm_device_read(struct kw_call *call, struct kw_tx *tx,
                                        struct kw_error *err)
{
    struct kw_device_row *device = kw_arena_alloc(call->arena, sizeof(*device));
    struct kw_material material;
    struct kw_id id;

    KW_ENSURE(device != NULL, err, MEMORY, "a device");
    KW_TRY(check_fields(call, &id, err));
    KW_TRY(find_device(call, tx, id, device, err));
    KW_TRY(kw_material_of_device(call, tx, id, &material, err));
    KW_TRY(kw_state_require(&material.state, KW_OPERATION_CONFIRM, call->actor, err));
    if (call->validate_only) {
        return answer_device(call, device, err);
    }
    call->state = device;
    return kw_material_ask(call, &material, 1, err);
}

struct kw_result kw_confirm_device_write(struct kw_call *call, struct kw_tx *tx,
                                         struct kw_error *err)
{
    const char *serial = request_of(call)->serial_number;
    struct kw_device_row *device = call->state;
    const Keyward__Internal__V1__CoreItem *item;

    KW_TRY(kw_call_only_item(call, &item, err));
    KW_TRY(find_device(call, tx, device->id, device, err));
    KW_TRY(kw_material_store_facts(call, item, device->key, KW_FACT_CONFIRMED, "", err));
    KW_TRY(kw_device_confirm(&call->feed_tx, device, serial, err));
    KW_TRY(find_device(call, tx, device->id, device, err));
    return answer_device(call, device, err);
}
