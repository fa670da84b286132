/* Batches and devices as callers see them. */
#include "services/orchestrator/view.h"

#include "common/base/codec.h"
#include "common/crypto/digest.h"

#include <assert.h>

#define ETAG_NUMBERS_MAX 4

/* An etag over the few numbers that can change: the same in every cell. */
static struct kw_result etag_of(struct kw_view *view, const uint64_t *changing, size_t count,
                                char **ret_etag, struct kw_error *err)
{
    uint8_t bytes[ETAG_NUMBERS_MAX * sizeof(uint64_t)];
    uint8_t hash[KW_SHA256_LEN];
    char text[KW_ETAG_SIZE];

    assert(count <= ETAG_NUMBERS_MAX);
    for (size_t i = 0; i < count; i++) {
        kw_be64_store(bytes + i * sizeof(uint64_t), changing[i]);
    }
    KW_TRY(kw_sha256(KW_BYTES(bytes, count * sizeof(uint64_t)), hash, err));
    kw_hex(KW_BYTES(hash, (KW_ETAG_SIZE - 1) / 2), text);
    *ret_etag = kw_view_text(view, kw_bytes_str(text));
    return KW_OK;
}

static Keyward__V1__BatchState batch_state(const struct kw_batch_row *row)
{
    if (row->generated < row->count) {
        return KEYWARD__V1__BATCH_STATE__BATCH_STATE_GENERATING;
    }
    return row->released_ms != 0 ? KEYWARD__V1__BATCH_STATE__BATCH_STATE_RELEASED
                                 : KEYWARD__V1__BATCH_STATE__BATCH_STATE_PROVISIONING;
}

struct kw_result kw_view_batch(struct kw_view *view, const struct kw_batch_row *row,
                               Keyward__V1__Batch **ret_batch, struct kw_error *err)
{
    Keyward__V1__Batch *batch = kw_view_message(view, &keyward__v1__batch__descriptor);
    uint64_t changing[] = {row->generated, row->confirmed, row->released, row->released_ms};

    KW_TRY(etag_of(view, changing, 4, &batch->etag, err));
    if (!kw_id_is_none(row->id)) {
        batch->name = kw_view_name(view, KW_RESOURCE_BATCH, row->id);
    }
    batch->product = kw_view_name(view, KW_RESOURCE_PRODUCT, row->product);
    batch->lot = kw_view_text(view, kw_bytes_str(row->lot));
    batch->station = kw_view_name(view, KW_RESOURCE_STATION, row->station);
    batch->state = batch_state(row);
    batch->count = row->count;
    batch->generated_count = row->generated;
    batch->confirmed_count = row->confirmed;
    batch->released_count = row->released;
    batch->protected_count = row->is_protected;
    batch->create_time = kw_view_time(view, row->created_ms);
    batch->release_time = kw_view_time(view, row->released_ms);
    *ret_batch = batch;
    return kw_view_whole(view, err);
}

struct kw_result kw_view_device(struct kw_view *view, const struct kw_device_row *row,
                                Keyward__V1__Device **ret_device, struct kw_error *err)
{
    Keyward__V1__Device *device = kw_view_message(view, &keyward__v1__device__descriptor);
    uint64_t changing[] = {row->confirmed_ms, row->released_ms};

    KW_TRY(etag_of(view, changing, 2, &device->etag, err));
    device->name = kw_view_name(view, KW_RESOURCE_DEVICE, row->id);
    device->device_id = kw_view_id_bytes(view, row->id);
    device->product = kw_view_name(view, KW_RESOURCE_PRODUCT, row->product);
    device->batch = kw_view_name(view, KW_RESOURCE_BATCH, row->batch);
    device->serial_number = kw_view_text(view, kw_bytes_str(row->serial));
    device->state = (Keyward__V1__DeviceState)kw_device_state(row);
    device->key = kw_view_name2(view, KW_RESOURCE_KEY, row->id, row->key);
    device->create_time = kw_view_time(view, row->created_ms);
    device->confirm_time = kw_view_time(view, row->confirmed_ms);
    device->release_time = kw_view_time(view, row->released_ms);
    *ret_device = device;
    return kw_view_whole(view, err);
}
