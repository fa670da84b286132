/* The life of a call: admission, the rounds through the HSM, the receipt, the answer. */
#include "services/cryptocore/call.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/failpoint.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/rpc/arena_proto.h"
#include "services/cryptocore/admit.h"
#include "services/cryptocore/operations.h"

#include <stdlib.h>

static void call_free(struct kw_core_call *call)
{
    struct kw_core *core = call->core;

    if (call->admitted) {
        kw_ledger_leave(core->ledger, call->stream);
    }
    kw_arena_free(call->arena);
    free(call);
    kw_core_call_ended(core);
}

static void on_cancel(struct kw_hop_call *hop, void *user)
{
    struct kw_core_call *call = user;

    (void)hop;
    call->hop = NULL;
}

static const struct kw_hop_events events = {.cancel = on_cancel};

/* A call that ends with a receipt counts as handled well; its items say how they went. */
static void count_end(const struct kw_core_call *call, enum kw_reason reason)
{
    kw_metric_add(KW_M_RPC_HANDLED, reason == KW_E_NONE ? "ok" : kw_reason_row(reason)->label, 1);
    kw_metric_observe(KW_M_RPC_SECONDS, call->method->path,
                      (double)(kw_clock_mono_ns() - call->arrival.mono_ns) / KW_NS_PER_S);
}

/* Refused before the capsule was spent: an error, no receipt. The one place that logs refusals. */
static void refuse(struct kw_core_call *call, const struct kw_error *error)
{
    count_end(call, error->reason);
    KW_LOG(WARN, "call refused", KW_F_STR("method", call->method->path), KW_F_ERR(error));
    if (call->hop != NULL) {
        kw_hop_finish(
            call->hop,
            &(struct kw_hop_status){.reason = error->reason, .field = "", .description = ""},
            KW_BYTES_NONE);
    }
    call_free(call);
}

struct kw_result kw_core_field(struct kw_core_call *call, struct kw_bytes bytes,
                               ProtobufCBinaryData *ret_field, struct kw_error *err)
{
    struct kw_bytes copy;

    KW_TRY(kw_arena_copy(call->arena, bytes, &copy, err));
    *ret_field = kw_field_bytes(copy);
    return KW_OK;
}

struct kw_result kw_core_answer_failure(const struct kw_hsm_answer *answer, struct kw_error *err)
{
    if (err != NULL) {
        *err = answer->error;
    }
    return answer->result;
}

struct kw_result kw_core_items_make(struct kw_core_call *call, size_t count, struct kw_error *err)
{
    KW_ENSURE(count >= 1 && count <= KW_CHUNK_ITEMS_MAX, err, ARGUMENT_INVALID, "%zu items", count);
    call->items = kw_arena_alloc(call->arena, count * sizeof(*call->items));
    call->requests = kw_arena_alloc(call->arena, (count + 1) * sizeof(*call->requests));
    call->request_items = kw_arena_alloc(call->arena, (count + 1) * sizeof(*call->request_items));
    KW_ENSURE(call->items != NULL && call->requests != NULL && call->request_items != NULL, err,
              MEMORY, "%zu items", count);
    for (size_t i = 0; i < count; i++) {
        keyward__internal__v1__core_item__init(&call->items[i].answer);
        call->items[i].reason = KW_E_INTERNAL;
    }
    call->item_count = count;
    return KW_OK;
}

struct kw_hsm_request *kw_core_request_add(struct kw_core_call *call, size_t item,
                                           enum kw_hsm_op op)
{
    struct kw_hsm_request *request = &call->requests[call->request_count];

    *request = (struct kw_hsm_request){.op = op};
    call->request_items[call->request_count++] = item;
    return request;
}

/* An allowed call that failed as a whole: every item has that outcome, and nothing is delivered. */
static void fail_items(struct kw_core_call *call, enum kw_reason reason)
{
    for (size_t i = 0; i < call->item_count; i++) {
        call->items[i].reason = reason;
        call->items[i].result = (struct kw_hash){0};
        keyward__internal__v1__core_item__init(&call->items[i].answer);
    }
    keyward__internal__v1__core_reply__init(&call->reply);
}

static struct kw_result receipt_items(const struct kw_core_call *call, struct kw_receipt *receipt,
                                      struct kw_buf *list, struct kw_error *err)
{
    for (size_t i = 0; i < call->item_count; i++) {
        const struct kw_core_item *item = &call->items[i];
        struct kw_receipt_item record = {
            .key = item->key, .device = item->device, .result = item->result};

        if (item->reason != KW_E_NONE) {
            record.outcome = kw_bytes_str(kw_reason_row(item->reason)->name);
        }
        KW_TRY(kw_receipt_item_add(receipt, list, &record, err));
    }
    return KW_OK;
}

static struct kw_result receipt_make(struct kw_core_call *call, struct kw_receipt *receipt,
                                     struct kw_error *err)
{
    const struct kw_core_config *config = call->core->config;
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    struct kw_bytes record;

    *receipt = (struct kw_receipt){
        .id = call->receipt_id,
        .time_ms = call->now_ms,
        .region = kw_bytes_str(config->region),
        .cell = kw_bytes_str(config->cell),
        .capsule = kw_bytes_field(call->authorization->capsule),
        .signer = kw_bytes_field(call->authorization->signer_certificate),
    };
    KW_FAILPOINT(KW_FP_CORE_BEFORE_RECEIPT, err);
    KW_TRY(receipt_items(call, receipt, &list, err));
    KW_TRY(kw_ledger_issue(call->core->ledger, call->stream, receipt, &record, err));
    KW_FAILPOINT(KW_FP_CORE_AFTER_RECEIPT, err);
    return kw_core_field(call, record, &call->reply.receipt, err);
}

static struct kw_result answer_make(struct kw_core_call *call, struct kw_bytes *ret_answer,
                                    struct kw_error *err)
{
    Keyward__Internal__V1__CoreItem **items =
        kw_arena_alloc(call->arena, call->item_count * sizeof(*items));

    KW_ENSURE(items != NULL, err, MEMORY, "answer");
    for (size_t i = 0; i < call->item_count; i++) {
        struct kw_core_item *item = &call->items[i];

        items[i] = &item->answer;
        if (item->reason != KW_E_NONE) {
            item->answer.reason = kw_field_text(kw_reason_row(item->reason)->name);
        }
    }
    call->reply.n_items = call->item_count;
    call->reply.items = items;
    return kw_arena_pack(call->arena, &call->reply.base, ret_answer, err);
}

/* The receipt is issued even if nobody waits for the answer any more: it says what was done. */
static void finish(struct kw_core_call *call)
{
    struct kw_receipt receipt = {0};
    struct kw_error error;
    struct kw_bytes answer = KW_BYTES_NONE;
    struct kw_result result = receipt_make(call, &receipt, &error);

    if (kw_ok(result)) {
        result = answer_make(call, &answer, &error);
    }
    if (!kw_ok(result)) {
        refuse(call, &error);
        return;
    }
    count_end(call, KW_E_NONE);
    if (call->hop != NULL) {
        kw_hop_reply(call->hop, (struct kw_hop_item){.data = answer});
    } else {
        kw_ledger_resend(call->core->ledger, call->stream, receipt.seq);
    }
    call_free(call);
}

static void fail(struct kw_core_call *call, const struct kw_error *error)
{
    KW_LOG(WARN, "call failed", KW_F_STR("method", call->method->path), KW_F_ERR(error));
    fail_items(call, error->reason);
    finish(call);
}

static void hsm_done(struct kw_hsm_call *hsm, const struct kw_hsm_answer *answers, size_t count);

static struct kw_result submit(struct kw_core_call *call, struct kw_error *err)
{
    call->hsm.deadline_ns = call->deadline_ns;
    call->hsm.done = hsm_done;
    return kw_hsm_submit(call->core->hsm, &call->hsm, call->requests, call->request_count, err);
}

/* Another round if there is something to ask, else the end. */
static void proceed(struct kw_core_call *call, struct kw_result result, struct kw_error *error)
{
    if (kw_ok(result) && call->request_count > 0) {
        result = submit(call, error);
        if (kw_ok(result)) {
            return;
        }
    }
    if (!kw_ok(result)) {
        fail(call, error);
        return;
    }
    finish(call);
}

static void hsm_done(struct kw_hsm_call *hsm, const struct kw_hsm_answer *answers, size_t count)
{
    struct kw_core_call *call = KW_CONTAINER_OF(hsm, struct kw_core_call, hsm);
    struct kw_error error;

    call->request_count = 0;
    call->step++;
    proceed(call, call->operation->complete(call, answers, count, &error), &error);
}

static struct kw_result call_read(struct kw_core_call *call, const struct kw_hop_open *open,
                                  struct kw_error *err)
{
    ProtobufCMessage *message;

    KW_ENSURE(open->has_item, err, ENCODING_INVALID, "a call without request");
    KW_TRY(kw_arena_unpack(call->arena, &keyward__internal__v1__authorization__descriptor,
                           open->item.context, &message, err));
    call->authorization = (const Keyward__Internal__V1__Authorization *)message;
    KW_TRY(kw_arena_unpack(call->arena, &keyward__internal__v1__core_request__descriptor,
                           open->item.data, &message, err));
    call->request = (const Keyward__Internal__V1__CoreRequest *)message;
    KW_TRY(kw_message_unpack(kw_method_messages(call->method)->input,
                             kw_bytes_field(call->request->body), call->arena, &message, err));
    call->body = message;
    return kw_sha256(kw_bytes_field(call->request->body), call->body_hash, err);
}

static struct kw_result call_new(struct kw_hop_call *hop, const struct kw_hop_peer *peer,
                                 const struct kw_core_operation *operation, struct kw_core *core,
                                 struct kw_core_call **ret_call, struct kw_error *err)
{
    struct kw_core_call *call = calloc(1, sizeof(*call));

    KW_ENSURE(call != NULL, err, MEMORY, "call");
    call->arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    if (call->arena == NULL) {
        free(call);
        KW_FAIL(err, MEMORY, "call");
    }
    call->core = core;
    call->hop = hop;
    call->operation = operation;
    call->method = kw_method_by_id((uint32_t)operation->method);
    call->stream = peer->boot_id;
    call->arrival = kw_arrival_now();
    call->deadline_ns = kw_hop_deadline_ns(hop);
    call->now_ms = kw_clock_wall_ms();
    keyward__internal__v1__core_reply__init(&call->reply);
    *ret_call = call;
    return KW_OK;
}

/* Until admission a call may be refused; from then on it must end in a receipt. */
static void call_begin(struct kw_core_call *call, const struct kw_hop_open *open)
{
    struct kw_error error;
    struct kw_result result = call_read(call, open, &error);

    if (kw_ok(result)) {
        result = kw_core_admit(call, &error);
    }
    if (!kw_ok(result)) {
        refuse(call, &error);
        return;
    }
    result = call->operation->prepare(call, &error);
    if (call->item_count == 0 && !kw_ok(kw_core_items_make(call, 1, &error))) {
        refuse(call, &error);
        return;
    }
    proceed(call, result, &error);
}

void kw_core_call_open(struct kw_hop_call *hop, const struct kw_hop_peer *peer,
                       const struct kw_hop_open *open, struct kw_core *core)
{
    const struct kw_core_operation *operation = kw_core_operation_find(open->method);
    struct kw_core_call *call;
    struct kw_error error = {.reason = KW_E_METHOD_UNKNOWN};

    if (operation == NULL || !kw_ok(call_new(hop, peer, operation, core, &call, &error))) {
        kw_hop_finish(
            hop, &(struct kw_hop_status){.reason = error.reason, .field = "", .description = ""},
            KW_BYTES_NONE);
        return;
    }
    core->in_flight++;
    kw_hop_serve(hop, &events, call);
    call_begin(call, open);
}
