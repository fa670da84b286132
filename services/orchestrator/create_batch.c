/* CreateBatch, one range of it: keys for pens, made once and delivered as often as asked for, while
 * nothing has stopped them, until release.
 *
 * The batch is found by station and request id, its devices by their positions: that is what makes
 * the method repeatable, so it needs no requests row. A range that exists is answered from the
 * store; of one that exists in part, the rest is made. Whatever is answered is durable. What is
 * delivered again has its receipt from the first time; that it was given again is counted and
 * logged.
 */
#include "common/rpc/field.h"
#include "services/orchestrator/batch_feed.h"
#include "services/orchestrator/device_feed.h"
#include "services/orchestrator/fact_feed.h"
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/key_feed.h"
#include "services/orchestrator/material.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/rpc/messages.h"

#define DEVICES_MAX (4 * KW_CHUNK_ITEMS_MAX) /* at the positions of a range, by several cells */

/* The range of this call. */
struct range {
    struct kw_batch_row batch; /* as asked for, or as found */
    bool batch_exists;
    uint32_t first;
    uint32_t count;
    uint32_t existing;              /* of these, from the front */
    bool owes;                      /* they are not delivered before others have them */
    struct kw_protection_row *owed; /* of those that were made */
    struct kw_device_row
        devices[KW_CHUNK_ITEMS_MAX]; /* those that exist; then ids for those to be made */
};

/* --- what is asked --- */

static struct kw_result read_fields(struct kw_call *call, struct kw_batch_row *ret_batch,
                                    struct kw_error *err)
{
    const Keyward__V1__CreateBatchRequest *request =
        (const Keyward__V1__CreateBatchRequest *)call->request;
    struct kw_resource_ids product;

    KW_TRY(kw_call_name(call, "product", KW_RESOURCE_PRODUCT, request->product, &product, err));
    KW_ENSURE_FIELD(kw_field_printable(request->lot, KW_LOT_LEN_MAX), call, "lot", err,
                    "a lot number has 1 to %d printable ASCII characters", KW_LOT_LEN_MAX);
    KW_ENSURE_FIELD(request->count >= 1 && request->count <= KW_BATCH_DEVICES_MAX, call, "count",
                    err, "a batch has 1 to %d devices", KW_BATCH_DEVICES_MAX);
    KW_ENSURE_FIELD(request->start_index <= request->count, call, "start_index", err,
                    "the start is behind the end");
    *ret_batch = (struct kw_batch_row){.station = call->capsule.owner,
                                       .request = call->request_id,
                                       .product = product.id[0],
                                       .lot = request->lot,
                                       .count = request->count};
    return KW_OK;
}

static struct kw_result read_range(struct kw_call *call, struct range *range, struct kw_error *err)
{
    const struct kw_capsule *capsule = &call->capsule;
    uint32_t left;

    KW_ENSURE(capsule->first <= range->batch.count && capsule->count <= KW_CHUNK_ITEMS_MAX, err,
              CAPSULE_INVALID, "the capsule's range is not in the batch");
    left = range->batch.count - capsule->first;
    range->first = capsule->first;
    range->count = capsule->count < left ? capsule->count : left;
    return KW_OK;
}

/* --- what there is --- */

static struct kw_result check_same(const struct kw_batch_row *found,
                                   const struct kw_batch_row *asked, struct kw_error *err)
{
    KW_ENSURE(kw_id_equal(found->product, asked->product) && strcmp(found->lot, asked->lot) == 0 &&
                  found->count == asked->count,
              err, REQUEST_ID_REUSED,
              "the request id made a batch of another product, lot or count");
    return KW_OK;
}

static struct kw_result find_batch(struct kw_call *call, struct kw_tx *tx, struct range *range,
                                   struct kw_error *err)
{
    struct kw_batch_row found;

    KW_TRY(kw_batch_find_request(tx, range->batch.station, range->batch.request, range->first,
                                 call->arena, &found, &range->batch_exists, err));
    if (range->batch_exists) {
        KW_TRY(check_same(&found, &range->batch, err));
        range->batch = found;
    }
    KW_ENSURE_FIELD(range->first <= range->batch.generated, call, "start_index", err,
                    "there are no keys before start_index yet");
    return KW_OK;
}

/* May the station have this device's key (again)? Asked of all that exist before anything is made,
 * so that a range is refused without effect. */
static struct kw_result check_deliverable(struct kw_call *call, struct kw_tx *tx,
                                          const struct kw_device_row *device, struct kw_error *err)
{
    struct kw_fact_list facts;
    bool is_protected;

    KW_ENSURE(device->released_ms == 0, err, STATE_CONFLICT,
              "keys of released devices are not delivered any more");
    KW_TRY(kw_fact_list(tx, device->key, call->arena, &facts, err));
    KW_TRY(kw_capsule_disabled_fold(&call->capsule, device->key, &facts.state, err));
    is_protected = facts.state.is_protected;
    facts.state.is_protected = true; /* what else is wrong with it, time does not mend */
    KW_TRY(kw_state_require(&facts.state, KW_OPERATION_DELIVER_TO_STATION, call->actor, err));
    KW_ENSURE(is_protected, err, KEY_UNPROTECTED, "no other cell, or region, has the key yet");
    return KW_OK;
}

/* One of each position, the first of which may have several (batch_table.h), up to the first that has
 * none. */
static struct kw_result take_devices(struct kw_call *call, struct kw_tx *tx, struct range *range,
                                     struct kw_error *err)
{
    const struct kw_device_span span = {range->batch.id, range->first, range->count};
    struct kw_device_row *rows = kw_arena_alloc(call->arena, DEVICES_MAX * sizeof(*rows));
    size_t count;

    KW_ENSURE(rows != NULL, err, MEMORY, "a range");
    KW_TRY(kw_device_range(tx, &span, DEVICES_MAX, call->arena, rows, &count, err));
    for (size_t i = 0; i < count && range->existing < range->count; i++) {
        if (rows[i].position == range->first + range->existing) {
            range->devices[range->existing++] = rows[i];
        }
    }
    return KW_OK;
}

static struct kw_result find_devices(struct kw_call *call, struct kw_tx *tx, struct range *range,
                                     struct kw_error *err)
{
    range->existing = 0;
    if (range->batch_exists && range->count > 0) {
        KW_TRY(take_devices(call, tx, range, err));
    }
    for (size_t i = 0; i < range->existing; i++) {
        KW_TRY(check_deliverable(call, tx, &range->devices[i], err));
    }
    KW_ENSURE(range->existing == range->count || range->batch.end <= range->first + range->existing,
              err, STORE_CONFLICT, "pens of the batch are still on their way from another cell");
    return KW_OK;
}

/* --- asking for the rest --- */

static struct kw_result choose_ids(struct kw_call *call, struct range *range, struct kw_error *err)
{
    size_t count = range->count - range->existing;

    if (!range->batch_exists) {
        KW_TRY(kw_id_v7(&range->batch.id, err));
    }
    call->question.new_keys = kw_view_pointers(&call->view, count);
    KW_ENSURE(call->question.new_keys != NULL, err, MEMORY, "%zu keys", count);
    for (size_t i = 0; i < count; i++) {
        struct kw_device_row *device = &range->devices[range->existing + i];
        Keyward__Internal__V1__NewKey *key =
            kw_view_message(&call->view, &keyward__internal__v1__new_key__descriptor);

        KW_TRY(kw_id_random(&device->id, err));
        KW_TRY(kw_id_v7(&device->key, err));
        key->device_id = kw_view_id_bytes(&call->view, device->id);
        key->key_id = kw_view_id_bytes(&call->view, device->key);
        call->question.new_keys[i] = key;
    }
    call->question.n_new_keys = count;
    call->question.product_id = kw_view_id_bytes(&call->view, range->batch.product);
    call->question.batch_id = kw_view_id_bytes(&call->view, range->batch.id);
    call->ask_core = true;
    return KW_OK;
}

/* --- the answer --- */

static struct kw_result answer_batch(struct kw_call *call, struct kw_tx *tx,
                                     struct kw_batch_row *batch, struct kw_error *err)
{
    Keyward__V1__CreateBatchResponse response = KEYWARD__V1__CREATE_BATCH_RESPONSE__INIT;

    KW_TRY(kw_protected_count(tx, batch->id, &batch->is_protected, err));
    response.part_case = KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_BATCH;
    KW_TRY(kw_view_batch(&call->view, batch, &response.batch, err));
    return kw_call_answer(call, &response.base, err);
}

static struct kw_result batch_item(struct kw_call *call, struct kw_tx *tx,
                                   const struct kw_device_row *device,
                                   Keyward__V1__BatchItem **ret_item, struct kw_error *err)
{
    struct kw_view *view = &call->view;
    Keyward__V1__BatchItem *item = kw_view_message(view, &keyward__v1__batch_item__descriptor);
    struct kw_key_row key;
    bool found;

    KW_TRY(kw_key_find(tx, device->key, call->arena, &key, &found, err));
    KW_ENSURE(found && key.delivery.len > 0, err, INTERNAL,
              "a key that may be delivered, and nothing to deliver");
    item->device = kw_view_name(view, KW_RESOURCE_DEVICE, device->id);
    item->device_id = kw_view_id_bytes(view, device->id);
    item->key = kw_view_name2(view, KW_RESOURCE_KEY, device->id, key.id);
    item->wrapped_key = kw_field_bytes(key.delivery);
    item->transport_key_version = key.delivery_version;
    item->check_value = kw_field_bytes(key.check_value);
    *ret_item = item;
    return KW_OK;
}

static struct kw_result answer_chunk(struct kw_call *call, struct kw_tx *tx,
                                     const struct range *range, struct kw_error *err)
{
    Keyward__V1__CreateBatchResponse response = KEYWARD__V1__CREATE_BATCH_RESPONSE__INIT;
    Keyward__V1__BatchChunk chunk = KEYWARD__V1__BATCH_CHUNK__INIT;

    if (range->count == 0) {
        return KW_OK;
    }
    chunk.first_index = range->first;
    chunk.items = kw_view_pointers(&call->view, range->count);
    KW_ENSURE(chunk.items != NULL, err, MEMORY, "%u items", range->count);
    for (uint32_t i = 0; i < range->count; i++) {
        KW_TRY(batch_item(call, tx, &range->devices[i], &chunk.items[i], err));
    }
    chunk.n_items = range->count;
    response.part_case = KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_CHUNK;
    response.chunk = &chunk;
    return kw_call_answer(call, &response.base, err);
}

/* The last range carries the totals. */
static struct kw_result answer_totals(struct kw_call *call, struct kw_tx *tx, struct range *range,
                                      struct kw_error *err)
{
    const Keyward__V1__CreateBatchRequest *request =
        (const Keyward__V1__CreateBatchRequest *)call->request;
    Keyward__V1__CreateBatchResponse response = KEYWARD__V1__CREATE_BATCH_RESPONSE__INIT;
    Keyward__V1__BatchTotals totals = KEYWARD__V1__BATCH_TOTALS__INIT;

    if (range->first + range->count < range->batch.count) {
        return KW_OK;
    }
    totals.sent_count = range->batch.count - request->start_index;
    KW_TRY(kw_protected_count(tx, range->batch.id, &range->batch.is_protected, err));
    KW_TRY(kw_view_batch(&call->view, &range->batch, &totals.batch, err));
    response.part_case = KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_TOTALS;
    response.totals = &totals;
    return kw_call_answer(call, &response.base, err);
}

/* The receipt of a delivery is made with the key; of giving it again this is the trace. */
static void note_delivered_again(const struct kw_call *call, const struct range *range)
{
    if (range->existing == 0 || call->made) {
        return;
    }
    kw_metric_add(KW_M_KEYS_DELIVERED_AGAIN, NULL, range->existing);
    KW_LOG(INFO, "keys delivered again", KW_F_STR("caller", call->caller_id),
           KW_F_ID("batch", KW_ID_BATCH, range->batch.id), KW_F_U64("first", range->first),
           KW_F_U64("count", range->existing), KW_F_ID("request", KW_ID_REQUEST, call->request_id));
}

/* All from the store, so that a repeated answer is the same. */
static struct kw_result answer_range(struct kw_call *call, struct kw_tx *tx, struct range *range,
                                     struct kw_error *err)
{
    const Keyward__V1__CreateBatchRequest *request =
        (const Keyward__V1__CreateBatchRequest *)call->request;

    if (range->first == request->start_index) {
        KW_TRY(answer_batch(call, tx, &range->batch, err));
    }
    KW_TRY(answer_chunk(call, tx, range, err));
    KW_TRY(answer_totals(call, tx, range, err));
    note_delivered_again(call, range);
    return KW_OK;
}

/* --- the steps --- */

static struct kw_result validate(struct kw_call *call, struct kw_tx *tx, struct range *range,
                                 struct kw_error *err)
{
    KW_TRY(find_batch(call, tx, range, err));
    if (!range->batch_exists) {
        range->batch.lot = ((const Keyward__V1__CreateBatchRequest *)call->request)->lot;
    }
    range->batch.id = KW_ID_NONE; /* "with an empty name" */
    return answer_batch(call, tx, &range->batch, err);
}

struct kw_result kw_create_batch_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct range *range = kw_arena_alloc(call->arena, sizeof(*range));

    KW_ENSURE(range != NULL, err, MEMORY, "a range");
    KW_TRY(read_fields(call, &range->batch, err));
    KW_TRY(kw_material_transport(call, tx, call->capsule.ptk_version, true, err));
    if (call->validate_only) {
        return validate(call, tx, range, err);
    }
    KW_TRY(read_range(call, range, err));
    KW_TRY(find_batch(call, tx, range, err));
    KW_TRY(find_devices(call, tx, range, err));
    call->state = range;
    if (range->batch_exists && range->existing == range->count) {
        call->replayed = !call->made;
        return answer_range(call, tx, range, err);
    }
    return choose_ids(call, range, err);
}

/* That it is protected is true at once, or later. */
static struct kw_result protect(struct kw_call *call, struct range *range, struct kw_id key,
                                const Keyward__Internal__V1__CoreItem *item, struct kw_error *err)
{
    struct kw_fact_row fact;

    KW_TRY(kw_material_fact(call, item, key, KW_FACT_PROTECTED, &fact, err));
    if (!range->owes) {
        return kw_fact_state(&call->feed_tx, &fact, err);
    }
    range->owed[call->owed++] =
        (struct kw_protection_row){.key = key, .record = fact.record, .mac = fact.mac};
    return KW_OK;
}

/* The device comes last: who has heard of it has heard of its key. */
static struct kw_result add_device(struct kw_call *call, struct range *range, uint32_t index,
                                   const Keyward__Internal__V1__CoreItem *item,
                                   struct kw_error *err)
{
    const Keyward__Internal__V1__WrappedDeviceKey *made = item->key;
    struct kw_device_row *device = &range->devices[index];
    struct kw_key_row key = {.id = device->key,
                             .device = device->id,
                             .version = 1,
                             .created_ms = call->now_ms,
                             .delivery = kw_bytes_field(item->delivery),
                             .delivery_version = call->capsule.ptk_version};

    KW_ENSURE(made != NULL && item->delivery.len > 0 &&
                  kw_bytes_equal(kw_bytes_field(made->key_id), kw_id_bytes(&key.id)) &&
                  kw_bytes_equal(kw_bytes_field(made->device_id), kw_id_bytes(&key.device)),
              err, INTERNAL, "the core made another key than asked for");
    device->batch = range->batch.id;
    device->position = range->first + index;
    device->product = range->batch.product;
    device->created_ms = call->now_ms;
    key.kek_version = made->kek_version;
    key.wrapped = kw_bytes_field(made->wrapped);
    key.check_value = kw_bytes_field(made->check_value);
    key.mac = kw_bytes_field(made->mac);
    KW_TRY(protect(call, range, key.id, item, err));
    KW_TRY(kw_key_add(&call->feed_tx, &key, err));
    return kw_device_add(&call->feed_tx, device, err);
}

static struct kw_result add_all(struct kw_call *call, struct range *range, struct kw_error *err)
{
    const Keyward__Internal__V1__CoreReply *reply = call->core.reply;

    KW_ENSURE(reply->n_items == range->count - range->existing, err, INTERNAL,
              "the core made %zu keys, not %u", reply->n_items, range->count - range->existing);
    for (size_t i = 0; i < reply->n_items; i++) {
        KW_TRY(kw_core_item_result(reply->items[i], err));
    }
    if (!range->batch_exists) {
        range->batch.created_ms = call->now_ms;
        range->batch.generated = 0; /* a try before, which was undone, counted too */
        KW_TRY(kw_batch_add(&call->feed_tx, &range->batch, err));
    }
    for (uint32_t i = 0; i < reply->n_items; i++) {
        KW_TRY(add_device(call, range, range->existing + i, reply->items[i], err));
    }
    range->batch.generated += (uint32_t)reply->n_items;
    return kw_protection_owe(&call->feed_tx, range->owed, call->owed, err);
}

/* Before anything is written. */
static struct kw_result ask_who_is_to_have(struct kw_call *call, struct kw_tx *tx,
                                           struct range *range, struct kw_error *err)
{
    call->owed = 0;
    range->owed = kw_arena_alloc(call->arena, KW_CHUNK_ITEMS_MAX * sizeof(*range->owed));
    KW_ENSURE(range->owed != NULL, err, MEMORY, "keys that are owed");
    return kw_protection_asks(call->orch, tx, call->arena, &range->owes, err);
}

/* Another call for the same range may have been faster: then its keys are the batch's, and ours
 * were never delivered to anybody. Taking the turn writes, before anything is checked, but is no
 * effect. */
static struct kw_result check_unchanged(struct kw_call *call, struct kw_tx *tx, struct range *range,
                                        bool *ret_unchanged, struct kw_error *err)
{
    struct range now = {.first = range->first, .count = range->count};
    struct kw_batch_row found;

    KW_TRY(kw_batch_turn(tx, range->batch.station, range->batch.request, err));
    KW_TRY(kw_batch_find_request(tx, range->batch.station, range->batch.request, range->first,
                                 call->arena, &found, &now.batch_exists, err));
    if (now.batch_exists) {
        KW_TRY(check_same(&found, &range->batch, err));
        now.batch = found;
    }
    KW_TRY(find_devices(call, tx, &now, err));
    *ret_unchanged = now.batch_exists == range->batch_exists && now.existing == range->existing &&
                     (!now.batch_exists || kw_id_equal(now.batch.id, range->batch.id));
    if (!*ret_unchanged) {
        KW_ENSURE(now.existing == now.count, err, STORE_CONFLICT,
                  "another call is making the same keys");
        *range = now;
    } else if (now.batch_exists) {
        range->batch = now.batch; /* what was counted when it was read first may be old */
    }
    return KW_OK;
}

struct kw_result kw_create_batch_write(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct range *range = call->state;
    bool unchanged;

    KW_TRY(check_unchanged(call, tx, range, &unchanged, err));
    if (unchanged) {
        KW_TRY(ask_who_is_to_have(call, tx, range, err));
        KW_TRY(add_all(call, range, err));
    }
    return call->owed > 0 ? KW_OK : answer_range(call, tx, range, err);
}
