/* The order of one receipt chain. */
#include "services/orchestrator/receipt_window.h"

#include <assert.h>

static struct kw_window_slot *slot_of(struct kw_receipt_window *window, uint64_t seq)
{
    return &window->slots[seq % KW_RECEIPT_WINDOW_LEN];
}

void kw_window_init(struct kw_receipt_window *window, struct kw_id core, struct kw_id stream)
{
    *window = (struct kw_receipt_window){.at = {.core = core, .stream = stream}};
}

static struct kw_result check_place(const struct kw_receipt_window *window,
                                    const struct kw_receipt *receipt, struct kw_error *err)
{
    KW_ENSURE(kw_id_equal(receipt->core, window->at.core) &&
                  kw_id_equal(receipt->stream, window->at.stream),
              err, ENCODING_INVALID, "a receipt of another chain");
    KW_ENSURE(receipt->seq <= window->durable + KW_RECEIPT_WINDOW_LEN, err, ENCODING_INVALID,
              "receipt %llu comes far ahead of %llu", (unsigned long long)receipt->seq,
              (unsigned long long)window->durable);
    return KW_OK;
}

struct kw_result kw_window_offer(struct kw_receipt_window *window, struct kw_receipt_entry *entry,
                                 bool *ret_known, struct kw_error *err)
{
    uint64_t seq = entry->receipt.seq;
    struct kw_window_slot *slot = slot_of(window, seq);
    struct kw_result placed;

    KW_ENSURE(!window->broken, err, PEER_UNAVAILABLE, "the receipt chain is broken");
    placed = check_place(window, &entry->receipt, err);
    if (!kw_ok(placed)) {
        window->broken = true;
        return placed;
    }
    if (seq <= window->at.seq || slot->state == KW_WINDOW_PARKED) {
        *ret_known = true;
        return KW_OK;
    }
    assert(slot->state == KW_WINDOW_EMPTY);
    *slot = (struct kw_window_slot){.state = KW_WINDOW_PARKED, .entry = entry};
    window->parked++;
    *ret_known = false;
    return KW_OK;
}

struct kw_result kw_window_next(struct kw_receipt_window *window,
                                struct kw_receipt_entry **ret_entry, struct kw_error *err)
{
    struct kw_window_slot *slot = slot_of(window, window->at.seq + 1);
    struct kw_receipt_entry *entry = slot->entry;

    if (window->broken || slot->state != KW_WINDOW_PARKED) {
        *ret_entry = NULL;
        return KW_OK;
    }
    if (!kw_bytes_equal(KW_BYTES_OF(entry->receipt.prev.bytes),
                        KW_BYTES_OF(window->at.head.bytes))) {
        window->broken = true;
        KW_FAIL(err, ENCODING_INVALID, "receipt %llu is not on the head before it",
                (unsigned long long)entry->receipt.seq);
    }
    KW_TRY(kw_receipt_head(entry->record, &entry->head, err));
    window->at.seq++;
    window->at.head = entry->head;
    window->parked--;
    *slot = (struct kw_window_slot){.state = KW_WINDOW_TAKEN, .head = entry->head};
    *ret_entry = entry;
    return KW_OK;
}

void kw_window_durable(struct kw_receipt_window *window, uint64_t seq)
{
    if (seq <= window->durable || seq > window->at.seq) {
        return;
    }
    slot_of(window, seq)->state = KW_WINDOW_DURABLE;
    while (slot_of(window, window->durable + 1)->state == KW_WINDOW_DURABLE) {
        window->durable++;
        window->durable_head = slot_of(window, window->durable)->head;
        slot_of(window, window->durable)->state = KW_WINDOW_EMPTY;
    }
}

struct kw_receipt_entry *kw_window_flush(struct kw_receipt_window *window)
{
    for (uint64_t i = 0; window->parked > 0 && i < KW_RECEIPT_WINDOW_LEN; i++) {
        struct kw_window_slot *slot = &window->slots[i];

        if (slot->state == KW_WINDOW_PARKED) {
            struct kw_receipt_entry *entry = slot->entry;

            *slot = (struct kw_window_slot){0};
            window->parked--;
            return entry;
        }
    }
    return NULL;
}
