/* Receipts: issuing, acknowledging, re-sending. */
#include "services/cryptocore/ledger_internal.h"

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"

#include <stdlib.h>

struct kw_result kw_ledger_issue(struct kw_ledger *ledger, struct kw_id stream,
                                 struct kw_receipt *receipt, struct kw_bytes *ret_record,
                                 struct kw_error *err)
{
    struct kw_ledger_chain *chain;
    struct kw_ledger_entry *entry = calloc(1, sizeof(*entry));
    struct kw_result result;

    KW_ENSURE(entry != NULL, err, MEMORY, "receipt");
    result = kw_ledger_get(ledger, stream, &chain, err);
    if (kw_ok(result)) {
        result = kw_chain_issue(&chain->chain, receipt, &entry->record, err);
    }
    if (!kw_ok(result)) {
        kw_buf_done(&entry->record);
        free(entry);
        return result;
    }
    entry->seq = chain->chain.seq;
    entry->sent_ns = kw_clock_mono_ns();
    chain->issued_ns[entry->seq % KW_LEDGER_TIMES] = entry->sent_ns;
    chain->heads[entry->seq % KW_LEDGER_TIMES] = chain->chain.head;
    *chain->unacked_tail = entry;
    chain->unacked_tail = &entry->next;
    chain->unacked_count++;
    kw_metric_add(KW_M_RECEIPTS, NULL, 1);
    *ret_record = kw_buf_bytes(&entry->record);
    return KW_OK;
}

/* Sends one entry on the standing call; without credit or call it waits for the next tick. */
static bool entry_send(struct kw_ledger_chain *chain, struct kw_ledger_entry *entry)
{
    Keyward__Internal__V1__CheckpointNotice notice = KEYWARD__INTERNAL__V1__CHECKPOINT_NOTICE__INIT;

    notice.receipt = kw_field_bytes(kw_buf_bytes(&entry->record));
    if (!kw_ledger_notify(chain, &notice)) {
        return false;
    }
    entry->sent_ns = kw_clock_mono_ns();
    return true;
}

void kw_ledger_resend(struct kw_ledger *ledger, struct kw_id stream, uint64_t seq)
{
    struct kw_ledger_chain *chain = kw_ledger_find(ledger, stream);

    for (struct kw_ledger_entry *entry = chain->unacked; entry != NULL; entry = entry->next) {
        if (entry->seq == seq) {
            (void)entry_send(chain, entry);
        }
    }
}

void kw_ledger_resend_old(struct kw_ledger_chain *chain)
{
    uint64_t now = kw_clock_mono_ns();

    for (struct kw_ledger_entry *entry = chain->unacked; entry != NULL; entry = entry->next) {
        if (now - entry->sent_ns >= KW_LEDGER_RESEND_MS * KW_NS_PER_MS &&
            !entry_send(chain, entry)) {
            return;
        }
    }
}

void kw_ledger_acknowledge(struct kw_ledger_chain *chain, uint64_t seq)
{
    while (chain->unacked != NULL && chain->unacked->seq <= seq) {
        struct kw_ledger_entry *entry = chain->unacked;

        chain->unacked = entry->next;
        if (chain->unacked == NULL) {
            chain->unacked_tail = &chain->unacked;
        }
        chain->unacked_count--;
        kw_buf_done(&entry->record);
        free(entry);
    }
}

static void standing_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct kw_ledger_chain *chain = user;
    Keyward__Internal__V1__ReceiptAck *ack =
        keyward__internal__v1__receipt_ack__unpack(NULL, item.data.len, item.data.data);

    kw_hop_consume(call, item.data.len);
    if (ack == NULL || ack->seq > chain->chain.seq) {
        KW_LOG(ERROR, "receipt acknowledgement makes no sense",
               KW_F_U64("issued", chain->chain.seq));
    } else if (!kw_failpoint_hit(KW_FP_CORE_BEFORE_FORGET)) {
        kw_ledger_acknowledge(chain, ack->seq);
        (void)kw_failpoint_hit(KW_FP_CORE_AFTER_FORGET); /* to die there; nothing can fail */
    }
    if (ack != NULL) {
        keyward__internal__v1__receipt_ack__free_unpacked(ack, NULL);
    }
}

static void standing_over(struct kw_hop_call *call, void *user)
{
    struct kw_ledger_chain *chain = user;

    if (chain->standing == call) {
        chain->standing = NULL;
        chain->active_ns = kw_clock_mono_ns();
    }
}

void kw_ledger_dismiss(struct kw_ledger_chain *chain)
{
    struct kw_hop_call *call = chain->standing;

    chain->standing = NULL;
    if (call != NULL) {
        kw_hop_finish(call,
                      &(struct kw_hop_status){.reason = KW_E_NONE, .field = "", .description = ""},
                      KW_BYTES_NONE);
    }
}

static void standing_end(struct kw_hop_call *call, void *user)
{
    (void)call;
    kw_ledger_dismiss(user);
}

static const struct kw_hop_events standing_events = {
    .data = standing_data,
    .end = standing_end,
    .cancel = standing_over,
};

void kw_ledger_serve(struct kw_ledger *ledger, struct kw_id stream, struct kw_hop_call *call)
{
    struct kw_ledger_chain *chain;
    struct kw_error error;
    struct kw_result result;

    result = kw_ledger_get(ledger, stream, &chain, &error);
    if (!kw_ok(result)) {
        KW_LOG(WARN, "receipts not served", KW_F_ERR(&error));
        kw_hop_finish(call,
                      &(struct kw_hop_status){.reason = kw_ledger_is_retired(ledger, stream)
                                                            ? KW_E_STATE_CONFLICT
                                                            : result.reason,
                                              .field = "",
                                              .description = ""},
                      KW_BYTES_NONE);
        return;
    }
    kw_ledger_dismiss(chain);
    chain->standing = call;
    kw_hop_serve(call, &standing_events, chain);
    kw_ledger_resend_old(chain);
}

static void tick(struct kw_timer *timer)
{
    struct kw_ledger *ledger = KW_CONTAINER_OF(timer, struct kw_ledger, timer);

    for (struct kw_ledger_chain *chain = ledger->chains; chain != NULL; chain = chain->next) {
        kw_ledger_resend_old(chain);
        kw_ledger_checkpoint_if_due(chain);
    }
}

struct kw_result kw_ledger_new(struct kw_loop *loop, struct kw_id boot_id, struct kw_hsm_pool *hsm,
                               struct kw_ledger **ret_ledger, struct kw_error *err)
{
    struct kw_ledger *ledger = calloc(1, sizeof(*ledger));

    KW_ENSURE(ledger != NULL, err, MEMORY, "ledger");
    ledger->boot_id = boot_id;
    ledger->hsm = hsm;
    kw_timer_init(&ledger->timer, loop, tick);
    kw_timer_start(&ledger->timer, KW_LEDGER_TICK_MS, KW_LEDGER_TICK_MS);
    *ret_ledger = ledger;
    return KW_OK;
}

void kw_ledger_free(struct kw_ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    while (ledger->chains != NULL) {
        struct kw_ledger_chain *chain = ledger->chains;

        ledger->chains = chain->next;
        kw_ledger_chain_free(chain);
    }
    kw_buf_done(&ledger->retired);
    free(ledger);
}
