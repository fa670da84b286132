/* GetVerificationData: a long stream, passed through as fast as the caller takes it. Before it goes
 * what only authz can say: the head it last saw, without which a tail that the orchestrator lost
 * would not be missed. */
#include "services/authz/operations.h"

#include "common/audit/head.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "keyward/v1/receipt_service.pb-c.h"
#include "services/authz/forward.h"
#include "services/authz/outflow.h"

struct passage {
    struct kw_outflow outflow;
    size_t owed; /* credit of the inner call, returned when the outflow is empty */
    bool over;   /* the inner call ended well */
};

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

static void on_writable(struct kw_hop_call *hop, void *user)
{
    struct kw_authz_call *call = user;
    struct passage *passage = call->state;

    kw_outflow_writable(&passage->outflow, hop);
    if (!kw_outflow_empty(&passage->outflow)) {
        return;
    }
    if (passage->over) {
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
    if (passage->over) {
        kw_authz_call_end_stream(call);
    } else {
        kw_inner_cancel(&call->inner);
    }
}

static void release(struct kw_authz_call *call)
{
    struct passage *passage = call->state;

    kw_outflow_done(&passage->outflow);
}

/* All that was witnessed is durable further in: what is read from now on must have it. */
static struct kw_result head_send(struct kw_authz_call *call, struct passage *passage,
                                  struct kw_error *err)
{
    const struct kw_witness *witness = &call->authz->diary.witness;
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};
    Keyward__V1__VerificationRecord record = KEYWARD__V1__VERIFICATION_RECORD__INIT;
    Keyward__V1__VerificationRecord *records[] = {&record};
    Keyward__V1__GetVerificationDataResponse response =
        KEYWARD__V1__GET_VERIFICATION_DATA_RESPONSE__INIT;
    struct kw_bytes body;

    if (witness->seq == 0) {
        return KW_OK;
    }
    KW_TRY(kw_head_encode(witness, &encoded, err));
    record.type = KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_HEAD;
    record.encoded = kw_field_bytes(kw_buf_bytes(&encoded));
    response.records = records;
    response.n_records = 1;
    KW_TRY(kw_arena_pack(call->arena, &response.base, &body, err));
    return kw_outflow_send(&passage->outflow, call->hop, (struct kw_hop_item){.data = body}, err);
}

void kw_authz_verification_proceed(struct kw_authz_call *call)
{
    static const struct kw_hop_events events = {.writable = on_writable, .cancel = on_cancel};
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
    if (!kw_ok(head_send(call, passage, &error))) {
        kw_authz_call_fail(call, &error);
        return;
    }
    kw_forward_prepare(call, &call->inner);
    call->inner.message = on_message;
    call->inner.done = on_done;
    kw_inner_start(&call->inner);
}
