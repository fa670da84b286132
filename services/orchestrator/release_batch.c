/* ReleaseBatch, one range of it: activates the keys of the confirmed devices. */
#include "services/orchestrator/batch_feed.h"
#include "services/orchestrator/device_feed.h"
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/key_feed.h"
#include "services/orchestrator/material.h"

#include "common/base/limits.h"

/* Cells that are out of touch may both make pens for one position. */
#define DEVICES_MAX (2 * KW_CHUNK_ITEMS_MAX)

/* Why a device of the range is counted where it is. */
struct counts {
    uint32_t activated;
    uint32_t already_active;
    uint32_t unconfirmed;
    uint32_t unprotected;
    uint32_t disabled;
};

struct release {
    struct kw_id batch;
    struct counts counts;
    size_t count; /* to be activated */
    struct kw_material materials[KW_CHUNK_ITEMS_MAX];
};

static const Keyward__V1__ReleaseBatchRequest *request_of(const struct kw_call *call)
{
    return (const Keyward__V1__ReleaseBatchRequest *)call->request;
}

/* A station releases its own batches, an operator any. */
static struct kw_result find_batch(struct kw_call *call, struct kw_tx *tx, struct kw_id id,
                                   struct kw_batch_row *ret_batch, struct kw_error *err)
{
    bool found;

    KW_TRY(kw_batch_find(tx, id, call->arena, ret_batch, &found, err));
    KW_ENSURE(found && (call->actor != KW_ACTOR_STATION ||
                        kw_id_equal(ret_batch->station, call->caller.id)),
              err, NOT_FOUND, "no such batch of this station");
    return KW_OK;
}

/* The etag is about the batch before the first range: the later ones follow an answered first one.
 */
static struct kw_result check_first(struct kw_call *call, const struct kw_batch_row *batch,
                                    struct kw_error *err)
{
    const char *etag = request_of(call)->etag;
    Keyward__V1__Batch *shown;

    if (call->capsule.first != 0) {
        return KW_OK;
    }
    KW_ENSURE(batch->confirmed > 0, err, STATE_CONFLICT, "no device of the batch is confirmed");
    KW_TRY(kw_view_batch(&call->view, batch, &shown, err));
    KW_ENSURE(etag[0] == '\0' || strcmp(etag, shown->etag) == 0, err, ETAG_MISMATCH,
              "the batch has changed");
    return KW_OK;
}

static struct kw_result check_follows(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_request_key first = {.caller = call->caller_id,
                                         .method = (uint32_t)call->method->id,
                                         .request = call->request_id};
    struct kw_request_row row;
    bool found;

    if (call->capsule.first == 0 || call->validate_only) {
        return KW_OK;
    }
    KW_TRY(kw_request_find(tx, &first, call->arena, &row, &found, err));
    KW_ENSURE(found, err, STATE_CONFLICT, "the first range of this release was not done");
    return KW_OK;
}

/* Counts a device, and keeps its key when it is to be activated. */
static void sort_device(struct release *release, const struct kw_device_row *device,
                        const struct kw_material *material)
{
    const struct kw_key_state *state = &material->state;

    if (device->confirmed_ms == 0 || device->disputed || !state->confirmed) {
        release->counts.unconfirmed++;
    } else if (kw_state_suspended(state) || state->deactivated || state->compromised ||
               state->destroyed) {
        release->counts.disabled++;
    } else if (state->activated) {
        release->counts.already_active++;
    } else if (!state->is_protected) {
        release->counts.unprotected++;
    } else {
        if (release->count < KW_CHUNK_ITEMS_MAX) {
            release->materials[release->count++] = *material;
        }
        release->counts.activated++;
    }
}

static struct kw_result sort_range(struct kw_call *call, struct kw_tx *tx, struct release *release,
                                   struct kw_error *err)
{
    const struct kw_device_span span = {release->batch, call->capsule.first, call->capsule.count};
    struct kw_device_row *devices = kw_arena_alloc(call->arena, DEVICES_MAX * sizeof(*devices));
    size_t count;

    KW_ENSURE(devices != NULL, err, MEMORY, "a range");
    KW_ENSURE(call->capsule.count >= 1 && call->capsule.count <= KW_CHUNK_ITEMS_MAX, err,
              CAPSULE_INVALID, "a range of %u devices", call->capsule.count);
    KW_TRY(kw_device_range(tx, &span, DEVICES_MAX, call->arena, devices, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct kw_material material;

        KW_TRY(kw_material_of_device(call, tx, devices[i].id, &material, err));
        sort_device(release, &devices[i], &material);
    }
    KW_ENSURE(release->counts.activated == release->count, err, LIMIT_REACHED,
              "%u pens are confirmed at %u positions: they are released one by one",
              release->counts.activated, call->capsule.count);
    return KW_OK;
}

static struct kw_result answer_counts(struct kw_call *call, struct kw_tx *tx,
                                      struct kw_batch_row *batch, const struct counts *counts,
                                      struct kw_error *err)
{
    Keyward__V1__ReleaseBatchResponse response = KEYWARD__V1__RELEASE_BATCH_RESPONSE__INIT;

    KW_TRY(kw_protected_count(tx, batch->id, &batch->is_protected, err));
    KW_TRY(kw_view_batch(&call->view, batch, &response.batch, err));
    response.activated_count = counts->activated;
    response.already_active_count = counts->already_active;
    response.unconfirmed_count = counts->unconfirmed;
    response.unprotected_count = counts->unprotected;
    response.disabled_count = counts->disabled;
    return kw_call_answer(call, &response.base, err);
}

struct kw_result kw_release_batch_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct release *release = kw_arena_alloc(call->arena, sizeof(*release));
    struct kw_resource_ids ids;
    struct kw_batch_row batch;

    KW_ENSURE(release != NULL, err, MEMORY, "a release");
    KW_TRY(kw_call_name(call, "name", KW_RESOURCE_BATCH, request_of(call)->name, &ids, err));
    KW_TRY(find_batch(call, tx, ids.id[0], &batch, err));
    KW_TRY(check_first(call, &batch, err));
    KW_TRY(check_follows(call, tx, err));
    release->batch = batch.id;
    KW_TRY(sort_range(call, tx, release, err));
    if (call->validate_only) {
        return answer_counts(call, tx, &batch, &release->counts, err);
    }
    call->state = release;
    return release->count > 0 ? kw_material_ask(call, release->materials, release->count, err)
                              : KW_OK;
}

/* --- the effect --- */

/* A key whose state the core judges otherwise is left as it is: authz may know a fact that we do
 * not. Anything else that went wrong refuses the range, before anything is written. */
static struct kw_result check_reply(const struct kw_call *call, const struct release *release,
                                    struct kw_error *err)
{
    const Keyward__Internal__V1__CoreReply *reply = call->core.reply;

    KW_ENSURE(release->count == 0 || reply->n_items == release->count, err, INTERNAL,
              "the core did not answer every key");
    for (size_t i = 0; i < release->count; i++) {
        struct kw_result result = kw_core_item_result(reply->items[i], err);

        if (result.reason != KW_E_KEY_STATE) {
            KW_TRY(result);
        }
    }
    return KW_OK;
}

static struct kw_result activate(struct kw_call *call, struct release *release, size_t index,
                                 struct kw_error *err)
{
    const Keyward__Internal__V1__CoreItem *item = call->core.reply->items[index];
    const struct kw_key_row *key = &release->materials[index].row;

    if (!kw_ok(kw_core_item_result(item, NULL))) {
        release->counts.activated--;
        release->counts.disabled++;
        return KW_OK;
    }
    KW_TRY(kw_material_store_facts(call, item, key->id, KW_FACT_ACTIVATED, "", err));
    KW_TRY(kw_key_erase_delivery(&call->feed_tx, key->id, err));
    return kw_device_release(&call->feed_tx, key->device, err);
}

struct kw_result kw_release_batch_write(struct kw_call *call, struct kw_tx *tx,
                                        struct kw_error *err)
{
    struct release *release = call->state;
    struct kw_batch_row batch;

    KW_TRY(check_reply(call, release, err));
    for (size_t i = 0; i < release->count; i++) {
        KW_TRY(activate(call, release, i, err));
    }
    if (release->counts.activated > 0) {
        KW_TRY(kw_batch_release(&call->feed_tx, release->batch, err));
    }
    KW_TRY(find_batch(call, tx, release->batch, &batch, err));
    return answer_counts(call, tx, &batch, &release->counts, err);
}
