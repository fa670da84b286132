/* The chain side of the link: receipts through their window, acknowledgements, and the end when
 * they do not fit. */
#include "services/orchestrator/core_link_internal.h"

#include "common/base/container.h"
#include "common/base/log.h"

#include <stdlib.h>

struct kw_receipt_window *kw_core_window(const struct kw_core_link *link, struct kw_id core)
{
    for (size_t i = 0; i < KW_CORE_BOOTS_MAX && link->windows[i] != NULL; i++) {
        if (kw_id_equal(link->windows[i]->at.core, core)) {
            return link->windows[i];
        }
    }
    return NULL;
}

/* --- giving up --- */

static void tell(struct kw_receipt_entry *entry, struct kw_result result,
                 const struct kw_error *error)
{
    struct kw_core_receipt *receipt = KW_CONTAINER_OF(entry, struct kw_core_receipt, entry);

    receipt->turn(receipt, result, error);
}

void kw_core_window_give_up(struct kw_receipt_window *window)
{
    struct kw_receipt_entry *entry;

    while ((entry = kw_window_flush(window)) != NULL) {
        struct kw_error error = {0};
        struct kw_result result =
            KW_MAKE(&error, PEER_UNAVAILABLE, "the receipts before %llu are missing",
                    (unsigned long long)entry->receipt.seq);

        tell(entry, result, &error);
    }
}

static void break_window(struct kw_core_link *link, struct kw_receipt_window *window,
                         const struct kw_error *error)
{
    window->broken = true;
    kw_core_link_publish(link);
    KW_LOG(ERROR, "receipt chain broken, no calls until one of us has started anew",
           KW_F_HEX("core", kw_id_bytes(&window->at.core)), KW_F_U64("seq", window->at.seq),
           KW_F_ERR(error));
    kw_core_window_give_up(window);
}

void kw_core_link_break(struct kw_core_link *link, struct kw_id core, const struct kw_error *error)
{
    struct kw_receipt_window *window = kw_core_window(link, core);

    if (window != NULL && !window->broken) {
        break_window(link, window, error);
    }
}

/* --- lives of the core --- */

struct kw_result kw_core_window_open(struct kw_core_link *link, struct kw_id core,
                                     struct kw_error *err)
{
    struct kw_receipt_window *oldest = link->windows[KW_CORE_BOOTS_MAX - 1];
    struct kw_receipt_window *window;

    if (kw_core_window(link, core) != NULL) {
        return KW_OK;
    }
    window = calloc(1, sizeof(*window));
    KW_ENSURE(window != NULL, err, MEMORY, "receipt window");
    kw_window_init(window, core, link->boot_id);
    if (oldest != NULL) {
        kw_core_window_give_up(oldest);
        free(oldest);
    }
    for (size_t i = KW_CORE_BOOTS_MAX - 1; i > 0; i--) {
        link->windows[i] = link->windows[i - 1];
    }
    link->windows[0] = window;
    return KW_OK;
}

/* --- in --- */

static void watch_gap(struct kw_core_link *link, const struct kw_receipt_window *window)
{
    if (window->parked == 0) {
        kw_timer_stop(&link->gap_timer);
    } else {
        kw_timer_start(&link->gap_timer, KW_CORE_GAP_MS, 0);
    }
}

/* Tells everybody whose turn has come. */
static void turn_all(struct kw_core_link *link, struct kw_receipt_window *window)
{
    struct kw_error error = {0};

    for (;;) {
        struct kw_receipt_entry *entry;

        if (!kw_ok(kw_window_next(window, &entry, &error))) {
            break_window(link, window, &error);
            return;
        }
        if (entry == NULL) {
            break;
        }
        tell(entry, KW_OK, NULL);
    }
    watch_gap(link, window);
}

static struct kw_result offer(struct kw_core_link *link, struct kw_receipt_window *window,
                              struct kw_receipt_entry *entry, bool *ret_known, struct kw_error *err)
{
    bool was_broken = window->broken;
    struct kw_error error = {0};
    struct kw_result result = kw_window_offer(window, entry, ret_known, &error);

    if (!kw_ok(result)) {
        if (!was_broken) {
            break_window(link, window, &error);
        }
        KW_FAIL(err, PEER_UNAVAILABLE, "%s", error.message);
    }
    return KW_OK;
}

struct kw_result kw_core_receipt_offer(struct kw_core_link *link, struct kw_core_receipt *receipt,
                                       struct kw_bytes record, bool *ret_known,
                                       struct kw_error *err)
{
    struct kw_receipt_entry *entry = &receipt->entry;
    struct kw_receipt_window *window;
    struct kw_error error = {0};

    entry->record = record;
    if (!kw_ok(kw_receipt_decode(record, &entry->receipt, &error))) {
        kw_core_link_break(link, link->core, &error);
        KW_FAIL(err, PEER_UNAVAILABLE, "%s", error.message);
    }
    window = kw_core_window(link, entry->receipt.core);
    KW_ENSURE(window != NULL, err, PEER_UNAVAILABLE, "a receipt of a core we are not connected to");
    KW_TRY(offer(link, window, entry, ret_known, err));
    if (!*ret_known) {
        turn_all(link, window);
        return KW_OK;
    }
    KW_ENSURE(entry->receipt.seq <= window->at.seq, err, PEER_UNAVAILABLE,
              "another copy of receipt %llu waits for its turn",
              (unsigned long long)entry->receipt.seq);
    return kw_receipt_head(record, &entry->head, err);
}

void kw_core_gap_fire(struct kw_timer *timer)
{
    struct kw_core_link *link = KW_CONTAINER_OF(timer, struct kw_core_link, gap_timer);

    for (size_t i = 0; i < KW_CORE_BOOTS_MAX && link->windows[i] != NULL; i++) {
        struct kw_receipt_window *window = link->windows[i];
        struct kw_error error = {0};

        if (window->parked == 0 || window->broken) {
            continue;
        }
        KW_IGNORE(KW_MAKE(&error, PEER_UNAVAILABLE, "receipt %llu did not come within %u ms",
                          (unsigned long long)window->at.seq + 1, KW_CORE_GAP_MS));
        break_window(link, window, &error);
    }
}

/* --- durable --- */

bool kw_core_link_head(const struct kw_core_link *link, struct kw_witness *ret_head)
{
    const struct kw_receipt_window *window = kw_core_window(link, link->core);

    if (window == NULL || window->durable == 0) {
        return false;
    }
    *ret_head = (struct kw_witness){
        .core = window->at.core, .stream = window->at.stream, .seq = window->durable};
    kw_copy(ret_head->head, window->durable_head.bytes, sizeof(ret_head->head));
    return true;
}

void kw_core_link_durable(struct kw_core_link *link, const struct kw_receipt *receipt)
{
    struct kw_receipt_window *window = kw_core_window(link, receipt->core);

    if (window != NULL) {
        kw_window_durable(window, receipt->seq);
        kw_loop_mark(link->loop, &link->ack_flush);
    }
}
