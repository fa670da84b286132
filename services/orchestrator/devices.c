/* GetBatch, GetDevice, ListDevices. A station sees its own; operators and auditors see all. */
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/page.h"

#include <keyward/v1/device_service.pb-c.h>

/* May this caller see what this station made? */
static bool sees(const struct kw_call *call, struct kw_id station)
{
    return call->actor != KW_ACTOR_STATION || kw_id_equal(call->caller.id, station);
}

struct kw_result kw_get_batch_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    const Keyward__V1__GetBatchRequest *request =
        (const Keyward__V1__GetBatchRequest *)call->request;
    Keyward__V1__GetBatchResponse response = KEYWARD__V1__GET_BATCH_RESPONSE__INIT;
    struct kw_resource_ids ids;
    struct kw_batch_row batch;
    bool found;

    KW_TRY(kw_call_name(call, "name", KW_RESOURCE_BATCH, request->name, &ids, err));
    KW_TRY(kw_batch_find(tx, ids.id[0], call->arena, &batch, &found, err));
    KW_ENSURE(found && sees(call, batch.station), err, NOT_FOUND, "no such batch for this caller");
    KW_TRY(kw_protected_count(tx, batch.id, &batch.is_protected, err));
    KW_TRY(kw_view_batch(&call->view, &batch, &response.batch, err));
    return kw_call_answer(call, &response.base, err);
}

static struct kw_result selected_device(struct kw_call *call, struct kw_id *ret_id,
                                        struct kw_error *err)
{
    const Keyward__V1__GetDeviceRequest *request =
        (const Keyward__V1__GetDeviceRequest *)call->request;
    struct kw_resource_ids ids;

    if (request->selector_case == KEYWARD__V1__GET_DEVICE_REQUEST__SELECTOR_DEVICE_ID) {
        call->field = "device_id";
        KW_TRY(kw_id_from_bytes(KW_BYTES(request->device_id.data, request->device_id.len), ret_id,
                                err));
        call->field = NULL;
        return KW_OK;
    }
    KW_ENSURE_FIELD(request->selector_case == KEYWARD__V1__GET_DEVICE_REQUEST__SELECTOR_NAME, call,
                    "name", err, "no device is named");
    KW_TRY(kw_call_name(call, "name", KW_RESOURCE_DEVICE, request->name, &ids, err));
    *ret_id = ids.id[0];
    return KW_OK;
}

struct kw_result kw_get_device_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    Keyward__V1__GetDeviceResponse response = KEYWARD__V1__GET_DEVICE_RESPONSE__INIT;
    struct kw_device_row device;
    struct kw_id id;
    bool found;

    KW_TRY(selected_device(call, &id, err));
    KW_TRY(kw_device_find(tx, id, call->arena, &device, &found, err));
    KW_ENSURE(found && sees(call, device.station), err, NOT_FOUND,
              "no such device for this caller");
    KW_TRY(kw_view_device(&call->view, &device, &response.device, err));
    return kw_call_answer(call, &response.base, err);
}

/* --- lists --- */

static struct kw_result optional_name(struct kw_call *call, const char *field,
                                      enum kw_resource kind, const char *name, struct kw_id *ret_id,
                                      struct kw_error *err)
{
    struct kw_resource_ids ids;

    if (name[0] == '\0') {
        *ret_id = KW_ID_NONE;
        return KW_OK;
    }
    KW_TRY(kw_call_name(call, field, kind, name, &ids, err));
    *ret_id = ids.id[0];
    return KW_OK;
}

static struct kw_result read_filter(struct kw_call *call, struct kw_device_filter *ret_filter,
                                    struct kw_error *err)
{
    const Keyward__V1__ListDevicesRequest *request =
        (const Keyward__V1__ListDevicesRequest *)call->request;
    struct kw_device_filter filter = {.serial = request->serial_number};

    KW_TRY(optional_name(call, "batch", KW_RESOURCE_BATCH, request->batch, &filter.batch, err));
    KW_TRY(optional_name(call, "product", KW_RESOURCE_PRODUCT, request->product, &filter.product,
                         err));
    KW_ENSURE_FIELD((int)request->state >= KW_DEVICE_ANY &&
                        (int)request->state <= KW_DEVICE_RELEASED,
                    call, "state", err, "no such state");
    filter.state = (enum kw_device_state)request->state;
    if (call->actor == KW_ACTOR_STATION) {
        filter.station = call->caller.id;
    }
    *ret_filter = filter;
    return KW_OK;
}

/* One row more than the page is read, to know whether there is another page. */
static struct kw_result list_rows(struct kw_call *call, struct kw_tx *tx,
                                  const struct kw_page *page, struct kw_device_row **ret_rows,
                                  size_t *ret_count, struct kw_error *err)
{
    struct kw_device_row *rows = kw_arena_alloc(call->arena, (page->size + 1) * sizeof(*rows));
    struct kw_device_filter filter;

    KW_ENSURE(rows != NULL, err, MEMORY, "%zu devices", page->size);
    KW_TRY(read_filter(call, &filter, err));
    KW_TRY(kw_device_list(tx, &filter, page->place.id, page->size + 1, call->arena, rows, ret_count,
                          err));
    *ret_rows = rows;
    return KW_OK;
}

struct kw_result kw_list_devices_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    Keyward__V1__ListDevicesResponse response = KEYWARD__V1__LIST_DEVICES_RESPONSE__INIT;
    struct kw_device_row *rows;
    struct kw_page page;
    size_t count;
    size_t len = 0;

    KW_TRY(kw_page_read(call, &page, err));
    KW_TRY(list_rows(call, tx, &page, &rows, &count, err));
    response.devices = kw_view_pointers(&call->view, count);
    KW_ENSURE(response.devices != NULL, err, MEMORY, "%zu devices", count);
    for (size_t i = 0; i < count && i < page.size && len < KW_PAGE_BYTES_MAX; i++) {
        KW_TRY(kw_view_device(&call->view, &rows[i], &response.devices[i], err));
        len += protobuf_c_message_get_packed_size(&response.devices[i]->base);
        response.n_devices++;
    }
    if (response.n_devices < count) {
        KW_TRY(kw_page_token(call, (struct kw_page_place){.id = rows[response.n_devices - 1].id},
                             &response.next_page_token, err));
    }
    return kw_call_answer(call, &response.base, err);
}
