/* Checkpoints: a chain's head, signed by the HSM, sent to the orchestrator on the standing call. */
#include "services/cryptocore/ledger_internal.h"

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"

#include <stdlib.h>

bool kw_ledger_notify(struct kw_ledger_chain *chain,
                      const Keyward__Internal__V1__CheckpointNotice *notice)
{
    size_t len = protobuf_c_message_get_packed_size(&notice->base);
    uint8_t *packed;
    bool sent;

    if (chain->standing == NULL) {
        return false;
    }
    packed = malloc(len > 0 ? len : 1);
    if (packed == NULL) {
        return false;
    }
    (void)protobuf_c_message_pack(&notice->base, packed);
    sent = kw_hop_send(chain->standing, (struct kw_hop_item){.data = KW_BYTES(packed, len)});
    free(packed);
    return sent;
}

static void closed_if_idle(struct kw_ledger *ledger)
{
    for (struct kw_ledger_chain *chain = ledger->chains; chain != NULL; chain = chain->next) {
        if (chain->signing) {
            return;
        }
    }
    if (ledger->closing && ledger->closed != NULL) {
        void (*closed)(void *context) = ledger->closed;

        ledger->closed = NULL;
        for (struct kw_ledger_chain *chain = ledger->chains; chain != NULL; chain = chain->next) {
            kw_ledger_dismiss(chain);
        }
        kw_timer_close(&ledger->timer, NULL);
        closed(ledger->closed_context);
    }
}

static struct kw_result checkpoint_send(struct kw_ledger_chain *chain, struct kw_bytes signature,
                                        struct kw_error *err)
{
    Keyward__Internal__V1__CheckpointNotice notice = KEYWARD__INTERNAL__V1__CHECKPOINT_NOTICE__INIT;
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    KW_FAILPOINT(KW_FP_CORE_AFTER_CHECKPOINT, err);
    chain->checkpoint.signature = signature;
    KW_TRY(kw_checkpoint_encode(&chain->checkpoint, &record, err));
    notice.checkpoint = kw_field_bytes(kw_buf_bytes(&record));
    KW_ENSURE(kw_ledger_notify(chain, &notice), err, PEER_UNAVAILABLE,
              "no standing call for a checkpoint");
    chain->checkpoint_seq = chain->checkpoint.seq;
    return KW_OK;
}

static struct kw_result checkpoint_start(struct kw_ledger_chain *chain, struct kw_error *err);

/* An open checkpoint was under way when the process began to stop: the closed one follows it. */
static void close_chain(struct kw_ledger_chain *chain)
{
    struct kw_error error;

    if (chain->chain.seq > 0 && !chain->signing && !kw_ok(checkpoint_start(chain, &error))) {
        KW_LOG(WARN, "chain not closed", KW_F_ERR(&error));
    }
}

/* What could not be signed or sent is due again at the next tick: nothing is lost but time. */
static void signed_done(struct kw_hsm_call *call, const struct kw_hsm_answer *answers, size_t count)
{
    struct kw_ledger_chain *chain = KW_CONTAINER_OF(call, struct kw_ledger_chain, hsm_call);
    struct kw_error error = answers[0].error;
    struct kw_result result = answers[0].result;

    (void)count;
    chain->signing = false;
    if (kw_ok(result)) {
        kw_metric_add(KW_M_CHECKPOINTS, NULL, 1);
        result = checkpoint_send(chain, answers[0].signature, &error);
    }
    if (!kw_ok(result)) {
        KW_LOG(WARN, "checkpoint not issued", KW_F_U64("seq", chain->checkpoint.seq),
               KW_F_ERR(&error));
    }
    if (chain->ledger->closing && !chain->checkpoint.closed) {
        close_chain(chain);
    }
    closed_if_idle(chain->ledger);
}

static struct kw_result checkpoint_start(struct kw_ledger_chain *chain, struct kw_error *err)
{
    struct kw_hsm_request request = {.op = KW_HSM_SIGN_CHECKPOINT};
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    KW_FAILPOINT(KW_FP_CORE_BEFORE_CHECKPOINT, err);
    chain->checkpoint = (struct kw_checkpoint){
        .core = chain->chain.core,
        .stream = chain->chain.stream,
        .seq = chain->chain.seq,
        .head = chain->chain.head,
        .time_ms = kw_clock_wall_ms(),
        .closed = chain->ledger->closing,
    };
    KW_TRY(kw_checkpoint_content(&chain->checkpoint, &content, err));
    request.checkpoint.content = kw_buf_bytes(&content);
    chain->hsm_call.deadline_ns = kw_clock_mono_ns() + KW_LEDGER_SIGN_MS * KW_NS_PER_MS;
    chain->hsm_call.done = signed_done;
    KW_TRY(kw_hsm_submit(chain->ledger->hsm, &chain->hsm_call, &request, 1, err));
    chain->signing = true;
    chain->checkpoint_ns = kw_clock_mono_ns();
    return KW_OK;
}

void kw_ledger_checkpoint_if_due(struct kw_ledger_chain *chain)
{
    uint64_t news = chain->chain.seq - chain->checkpoint_seq;
    bool old =
        kw_clock_mono_ns() - chain->checkpoint_ns >= KW_CHECKPOINT_INTERVAL_MS * KW_NS_PER_MS;
    struct kw_error error;

    if (news == 0 || chain->signing || chain->standing == NULL ||
        !(old || news >= KW_CHECKPOINT_RECEIPTS)) {
        return;
    }
    if (!kw_ok(checkpoint_start(chain, &error))) {
        KW_LOG(WARN, "checkpoint not signed", KW_F_ERR(&error));
    }
}

void kw_ledger_close(struct kw_ledger *ledger, void (*closed)(void *context), void *context)
{
    ledger->closing = true;
    ledger->closed = closed;
    ledger->closed_context = context;
    kw_timer_stop(&ledger->timer);
    for (struct kw_ledger_chain *chain = ledger->chains; chain != NULL; chain = chain->next) {
        close_chain(chain);
    }
    closed_if_idle(ledger);
}
