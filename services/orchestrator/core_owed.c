/* Receipts that are owed: the core has done its part and the store had no room for the receipt. They
 * are kept here and tried again, in order, until they are stored; the core keeps its copies until
 * then, for they are not acknowledged. */
#include "services/orchestrator/core_link_internal.h"

#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "services/orchestrator/receipt_log.h"

#include <stdlib.h>
#include <string.h>

struct kw_owed {
    struct kw_owed *next;
    struct kw_core_link *link;
    struct kw_arena *arena;
    struct kw_receipt_entry entry;
    const char *parent; /* NULL: none */
    struct kw_store_job job;
    bool running;
    bool stored;
    bool lost; /* given up while it was running */
};

static void owed_free(struct kw_owed *owed)
{
    struct kw_core_link *link = owed->link;

    kw_arena_free(owed->arena);
    free(owed);
    link->notices--;
    kw_core_link_finish(link);
}

static void try_later(struct kw_core_link *link)
{
    if (link->owed != NULL && !link->closing) {
        kw_timer_start(&link->owed_timer, KW_CORE_RETRY_MS, 0);
    }
}

/* --- storing --- */

static struct kw_result store_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_owed *owed = KW_CONTAINER_OF(job, struct kw_owed, job);

    return kw_receipt_log_put(tx, &owed->entry, owed->parent, err);
}

/* Takes out those that nobody stores now: of this core, or with NULL all. */
static void drop(struct kw_core_link *link, const struct kw_id *core)
{
    struct kw_owed **place = &link->owed;

    while (*place != NULL) {
        struct kw_owed *owed = *place;

        bool meant = core == NULL || kw_id_equal(owed->entry.receipt.core, *core);

        owed->lost = owed->lost || (core != NULL && meant);
        if (owed->running || !meant) {
            place = &owed->next;
            continue;
        }
        *place = owed->next;
        owed_free(owed);
    }
    link->owed_end = place;
}

/* Trying again does not help: what the store holds does not go with it. Nor do those after it in its
 * chain. */
static void give_up(struct kw_owed *owed, const struct kw_error *error)
{
    struct kw_core_link *link = owed->link;
    struct kw_id core = owed->entry.receipt.core;

    KW_LOG(ERROR, "an owed receipt can't be stored", KW_F_U64("seq", owed->entry.receipt.seq),
           KW_F_ERR(error));
    kw_core_link_break(link, core, error);
    drop(link, &core);
}

/* They come back in the order in which they were handed in, so the first one goes first. */
static void drop_stored(struct kw_core_link *link)
{
    while (link->owed != NULL && link->owed->stored) {
        struct kw_owed *owed = link->owed;

        link->owed = owed->next;
        if (link->owed == NULL) {
            link->owed_end = &link->owed;
            KW_LOG(INFO, "owed receipts are stored");
        }
        owed_free(owed);
    }
}

static void store_done(struct kw_store_job *job)
{
    struct kw_owed *owed = KW_CONTAINER_OF(job, struct kw_owed, job);
    struct kw_core_link *link = owed->link;

    owed->running = false;
    owed->stored = kw_ok(job->result);
    if (owed->stored) {
        kw_core_link_durable(link, &owed->entry.receipt);
    } else if (owed->lost || !kw_store_may_pass(link->store, job->result.reason)) {
        struct kw_error error = job->error; /* it goes with its receipt */

        give_up(owed, &error);
    }
    drop_stored(link);
    try_later(link);
    if (link->closing) {
        kw_core_owed_drop(link);
    }
}

static bool store(struct kw_owed *owed)
{
    owed->job = (struct kw_store_job){.run = store_run, .done = store_done, .vital = true};
    owed->running = kw_ok(kw_store_write(owed->link->store, &owed->job, NULL));
    return owed->running;
}

void kw_core_owed_fire(struct kw_timer *timer)
{
    struct kw_core_link *link = KW_CONTAINER_OF(timer, struct kw_core_link, owed_timer);

    for (struct kw_owed *owed = link->owed; owed != NULL; owed = owed->next) {
        if (!owed->running && !owed->stored && !store(owed)) {
            try_later(link);
            return;
        }
    }
}

/* --- owing --- */

/* Of its own memory all of it: who hands it in goes on. */
static struct kw_result owed_fill(struct kw_owed *owed, const struct kw_receipt_entry *entry,
                                  const char *parent, struct kw_error *err)
{
    owed->entry.head = entry->head;
    owed->arena = kw_arena_new(2 * KW_BODY_LEN_MAX);
    KW_ENSURE(owed->arena != NULL, err, MEMORY, "an owed receipt");
    if (parent != NULL) {
        owed->parent = kw_arena_text(owed->arena, parent, strlen(parent));
        KW_ENSURE(owed->parent != NULL, err, MEMORY, "an owed receipt");
    }
    KW_TRY(kw_arena_copy(owed->arena, entry->record, &owed->entry.record, err));
    return kw_receipt_decode(owed->entry.record, &owed->entry.receipt, err);
}

static struct kw_result owed_new(struct kw_core_link *link, const struct kw_receipt_entry *entry,
                                 const char *parent, struct kw_owed **ret_owed,
                                 struct kw_error *err)
{
    struct kw_owed *owed = calloc(1, sizeof(*owed));
    struct kw_result filled;

    KW_ENSURE(owed != NULL, err, MEMORY, "an owed receipt");
    owed->link = link;
    filled = owed_fill(owed, entry, parent, err);
    if (!kw_ok(filled)) {
        kw_arena_free(owed->arena);
        free(owed);
        return filled;
    }
    *ret_owed = owed;
    return KW_OK;
}

void kw_core_receipt_unstored(struct kw_core_link *link, const struct kw_receipt_entry *entry,
                              const char *parent, const struct kw_error *error)
{
    struct kw_error own = *error;
    struct kw_owed *owed;

    if (!kw_store_may_pass(link->store, error->reason) ||
        !kw_ok(owed_new(link, entry, parent, &owed, &own))) {
        kw_core_link_break(link, entry->receipt.core, &own);
        return;
    }
    if (link->owed == NULL) {
        KW_LOG(WARN, "a receipt can't be stored now", KW_F_U64("seq", entry->receipt.seq));
    }
    link->notices++;
    *link->owed_end = owed;
    link->owed_end = &owed->next;
    try_later(link);
}

void kw_core_owed_drop(struct kw_core_link *link)
{
    drop(link, NULL);
}
