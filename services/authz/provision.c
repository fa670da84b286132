/* CreateBatch: one inner call for each 256 devices, one after the other, the next when the caller
 * has taken the last.
 *
 *     range 0..255 ─▶ batch, chunk ─▶ sent ─▶ range 256..511 ─▶ chunk ─▶ sent ─▶ … ─▶ chunk, totals
 */
#include "services/authz/operations.h"

#include "keyward/v1/provisioning_service.pb-c.h"
#include "services/authz/check.h"
#include "services/authz/forward.h"
#include "services/authz/outflow.h"

#define LOT_MAX 64

struct creation {
    struct kw_outflow outflow;
    struct kw_arena *arena; /* of the present range */
    uint32_t next;          /* first device of the next range */
    uint32_t count;
    bool sending; /* a range's messages wait for credit */
};

static bool has_product(const struct kw_member_row *station, struct kw_id product)
{
    for (size_t at = 0; at + KW_ID_LEN <= station->products.len; at += KW_ID_LEN) {
        if (kw_bytes_equal(KW_BYTES(station->products.data + at, KW_ID_LEN),
                           kw_id_bytes(&product))) {
            return true;
        }
    }
    return false;
}

struct kw_result kw_authz_provision(struct kw_authz_call *call, struct kw_tx *tx,
                                    struct kw_error *err)
{
    const Keyward__V1__CreateBatchRequest *request =
        (const Keyward__V1__CreateBatchRequest *)call->request;
    const struct kw_member_row *station = &call->caller.member;
    struct kw_resource_ids product;

    (void)tx;
    KW_TRY(
        kw_authz_call_name(call, KW_RESOURCE_PRODUCT, "product", request->product, &product, err));
    KW_TRY(kw_check_printable(call, "lot", request->lot, LOT_MAX, err));
    KW_FIELD_ENSURE(call, request->count >= 1 && request->count <= KW_BATCH_DEVICES_MAX, "count",
                    err, "%u devices", request->count);
    KW_FIELD_ENSURE(call, request->start_index <= request->count, "start_index", err,
                    "from %u of %u", request->start_index, request->count);
    KW_ENSURE(has_product(station, product.id[0]), err, NOT_FOUND, "not a product of the station");
    KW_ENSURE(station->confirmed_version > 0, err, TRANSPORT_KEY_UNCONFIRMED,
              "transport_key_unconfirmed");
    call->inner.slot.capsule = kw_forward_capsule(call);
    call->inner.slot.capsule.scope = KW_SCOPE_PRODUCT;
    call->inner.slot.capsule.scope_id = product.id[0];
    call->inner.slot.capsule.ptk_version = station->confirmed_version;
    return KW_OK;
}

/* --- ranges --- */

static void range_done(struct kw_inner *inner);

/* The capsule carries no disabling facts: about keys that are yet to be made there are none. The
 * core delivers no others under this method; what the orchestrator sends again is what the station
 * was given before, and it takes the core, with authz's copy, to confirm or use it. */
static struct kw_result range_start(struct kw_authz_call *call, struct kw_error *err)
{
    struct creation *creation = call->state;
    struct kw_inner *inner = &call->inner;
    uint32_t left = creation->count - creation->next;

    kw_arena_free(creation->arena);
    creation->arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    KW_ENSURE(creation->arena != NULL, err, MEMORY, "a range");
    kw_inner_reset(inner);
    kw_forward_prepare(call, inner);
    inner->arena = creation->arena;
    inner->done = range_done;
    inner->receipt_optional = true; /* range_check */
    inner->slot.capsule.authz_epoch = call->epoch;
    inner->slot.capsule.first = creation->next;
    inner->slot.capsule.count = (uint16_t)(left < KW_CHUNK_ITEMS_MAX ? left : KW_CHUNK_ITEMS_MAX);
    kw_inner_start(inner);
    return KW_OK;
}

/* The caller may have gone while it was decided again. */
static void range_next(struct kw_authz_call *call)
{
    struct kw_error error;

    if (call->hop == NULL) {
        kw_authz_call_end_stream(call);
    } else if (!kw_ok(range_start(call, &error))) {
        kw_authz_call_fail(call, &error);
    }
}

/* The range is sent: the next, unless the caller took so long that it may no longer; or the end. */
static void range_sent(struct kw_authz_call *call)
{
    struct creation *creation = call->state;

    creation->sending = false;
    creation->next += call->inner.slot.capsule.count;
    if (call->hop == NULL || call->validate_only || creation->next >= creation->count) {
        kw_authz_call_end_stream(call);
    } else {
        kw_forward_go_on(call, range_next);
    }
}

static void range_send(struct kw_authz_call *call)
{
    struct creation *creation = call->state;
    struct kw_error error;

    for (size_t i = 0; i < call->inner.message_count; i++) {
        const struct kw_hop_item item = {.data = call->inner.messages[i]};

        if (!kw_ok(kw_outflow_send(&creation->outflow, call->hop, item, &error))) {
            kw_authz_call_fail(call, &error);
            return;
        }
    }
    creation->sending = true;
    if (kw_outflow_empty(&creation->outflow)) {
        range_sent(call);
    }
}

/* Keys that are made come with a receipt. Those that are there already may be asked for again until
 * they are released: that is no use of a key, and the core is not asked. An orchestrator that says
 * so of new ones hides nothing for long: the chain has a gap before the core's next receipt. */
static struct kw_result range_check(const struct kw_authz_call *call, struct kw_error *err)
{
    return call->validate_only || call->inner.outcome.replayed
               ? KW_OK
               : kw_inner_receipt_require(&call->inner, err);
}

static void range_done(struct kw_inner *inner)
{
    struct kw_authz_call *call = inner->user;
    struct kw_error error;

    if (inner->reason != KW_E_NONE) {
        kw_authz_call_fail_inner(call);
    } else if (!kw_ok(range_check(call, &error))) {
        kw_authz_call_fail(call, &error);
    } else {
        kw_forward_returned(call, range_send);
    }
}

/* --- events of the outer side --- */

static void on_writable(struct kw_hop_call *hop, void *user)
{
    struct kw_authz_call *call = user;
    struct creation *creation = call->state;

    kw_outflow_writable(&creation->outflow, hop);
    if (creation->sending && kw_outflow_empty(&creation->outflow)) {
        range_sent(call);
    }
}

/* A range that is under way is finished, for its keys are made; no other is begun. */
static void on_cancel(struct kw_hop_call *hop, void *user)
{
    struct kw_authz_call *call = user;
    struct creation *creation = call->state;

    (void)hop;
    call->hop = NULL;
    if (creation->sending) {
        kw_authz_call_end_stream(call);
    }
}

static void release(struct kw_authz_call *call)
{
    struct creation *creation = call->state;

    kw_outflow_done(&creation->outflow);
    kw_arena_free(creation->arena);
}

static struct kw_result creation_start(struct kw_authz_call *call, struct kw_error *err)
{
    static const struct kw_hop_events events = {.writable = on_writable, .cancel = on_cancel};
    const Keyward__V1__CreateBatchRequest *request =
        (const Keyward__V1__CreateBatchRequest *)call->request;
    struct creation *creation = kw_arena_alloc(call->arena, sizeof(*creation));

    KW_ENSURE(creation != NULL, err, MEMORY, "a batch");
    creation->next = request->start_index;
    creation->count = request->count;
    call->state = creation;
    call->release = release;
    if (call->hop != NULL) {
        kw_hop_serve(call->hop, &events, call);
    }
    return range_start(call, err);
}

void kw_authz_provision_proceed(struct kw_authz_call *call)
{
    struct kw_error error;

    if (!kw_ok(creation_start(call, &error))) {
        kw_authz_call_fail(call, &error);
    }
}
