/* Receipt chains: issuing, acknowledging, re-sending. Checkpoints are in ledger_checkpoint.c. */
#include "services/cryptocore/ledger_internal.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"

#include <stdlib.h>

#define NS_PER_MS 1000000ULL

struct kw_ledger_chain *kw_ledger_find(struct kw_ledger *ledger, struct kw_id stream)
{
    for (struct kw_ledger_chain *chain = ledger->chains; chain != NULL; chain = chain->next) {
        if (kw_id_equal(chain->chain.stream, stream)) {
            return chain;
        }
    }
    return NULL;
}

static struct kw_result chain_get(struct kw_ledger *ledger, struct kw_id stream,
                                  struct kw_ledger_chain **ret_chain, struct kw_error *err)
{
    struct kw_ledger_chain *chain = kw_ledger_find(ledger, stream);

    if (chain == NULL) {
        KW_ENSURE(ledger->chain_count < KW_LEDGER_CHAINS_MAX, err, LIMIT_REACHED,
                  "%d receipt chains", KW_LEDGER_CHAINS_MAX);
        chain = calloc(1, sizeof(*chain));
        KW_ENSURE(chain != NULL, err, MEMORY, "receipt chain");
        chain->ledger = ledger;
        chain->chain.core = ledger->boot_id;
        chain->chain.stream = stream;
        chain->unacked_tail = &chain->unacked;
        chain->next = ledger->chains;
        ledger->chains = chain;
        ledger->chain_count++;
    }
    *ret_chain = chain;
    return KW_OK;
}

/* A witness of another boot or stream knows nothing of this chain: it stands at zero. */
static uint64_t witnessed_seq(const struct kw_ledger_chain *chain, const struct kw_witness *witness)
{
    bool ours = kw_id_equal(witness->core, chain->chain.core) &&
                kw_id_equal(witness->stream, chain->chain.stream);

    return ours ? witness->seq : 0;
}

struct kw_result kw_ledger_admit(struct kw_ledger *ledger, struct kw_id stream,
                                 const struct kw_witness *witness, struct kw_error *err)
{
    struct kw_ledger_chain *chain;
    uint64_t seen;
    uint64_t now = kw_clock_mono_ns();

    KW_TRY(chain_get(ledger, stream, &chain, err));
    seen = witnessed_seq(chain, witness);
    KW_ENSURE(chain->unacked_count < KW_LEDGER_UNACKED_MAX, err, RECEIPT_LAG,
              "%zu receipts unacknowledged", chain->unacked_count);
    KW_ENSURE(seen <= chain->chain.seq, err, CAPSULE_INVALID,
              "a witness of receipts that were never issued");
    KW_ENSURE(chain->chain.seq - seen <= KW_WITNESS_LAG_RECEIPTS_MAX, err, RECEIPT_LAG,
              "witness lags %llu receipts", (unsigned long long)(chain->chain.seq - seen));
    if (seen < chain->chain.seq) {
        uint64_t oldest = chain->issued_ns[(seen + 1) % KW_LEDGER_TIMES];

        KW_ENSURE(now - oldest <= KW_WITNESS_LAG_MS_MAX * NS_PER_MS, err, RECEIPT_LAG,
                  "receipt %llu is not witnessed for %llu ms", (unsigned long long)(seen + 1),
                  (unsigned long long)((now - oldest) / NS_PER_MS));
    }
    return KW_OK;
}

struct kw_result kw_ledger_issue(struct kw_ledger *ledger, struct kw_id stream,
                                 struct kw_receipt *receipt, struct kw_bytes *ret_record,
                                 struct kw_error *err)
{
    struct kw_ledger_chain *chain;
    struct kw_ledger_entry *entry = calloc(1, sizeof(*entry));
    struct kw_result result;

    KW_ENSURE(entry != NULL, err, MEMORY, "receipt");
    result = chain_get(ledger, stream, &chain, err);
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
    *chain->unacked_tail = entry;
    chain->unacked_tail = &entry->next;
    chain->unacked_count++;
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
        if (now - entry->sent_ns >= KW_LEDGER_RESEND_MS * NS_PER_MS && !entry_send(chain, entry)) {
            return;
        }
    }
}

static void acknowledge(struct kw_ledger_chain *chain, uint64_t seq)
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
    } else {
        acknowledge(chain, ack->seq);
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

    if (!kw_ok(chain_get(ledger, stream, &chain, NULL))) {
        kw_hop_finish(
            call,
            &(struct kw_hop_status){.reason = KW_E_LIMIT_REACHED, .field = "", .description = ""},
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
        acknowledge(chain, UINT64_MAX);
        free(chain);
    }
    free(ledger);
}
