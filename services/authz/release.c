/* ReleaseBatch: as CreateBatch one inner call for each 256 devices, the counts added up. And
 * ConfirmDevice, which is about one. */
#include "services/authz/operations.h"

#include "keyward/v1/provisioning_service.pb-c.h"
#include "services/authz/check.h"
#include "services/authz/disabled_table.h"
#include "services/authz/forward.h"

#define PROOF_LEN  16
#define SERIAL_MAX 64

struct release {
    Keyward__V1__ReleaseBatchResponse sum; /* its batch is the last answer's */
    uint32_t next;
};

struct kw_result kw_authz_release(struct kw_authz_call *call, struct kw_tx *tx,
                                  struct kw_error *err)
{
    const Keyward__V1__ReleaseBatchRequest *request =
        (const Keyward__V1__ReleaseBatchRequest *)call->request;
    struct release *release = kw_arena_alloc(call->arena, sizeof(*release));
    struct kw_resource_ids ids;

    (void)tx;
    KW_ENSURE(release != NULL, err, MEMORY, "a release");
    keyward__v1__release_batch_response__init(&release->sum);
    call->state = release;
    KW_TRY(kw_authz_call_name(call, KW_RESOURCE_BATCH, "name", request->name, &ids, err));
    call->inner.slot.capsule = kw_forward_capsule(call);
    call->inner.slot.capsule.scope = KW_SCOPE_BATCH;
    call->inner.slot.capsule.scope_id = ids.id[0];
    return KW_OK;
}

static struct kw_result range_add(struct kw_authz_call *call, struct kw_error *err)
{
    struct release *release = call->state;
    const Keyward__V1__ReleaseBatchResponse *range;
    ProtobufCMessage *message;

    KW_ENSURE(call->inner.message_count == 1, err, INTERNAL, "%zu messages for a range",
              call->inner.message_count);
    KW_TRY(kw_message_unpack(&keyward__v1__release_batch_response__descriptor,
                             call->inner.messages[0], call->arena, &message, err));
    range = (const Keyward__V1__ReleaseBatchResponse *)message;
    KW_ENSURE(range->batch != NULL, err, INTERNAL, "a range without batch");
    KW_ENSURE(range->batch->count <= KW_BATCH_DEVICES_MAX, err, INTERNAL, "a batch of %u devices",
              range->batch->count); /* each 256 are another capsule */
    if (range->activated_count > 0 && !call->validate_only) {
        KW_TRY(kw_inner_receipt_require(&call->inner, err)); /* else no key was used */
    }
    release->sum.batch = range->batch;
    release->sum.activated_count += range->activated_count;
    release->sum.already_active_count += range->already_active_count;
    release->sum.unconfirmed_count += range->unconfirmed_count;
    release->sum.unprotected_count += range->unprotected_count;
    release->sum.disabled_count += range->disabled_count;
    release->next += KW_CHUNK_ITEMS_MAX;
    return KW_OK;
}

static void range_returned(struct kw_authz_call *call);

static void range_done(struct kw_inner *inner)
{
    struct kw_authz_call *call = inner->user;

    if (inner->reason != KW_E_NONE) {
        kw_authz_call_fail_inner(call);
    } else {
        kw_forward_returned(call, range_returned);
    }
}

/* The capsule carries no disabling facts: authz keeps them by device, and which devices a range of
 * a batch has is the orchestrator's to know, so there is nothing to look them up by. An
 * orchestrator that hides a fact can have a disabled key activated here, and has nothing of it.
 * Disabling facts absorb: activation takes none back. And whatever uses the key afterwards is asked
 * for by device, with a capsule that has authz's copy: the core joins both sides and refuses. */
static void range_start(struct kw_authz_call *call)
{
    struct release *release = call->state;
    struct kw_inner *inner = &call->inner;

    kw_inner_reset(inner);
    kw_forward_prepare(call, inner);
    inner->done = range_done;
    inner->receipt_optional = true; /* range_add */
    inner->slot.capsule.authz_epoch = call->epoch;
    inner->slot.capsule.first = release->next;
    inner->slot.capsule.count = KW_CHUNK_ITEMS_MAX;
    kw_inner_start(inner);
}

static void range_returned(struct kw_authz_call *call)
{
    struct release *release = call->state;
    struct kw_error error;
    struct kw_result result = range_add(call, &error);

    if (kw_ok(result) && release->next < release->sum.batch->count) {
        range_start(call);
        return;
    }
    if (kw_ok(result)) {
        result = kw_authz_call_respond(call, &release->sum.base, &error);
    }
    if (kw_ok(result)) {
        kw_authz_call_answer(call);
    } else {
        kw_authz_call_fail(call, &error);
    }
}

void kw_authz_release_proceed(struct kw_authz_call *call)
{
    range_start(call);
}

/* --- ConfirmDevice --- */

struct kw_result kw_authz_device_confirm(struct kw_authz_call *call, struct kw_tx *tx,
                                         struct kw_error *err)
{
    const Keyward__V1__ConfirmDeviceRequest *request =
        (const Keyward__V1__ConfirmDeviceRequest *)call->request;
    struct kw_capsule_slot *slot = &call->inner.slot;
    struct kw_resource_ids ids;

    KW_TRY(kw_authz_call_name(call, KW_RESOURCE_DEVICE, "device", request->device, &ids, err));
    KW_FIELD_ENSURE(call, request->challenge.len == PROOF_LEN, "challenge", err, "%zu bytes",
                    request->challenge.len);
    KW_FIELD_ENSURE(call, request->tag.len == PROOF_LEN, "tag", err, "%zu bytes", request->tag.len);
    KW_TRY(kw_check_printable(call, "serial_number", request->serial_number, SERIAL_MAX, err));
    slot->capsule = kw_forward_capsule(call);
    slot->capsule.scope = KW_SCOPE_BODY;
    return kw_disabled_collect(tx, ids.id[0], &slot->capsule, &slot->disabled, err);
}
