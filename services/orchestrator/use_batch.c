/* BatchGetDeviceAccess: one chunk of uses under one capsule, each with a status of its own. */
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/use.h"

#include "common/base/limits.h"
#include "common/rpc/messages.h"

#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>

#define ERROR_INFO_TYPE "type.googleapis.com/google.rpc.ErrorInfo"
#define ERROR_DOMAIN    "keyward"

struct item {
    uint64_t id;
    struct kw_use use;
    enum kw_reason reason; /* why we refuse it; KW_E_NONE: we do not */
};

struct chunk {
    size_t count;
    struct item items[KW_CHUNK_ITEMS_MAX];
};

/* --- read --- */

static struct kw_result read_item(struct kw_call *call, struct kw_tx *tx,
                                  const Keyward__V1__BatchAccessItem *asked, struct item *item,
                                  struct kw_error *err)
{
    item->id = asked->item_id;
    switch (asked->request_case) {
    case KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_GET:
        KW_TRY(kw_use_from_get(call, asked->get, &item->use, err));
        break;
    case KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_DERIVE:
        KW_TRY(kw_use_from_derive(call, asked->derive, &item->use, err));
        break;
    case KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST__NOT_SET:
    case _KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST__CASE_IS_INT_SIZE:
        KW_FAIL(err, ARGUMENT_INVALID, "an item that asks nothing");
    }
    return kw_use_load(call, tx, &item->use, err);
}

/* The core takes one key an item. For one that we refuse it gets what we have, or an empty message:
 * it refuses on its own account, and the receipt says so. */
static struct kw_result ask(struct kw_call *call, struct chunk *chunk, struct kw_error *err)
{
    call->question.keys = kw_view_pointers(&call->view, chunk->count);
    KW_ENSURE(call->question.keys != NULL, err, MEMORY, "%zu keys", chunk->count);
    for (size_t i = 0; i < chunk->count; i++) {
        Keyward__Internal__V1__WrappedDeviceKey *key = chunk->items[i].use.material.message;

        call->question.keys[i] =
            key != NULL ? key
                        : kw_view_message(&call->view,
                                          &keyward__internal__v1__wrapped_device_key__descriptor);
    }
    call->question.n_keys = chunk->count;
    call->ask_core = true;
    return KW_OK;
}

struct kw_result kw_use_batch_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    const Keyward__V1__BatchGetDeviceAccessRequest *request =
        (const Keyward__V1__BatchGetDeviceAccessRequest *)call->request;
    struct chunk *chunk = kw_arena_alloc(call->arena, sizeof(*chunk));
    size_t allowed = 0;

    KW_ENSURE(chunk != NULL, err, MEMORY, "a chunk");
    KW_ENSURE_FIELD(request->n_items >= 1 && request->n_items <= KW_CHUNK_ITEMS_MAX, call, "items",
                    err, "a chunk has 1 to %d items", KW_CHUNK_ITEMS_MAX);
    KW_TRY(kw_material_transport(call, tx, call->capsule.ptk_version, true, err));
    for (size_t i = 0; i < request->n_items; i++) {
        struct kw_result result = read_item(call, tx, request->items[i], &chunk->items[i], err);

        if (result.reason == KW_E_STORE_UNAVAILABLE || result.reason == KW_E_INTERNAL) {
            return result; /* says nothing of the item */
        }
        chunk->items[i].reason = result.reason;
        allowed += kw_ok(result) ? 1 : 0;
    }
    call->field = NULL; /* items are refused one by one */
    chunk->count = request->n_items;
    call->state = chunk;
    return allowed > 0 ? ask(call, chunk, err) : kw_use_batch_write(call, tx, err);
}

/* --- write --- */

/* What the unary call's status and details would be. */
static Google__Rpc__Status *status_of(struct kw_view *view, enum kw_reason reason)
{
    const struct kw_reason_row *row = kw_reason_row(reason);
    Google__Rpc__Status *status = kw_view_message(view, &google__rpc__status__descriptor);
    Google__Rpc__ErrorInfo *info = kw_view_message(view, &google__rpc__error_info__descriptor);
    Google__Protobuf__Any *detail = kw_view_message(view, &google__protobuf__any__descriptor);
    struct kw_bytes packed = KW_BYTES_NONE;

    info->reason = kw_view_text(view, kw_bytes_str(row->name));
    info->domain = kw_view_text(view, kw_bytes_str(ERROR_DOMAIN));
    if (!kw_ok(kw_view_pack(view, &info->base, &packed, NULL))) {
        view->exhausted = true;
    }
    detail->type_url = kw_view_text(view, kw_bytes_str(ERROR_INFO_TYPE));
    detail->value = kw_field_bytes(packed);
    status->code = (int32_t)row->grpc_code;
    status->message = kw_view_text(view, kw_bytes_str(row->text));
    status->details = kw_view_pointers(view, 1);
    if (status->details != NULL) {
        status->details[status->n_details++] = detail;
    }
    return status;
}

static void refuse_item(struct kw_view *view, Keyward__V1__BatchAccessResult *result,
                        enum kw_reason reason)
{
    result->result_case = KEYWARD__V1__BATCH_ACCESS_RESULT__RESULT_ERROR;
    result->error = status_of(view, reason);
}

static void answer_item(struct kw_call *call, const struct item *item,
                        const Keyward__Internal__V1__CoreItem *answer,
                        Keyward__V1__BatchAccessResult *result)
{
    Keyward__V1__KeyEnvelope *envelope;
    struct kw_result made;

    result->item_id = item->id;
    if (item->reason != KW_E_NONE) {
        refuse_item(&call->view, result, item->reason);
        return;
    }
    made = kw_use_envelope(call, &item->use, answer, &envelope, NULL);
    if (!kw_ok(made)) {
        refuse_item(&call->view, result, made.reason);
        return;
    }
    result->result_case = KEYWARD__V1__BATCH_ACCESS_RESULT__RESULT_ENVELOPE;
    result->envelope = envelope;
}

struct kw_result kw_use_batch_write(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    Keyward__V1__BatchGetDeviceAccessResponse response =
        KEYWARD__V1__BATCH_GET_DEVICE_ACCESS_RESPONSE__INIT;
    const struct chunk *chunk = call->state;

    (void)tx; /* the receipt is all that is stored */
    KW_ENSURE(!call->has_receipt || call->core.reply->n_items == chunk->count, err, INTERNAL,
              "the core did not answer every item");
    response.results = kw_view_pointers(&call->view, chunk->count);
    KW_ENSURE(response.results != NULL, err, MEMORY, "%zu results", chunk->count);
    for (size_t i = 0; i < chunk->count; i++) {
        response.results[i] =
            kw_view_message(&call->view, &keyward__v1__batch_access_result__descriptor);
        answer_item(call, &chunk->items[i], call->has_receipt ? call->core.reply->items[i] : NULL,
                    response.results[i]);
    }
    response.n_results = chunk->count;
    return kw_call_answer(call, &response.base, err);
}
