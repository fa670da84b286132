/* The standing call RECEIPTS: acknowledgements out; checkpoints and forgotten receipts in, which
 * are stored here. */
#include "services/orchestrator/core_link_internal.h"

#include "common/audit/checkpoint.h"
#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/failpoint.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/rpc/messages.h"
#include "common/rpc/methods.h"
#include "services/orchestrator/chain_table.h"
#include "services/orchestrator/receipt_head_feed.h"
#include "services/orchestrator/receipt_log.h"

#include <stdlib.h>

/* Something the core told on the standing call, until it is durable. */
struct notice {
    struct kw_core_link *link;
    struct kw_arena *arena;
    struct kw_store_job job;
    struct kw_core_receipt receipt;
    struct kw_checkpoint checkpoint;
    struct kw_bytes record;
    size_t len; /* to be returned as credit */
};

static void notice_free(struct notice *notice)
{
    struct kw_core_link *link = notice->link;

    if (link->standing != NULL) {
        kw_hop_consume(link->standing, notice->len);
    }
    kw_arena_free(notice->arena);
    free(notice);
    link->notices--;
    kw_core_link_finish(link);
}

/* --- a receipt whose answer found nobody waiting --- */

static struct kw_result store_receipt(struct kw_store_job *job, struct kw_tx *tx,
                                      struct kw_error *err)
{
    struct notice *notice = KW_CONTAINER_OF(job, struct notice, job);

    return kw_receipt_log_put(tx, &notice->receipt.entry, NULL, err);
}

static void store_receipt_done(struct kw_store_job *job)
{
    struct notice *notice = KW_CONTAINER_OF(job, struct notice, job);
    const struct kw_receipt *receipt = &notice->receipt.entry.receipt;

    if (kw_ok(job->result)) {
        kw_core_link_durable(notice->link, receipt);
    } else {
        kw_core_receipt_unstored(notice->link, &notice->receipt.entry, NULL, &job->error);
    }
    notice_free(notice);
}

static void receipt_turn(struct kw_core_receipt *receipt, struct kw_result result,
                         const struct kw_error *error)
{
    struct notice *notice = KW_CONTAINER_OF(receipt, struct notice, receipt);
    struct kw_error refused = {0};

    (void)error; /* the link has logged why */
    if (!kw_ok(result)) {
        notice_free(notice);
        return;
    }
    notice->job.run = store_receipt;
    notice->job.done = store_receipt_done;
    notice->job.vital = true;
    if (!kw_ok(kw_store_write(notice->link->store, &notice->job, &refused))) {
        kw_core_receipt_unstored(notice->link, &receipt->entry, NULL, &refused);
        notice_free(notice);
    }
}

static void take_receipt(struct notice *notice)
{
    struct kw_core_link *link = notice->link;
    struct kw_error error = {0};
    bool known = false;
    struct kw_result result;

    notice->receipt.turn = receipt_turn;
    result = kw_core_receipt_offer(link, &notice->receipt, notice->record, &known, &error);
    if (kw_ok(result) && !known) {
        return; /* its turn came or will come */
    }
    if (kw_ok(result)) { /* sent again before our acknowledgement arrived */
        link->acked = 0;
        kw_loop_mark(link->loop, &link->ack_flush);
    }
    notice_free(notice);
}

/* --- a checkpoint --- */

static struct kw_result store_checkpoint(struct kw_store_job *job, struct kw_tx *tx,
                                         struct kw_error *err)
{
    struct notice *notice = KW_CONTAINER_OF(job, struct notice, job);
    const struct kw_feed_tx feed_tx = {.feed = notice->link->feed,
                                       .tx = tx,
                                       .arena = notice->arena,
                                       .wall_ms = kw_clock_wall_ms()};
    bool new;

    KW_FAILPOINT(KW_FP_ORCH_BEFORE_CHECKPOINT, err);
    KW_TRY(kw_checkpoint_insert(tx, &notice->checkpoint, notice->record, &new, err));
    if (new) {
        KW_TRY(kw_receipt_head_say(&feed_tx, &notice->checkpoint, notice->record, err));
    }
    KW_FAILPOINT(KW_FP_ORCH_AFTER_CHECKPOINT, err);
    return KW_OK;
}

/* A store that lives takes the next one; what this one vouches for the next one does, too. */
static void checkpoint_unstored(struct notice *notice, const struct kw_error *error)
{
    if (kw_store_may_pass(notice->link->store, error->reason)) {
        KW_LOG(WARN, "checkpoint not stored", KW_F_ERR(error));
    } else {
        kw_core_link_break(notice->link, notice->checkpoint.core, error);
    }
}

static void store_checkpoint_done(struct kw_store_job *job)
{
    struct notice *notice = KW_CONTAINER_OF(job, struct notice, job);

    if (!kw_ok(job->result)) {
        checkpoint_unstored(notice, &job->error);
    }
    notice_free(notice);
}

static struct kw_result check_checkpoint(struct notice *notice, struct kw_error *err)
{
    KW_TRY(kw_checkpoint_decode(notice->record, &notice->checkpoint, err));
    KW_ENSURE(kw_id_equal(notice->checkpoint.stream, notice->link->boot_id) &&
                  kw_core_window(notice->link, notice->checkpoint.core) != NULL,
              err, ENCODING_INVALID, "a checkpoint of another chain");
    notice->job.run = store_checkpoint;
    notice->job.done = store_checkpoint_done;
    notice->job.vital = true;
    return KW_OK;
}

static void take_checkpoint(struct notice *notice)
{
    struct kw_error error = {0};

    if (!kw_ok(check_checkpoint(notice, &error))) {
        kw_core_link_break(notice->link, notice->link->core, &error);
        notice_free(notice);
    } else if (!kw_ok(kw_store_write(notice->link->store, &notice->job, &error))) {
        checkpoint_unstored(notice, &error);
        notice_free(notice);
    }
}

/* --- the call --- */

static struct kw_result notice_read(struct notice *notice, struct kw_bytes data,
                                    bool *ret_is_receipt, struct kw_error *err)
{
    Keyward__Internal__V1__CheckpointNotice *message;
    struct kw_bytes copy;

    notice->arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    KW_ENSURE(notice->arena != NULL, err, MEMORY, "a notice of %zu bytes", data.len);
    KW_TRY(kw_arena_copy(notice->arena, data, &copy, err));
    KW_TRY(kw_message_unpack(&keyward__internal__v1__checkpoint_notice__descriptor, copy,
                             notice->arena, (ProtobufCMessage **)&message, err));
    *ret_is_receipt = message->receipt.len > 0;
    notice->record = kw_bytes_field(*ret_is_receipt ? message->receipt : message->checkpoint);
    return KW_OK;
}

static void standing_data(struct kw_hop_call *hop, struct kw_hop_item item, void *user)
{
    struct kw_core_link *link = user;
    struct notice *notice = calloc(1, sizeof(*notice));
    struct kw_error error = {0};
    bool is_receipt;

    if (notice == NULL) {
        kw_hop_consume(hop, item.data.len);
        return; /* the core sends it again */
    }
    notice->link = link;
    notice->len = item.data.len;
    link->notices++;
    if (!kw_ok(notice_read(notice, item.data, &is_receipt, &error))) {
        kw_core_link_break(link, link->core, &error);
        notice_free(notice);
    } else if (is_receipt) {
        take_receipt(notice);
    } else {
        take_checkpoint(notice);
    }
}

static void standing_writable(struct kw_hop_call *hop, void *user)
{
    struct kw_core_link *link = user;

    (void)hop;
    kw_loop_mark(link->loop, &link->ack_flush);
}

static void standing_status(struct kw_hop_call *hop, const struct kw_hop_status *status,
                            struct kw_bytes context, void *user)
{
    struct kw_core_link *link = user;

    (void)hop;
    (void)context;
    link->standing = NULL;
    if (status->reason == KW_E_STATE_CONFLICT) {
        struct kw_error error = {0};

        KW_IGNORE(KW_MAKE(&error, STATE_CONFLICT, "the core has given this stream up"));
        kw_core_link_break(link, link->core, &error);
    } else if (!link->closing) {
        kw_timer_start(&link->retry_timer, KW_CORE_RETRY_MS, 0);
    }
}

void kw_core_standing_open(struct kw_core_link *link)
{
    static const struct kw_hop_events events = {
        .data = standing_data, .writable = standing_writable, .status = standing_status};
    const struct kw_hop_open open = {.method = KW_METHOD_RECEIPTS, .deadline_ns = UINT64_MAX};
    struct kw_error error = {0};

    if (link->standing != NULL || !link->connected || link->closing) {
        return;
    }
    link->acked = 0;
    if (!kw_ok(kw_hop_open(link->client, &open, &events, link, &link->standing, &error))) {
        link->standing = NULL;
        kw_timer_start(&link->retry_timer, KW_CORE_RETRY_MS, 0);
        return;
    }
    kw_loop_mark(link->loop, &link->ack_flush);
}

void kw_core_standing_drop(struct kw_core_link *link)
{
    if (link->standing != NULL) {
        kw_hop_cancel(link->standing);
        link->standing = NULL;
    }
}

void kw_core_standing_retry(struct kw_timer *timer)
{
    kw_core_standing_open(KW_CONTAINER_OF(timer, struct kw_core_link, retry_timer));
}

/* Says how far the receipts of the present core are durable, if that is news. */
void kw_core_standing_ack(struct kw_flush *flush)
{
    struct kw_core_link *link = KW_CONTAINER_OF(flush, struct kw_core_link, ack_flush);
    const struct kw_receipt_window *window = kw_core_window(link, link->core);
    Keyward__Internal__V1__ReceiptAck ack = KEYWARD__INTERNAL__V1__RECEIPT_ACK__INIT;
    uint8_t bytes[16]; /* a tag and a varint */

    if (link->standing == NULL || window == NULL || window->durable == link->acked ||
        kw_failpoint_hit(KW_FP_ORCH_BEFORE_ACK)) {
        return;
    }
    ack.seq = window->durable;
    if (kw_hop_send(
            link->standing,
            (struct kw_hop_item){
                .data = KW_BYTES(bytes, keyward__internal__v1__receipt_ack__pack(&ack, bytes))})) {
        link->acked = window->durable;
        (void)kw_failpoint_hit(KW_FP_ORCH_AFTER_ACK); /* to die there; there is nothing to fail */
    }
}
