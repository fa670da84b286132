/* GetVerificationData: a long stream, passed through as fast as the caller takes it. Before it goes
 * what only authz can say: the head it last saw of every chain, without which a tail, or a whole
 * chain, that the orchestrator lost would not be missed. Of another cell's chains it saw none.
 *
 *     heads not yet written ─▶ heads of the store, page by page ─▶ the orchestrator's stream
 */
#include "services/authz/operations.h"

#include "common/audit/head.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "keyward/v1/receipt_service.pb-c.h"
#include "services/authz/forward.h"
#include "services/authz/outflow.h"
#include "services/authz/witness_table.h"

enum stage {
    STAGE_READING, /* a page of heads is on its way from the store */
    STAGE_SENDING, /* the caller takes it */
    STAGE_PASSING
};

struct passage {
    struct kw_outflow outflow;
    enum stage stage;
    struct kw_witness heads[KW_CHUNK_ITEMS_MAX]; /* the present page; the next begins behind it */
    size_t head_count;
    size_t owed; /* credit of the inner call, returned when the outflow is empty */
    bool over;   /* the inner call ended well */
};

/* --- the orchestrator's stream --- */

static void on_message(struct kw_inner *inner, struct kw_bytes data)
{
    struct kw_authz_call *call = inner->user;
    struct passage *passage = call->state;
    struct kw_error error;

    if (!kw_ok(kw_outflow_send(&passage->outflow, call->hop, (struct kw_hop_item){.data = data},
                               &error))) {
        kw_inner_cancel(inner);
        return;
    }
    passage->owed += data.len;
    if (kw_outflow_empty(&passage->outflow)) {
        kw_hop_consume(inner->hop, passage->owed);
        passage->owed = 0;
    }
}

static void on_done(struct kw_inner *inner)
{
    struct kw_authz_call *call = inner->user;
    struct passage *passage = call->state;

    if (inner->reason != KW_E_NONE) {
        kw_authz_call_fail_inner(call);
        return;
    }
    passage->over = true;
    if (call->hop == NULL || kw_outflow_empty(&passage->outflow)) {
        kw_authz_call_end_stream(call);
    }
}

/* --- heads --- */

_Static_assert(KW_DIARY_HEADS_UNWRITTEN_MAX <= KW_CHUNK_ITEMS_MAX, "they fit a page");

static struct kw_result head_record(struct kw_arena *arena, const struct kw_witness *head,
                                    Keyward__V1__VerificationRecord **ret_record,
                                    struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};
    Keyward__V1__VerificationRecord *record = kw_arena_alloc(arena, sizeof(*record));
    struct kw_bytes copy;

    KW_ENSURE(record != NULL, err, MEMORY, "a head");
    KW_TRY(kw_head_encode(head, &encoded, err));
    KW_TRY(kw_arena_copy(arena, kw_buf_bytes(&encoded), &copy, err));
    keyward__v1__verification_record__init(record);
    record->type = KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_HEAD;
    record->encoded = kw_field_bytes(copy);
    *ret_record = record;
    return KW_OK;
}

static struct kw_result page_pack(const struct passage *passage, struct kw_arena *arena,
                                  struct kw_bytes *ret_body, struct kw_error *err)
{
    Keyward__V1__GetVerificationDataResponse response =
        KEYWARD__V1__GET_VERIFICATION_DATA_RESPONSE__INIT;

    response.records = kw_arena_alloc(arena, passage->head_count * sizeof(*response.records));
    KW_ENSURE(response.records != NULL, err, MEMORY, "a page of heads");
    for (size_t i = 0; i < passage->head_count; i++) {
        KW_TRY(head_record(arena, &passage->heads[i], &response.records[i], err));
        response.n_records++;
    }
    return kw_arena_pack(arena, &response.base, ret_body, err);
}

/* With an arena of its own: there may be many pages. */
static struct kw_result heads_send(struct kw_authz_call *call, struct kw_error *err)
{
    struct passage *passage = call->state;
    struct kw_hop_item item = {0};
    struct kw_arena *arena;
    struct kw_result result;

    if (passage->head_count == 0) {
        return KW_OK;
    }
    arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    KW_ENSURE(arena != NULL, err, MEMORY, "a page of heads");
    result = page_pack(passage, arena, &item.data, err);
    if (kw_ok(result)) {
        result = kw_outflow_send(&passage->outflow, call->hop, item, err);
    }
    kw_arena_free(arena);
    return result;
}

static struct kw_result heads_read(struct kw_authz_call *call, struct kw_tx *tx,
                                   struct kw_error *err)
{
    struct passage *passage = call->state;
    const struct kw_witness after =
        passage->head_count > 0 ? passage->heads[passage->head_count - 1] : (struct kw_witness){0};

    return kw_witness_list(tx, &after, KW_CHUNK_ITEMS_MAX, passage->heads, &passage->head_count,
                           err);
}

static void heads_sent(struct kw_authz_call *call);

static void heads_read_done(struct kw_authz_call *call)
{
    struct passage *passage = call->state;
    struct kw_error error;

    if (call->hop == NULL) {
        kw_authz_call_end_stream(call);
        return;
    }
    if (!kw_ok(heads_send(call, &error))) {
        kw_authz_call_fail(call, &error);
        return;
    }
    passage->stage = STAGE_SENDING;
    if (kw_outflow_empty(&passage->outflow)) {
        heads_sent(call);
    }
}

static void heads_next(struct kw_authz_call *call)
{
    struct passage *passage = call->state;

    passage->stage = STAGE_READING;
    kw_authz_call_step(call, false, heads_read, heads_read_done);
}

/* All that was witnessed is durable further in: what is read from now on must have it. */
static void heads_sent(struct kw_authz_call *call)
{
    struct passage *passage = call->state;

    if (passage->head_count == KW_CHUNK_ITEMS_MAX) {
        heads_next(call);
        return;
    }
    passage->stage = STAGE_PASSING;
    kw_forward_prepare(call, &call->inner);
    call->inner.message = on_message;
    call->inner.done = on_done;
    kw_inner_start(&call->inner);
}

/* --- events of the outer side --- */

static void on_writable(struct kw_hop_call *hop, void *user)
{
    struct kw_authz_call *call = user;
    struct passage *passage = call->state;

    kw_outflow_writable(&passage->outflow, hop);
    if (!kw_outflow_empty(&passage->outflow) || passage->stage == STAGE_READING) {
        return;
    }
    if (passage->stage == STAGE_SENDING) {
        heads_sent(call);
    } else if (passage->over) {
        kw_authz_call_end_stream(call);
    } else if (call->inner.hop != NULL && passage->owed > 0) {
        kw_hop_consume(call->inner.hop, passage->owed);
        passage->owed = 0;
    }
}

static void on_cancel(struct kw_hop_call *hop, void *user)
{
    struct kw_authz_call *call = user;
    struct passage *passage = call->state;

    (void)hop;
    call->hop = NULL;
    if (passage->stage == STAGE_SENDING || passage->over) {
        kw_authz_call_end_stream(call);
    } else if (passage->stage == STAGE_PASSING) {
        kw_inner_cancel(&call->inner);
    } /* else heads_read */
}

static void release(struct kw_authz_call *call)
{
    struct passage *passage = call->state;

    kw_outflow_done(&passage->outflow);
}

/* Another cell's receipts, of which the orchestrator keeps a copy. */
static void pass_on(struct kw_authz_call *call)
{
    if (call->hop == NULL) {
        kw_authz_call_end_stream(call);
    } else {
        heads_sent(call);
    }
}

void kw_authz_verification_proceed(struct kw_authz_call *call)
{
    static const struct kw_hop_events events = {.writable = on_writable, .cancel = on_cancel};
    const Keyward__V1__GetVerificationDataRequest *request =
        (const Keyward__V1__GetVerificationDataRequest *)call->request;
    struct passage *passage = kw_arena_alloc(call->arena, sizeof(*passage));
    struct kw_error error;

    if (passage == NULL) {
        KW_IGNORE(KW_MAKE(&error, MEMORY, "a stream"));
        kw_authz_call_fail(call, &error);
        return;
    }
    call->state = passage;
    call->release = release;
    if (call->hop != NULL) {
        kw_hop_serve(call->hop, &events, call);
    }
    if (request->of[0] != '\0') {
        pass_on(call);
        return;
    }
    passage->head_count = kw_diary_unwritten_heads(&call->authz->diary, passage->heads);
    if (!kw_ok(heads_send(call, &error))) {
        kw_authz_call_fail(call, &error);
        return;
    }
    passage->head_count = 0;
    heads_next(call);
}
