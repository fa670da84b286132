/* The common path: which step comes next, and what becomes of a call when one fails. The steps
 * themselves are admit.c, repeat.c, answer.c and the handlers. */
#include "services/orchestrator/call_internal.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/failpoint.h"
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/rpc/arena_proto.h"
#include "services/orchestrator/receipt_log.h"
#include "services/orchestrator/refused.h"

#include <stdlib.h>

#define TRIES_MAX 3

static void read_start(struct kw_call *call);
static void core_start(struct kw_call *call);
static void write_start(struct kw_call *call);
static void protect_start(struct kw_call *call);
static void answer(struct kw_call *call);

/* --- the end --- */

/* One of an unknown method has no row to be counted under. */
static void count_end(const struct kw_call *call)
{
    enum kw_reason reason = call->result.reason;

    kw_metric_add(KW_M_RPC_HANDLED, reason == KW_E_NONE ? "ok" : kw_reason_row(reason)->label, 1);
    if (call->method != NULL) {
        kw_metric_observe(KW_M_RPC_SECONDS, call->method->path,
                          (double)(kw_clock_mono_ns() - call->started_ns) / KW_NS_PER_S);
    }
}

/* The one place where a call dies. */
static void call_end(struct kw_call *call)
{
    struct kw_orch *orch = call->orch;

    count_end(call);
    kw_arena_free(call->page);
    kw_arena_free(call->arena);
    free(call);
    kw_orch_call_ended(orch);
}

static void refuse(struct kw_call *call, struct kw_result result)
{
    call->result = result;
    kw_call_refuse(call);
    call_end(call);
}

static void answer(struct kw_call *call)
{
    if (kw_failpoint_hit(KW_FP_ORCH_BEFORE_ANSWER)) {
        refuse(call, KW_MAKE(&call->error, SYSTEM, "failpoint: durable, not answered"));
        return;
    }
    if (kw_call_send(call)) {
        call_end(call);
    } else if (call->more && call->sent_count == call->message_count) {
        read_start(call);
    }
}

/* --- what the outer side does meanwhile --- */

static void outer_writable(struct kw_hop_call *outer, void *user)
{
    (void)outer;
    answer(user);
}

/* Nobody waits any more. A running step is finished: what it makes durable stays, its answer is
 * dropped. */
static void outer_cancelled(struct kw_hop_call *outer, void *user)
{
    struct kw_call *call = user;

    (void)outer;
    call->outer = NULL;
    if (call->sending) {
        call_end(call);
    }
}

/* --- read --- */

/* A page of a stream is made in memory of its own, so that a long stream needs no more than a short
 * one. */
static struct kw_result turn_page(struct kw_call *call, struct kw_error *err)
{
    struct kw_arena *page = kw_arena_new(KW_REQUEST_ARENA_MAX);

    KW_ENSURE(page != NULL, err, MEMORY, "a page");
    kw_arena_free(call->page);
    call->page = page;
    kw_view_init(&call->view, page);
    return KW_OK;
}

static struct kw_result read_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_call *call = KW_CONTAINER_OF(job, struct kw_call, job);

    KW_TRY(kw_call_find_repeat(call, tx, err));
    if (call->answered || call->handler->read == NULL) {
        return KW_OK;
    }
    if (call->more) {
        KW_TRY(turn_page(call, err));
    }
    call->more = false;
    return call->handler->read(call, tx, err);
}

static void read_done(struct kw_store_job *job)
{
    struct kw_call *call = KW_CONTAINER_OF(job, struct kw_call, job);

    if (!kw_ok(job->result)) {
        call->error = job->error;
        refuse(call, job->result);
    } else if (call->answered) {
        call->sending = true;
        answer(call);
    } else if (call->outer == NULL) {
        call_end(call); /* given up before anything happened */
    } else if (call->ask_core) {
        core_start(call);
    } else {
        write_start(call);
    }
}

static void read_start(struct kw_call *call)
{
    struct kw_result started;

    call->sending = false;
    call->answered = false;
    call->message_count = 0;
    call->sent_count = 0;
    call->job = (struct kw_store_job){.run = read_run, .done = read_done};
    started = kw_store_read(call->orch->store, &call->job, &call->error);
    if (!kw_ok(started)) {
        refuse(call, started);
    }
}

/* --- core --- */

/* Nothing to store; and an answer there is, whether or not the core gave one. */
static void relay(struct kw_call *call)
{
    struct kw_result relayed = call->handler->relay(call, &call->error);

    if (!kw_ok(relayed)) {
        refuse(call, relayed);
        return;
    }
    call->sending = true;
    answer(call);
}

static void core_done(struct kw_core_call *core)
{
    struct kw_call *call = KW_CONTAINER_OF(core, struct kw_call, core);

    if (call->handler->relay != NULL) {
        relay(call);
        return;
    }
    if (!kw_ok(core->result)) {
        call->error = core->error;
        call->field = core->field;
        refuse(call, core->result);
        return;
    }
    call->has_receipt = core->needs_receipt;
    write_start(call);
}

/* The core sees the caller's own bytes, which the capsule hashes. */
static struct kw_result core_ask(struct kw_call *call, struct kw_error *err)
{
    struct kw_core_question question = {.method = (uint32_t)call->method->id,
                                        .deadline_ns = call->deadline_ns,
                                        .trace = call->trace,
                                        .context = call->context};

    call->question.body.data = (uint8_t *)(uintptr_t)call->body.data;
    call->question.body.len = call->body.len;
    if (call->handler->relay != NULL) { /* an inner layer that is silent leaves us time to say so */
        question.deadline_ns -= (call->deadline_ns - kw_clock_mono_ns()) / 4;
    }
    KW_TRY(kw_view_pack(&call->view, &call->question.base, &question.data, err));
    call->core.arena = call->arena;
    call->core.needs_receipt = call->method->audit == KW_AUDIT_KEY;
    call->core.done = core_done;
    return kw_core_call_start(call->orch->link, &call->core, &question, err);
}

static void core_start(struct kw_call *call)
{
    struct kw_result asked = core_ask(call, &call->error);

    if (!kw_ok(asked) && call->handler->relay != NULL) {
        relay(call);
    } else if (!kw_ok(asked)) {
        refuse(call, asked);
    }
}

/* --- write --- */

/* Did the store fail us, or was the request refused? After a refusal nothing but the receipt has
 * been written. */
static bool is_store_failure(enum kw_reason reason)
{
    static const enum kw_reason failures[] = {
        KW_E_STORE_UNAVAILABLE, KW_E_STORE_FULL, KW_E_STORE_CONFLICT, KW_E_ALREADY_EXISTS,
        KW_E_INTERNAL,          KW_E_SYSTEM,     KW_E_MEMORY,         KW_E_CRYPTO,
        KW_E_ENCODING_INVALID,
    };

    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (reason == failures[i]) {
            return true;
        }
    }
    return false;
}

static struct kw_result put_receipt(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    return call->has_receipt
               ? kw_receipt_log_put(tx, &call->core.receipt.entry, call->invitation_parent, err)
               : KW_OK;
}

/* Receipt or not, the effect comes once: another call with the same request id may have been
 * faster. */
static struct kw_result write_effect(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    KW_TRY(kw_call_find_repeat(call, tx, err));
    if (call->answered || call->handler->write == NULL) {
        return KW_OK;
    }
    KW_FAILPOINT(KW_FP_ORCH_BEFORE_EFFECT, err);
    KW_TRY(call->handler->write(call, tx, err));
    KW_TRY(kw_call_keep(call, err));
    KW_FAILPOINT(KW_FP_ORCH_AFTER_EFFECT, err);
    return KW_OK;
}

static struct kw_result write_run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_call *call = KW_CONTAINER_OF(job, struct kw_call, job);

    call->feed_tx = (struct kw_feed_tx){
        .feed = &call->orch->feed, .tx = tx, .arena = call->arena, .wall_ms = call->now_ms};
    kw_second_copy_begin(&call->copy, call->feed_tx.feed);
    KW_TRY(put_receipt(call, tx, err));
    call->result = write_effect(call, tx, &call->error);
    if (is_store_failure(call->result.reason)) {
        if (err != NULL) {
            *err = call->error;
        }
        return call->result;
    }
    KW_TRY(kw_refused_note(call, tx, err));
    return kw_second_copy_note(&call->copy, &call->feed_tx, err);
}

static void copied(struct kw_second_copy *copy)
{
    struct kw_call *call = KW_CONTAINER_OF(copy, struct kw_call, copy);

    if (call->owed > 0) {
        protect_start(call);
        return;
    }
    call->sending = true;
    answer(call);
}

/* Who made keys waits for more than others do, and leaves time to answer. */
static void ask_for_copies(struct kw_call *call)
{
    uint64_t now_ns = kw_clock_mono_ns();
    uint64_t left_ns = call->deadline_ns > now_ns ? call->deadline_ns - now_ns : 0;
    uint64_t wait_ns = KW_PROTECT_WAIT_MS * KW_NS_PER_MS;

    if (call->owed > 0) {
        kw_protection_made(call->orch, call->owed);
        call->copy.asked = KW_COPY_FAR;
        call->copy.until_ns = now_ns + (left_ns / 2 < wait_ns ? left_ns / 2 : wait_ns);
    }
}

/* What is durable is acknowledged, whatever becomes of the call. */
static void write_done(struct kw_store_job *job)
{
    struct kw_call *call = KW_CONTAINER_OF(job, struct kw_call, job);

    if (call->has_receipt) {
        kw_core_link_durable(call->orch->link, &call->core.receipt.entry.receipt);
    }
    if (!kw_ok(call->result)) {
        refuse(call, call->result);
        return;
    }
    ask_for_copies(call);
    if (!kw_second_copy_await(&call->copy, call->orch->feed_service, copied)) {
        copied(&call->copy);
    }
}

/* --- protect: what was made is stated to be, if others have it; then it is read, and answered or refused --- */

static struct kw_result protect_run(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    struct kw_call *call = KW_CONTAINER_OF(job, struct kw_call, job);
    struct kw_protection_found found;

    call->feed_tx.tx = tx;
    return kw_protection_state(call->orch, &call->feed_tx, &found, err);
}

/* What could not be stated is stated later. */
static void protect_done(struct kw_store_job *job)
{
    struct kw_call *call = KW_CONTAINER_OF(job, struct kw_call, job);

    if (kw_ok(job->result)) {
        read_start(call);
    } else {
        call->error = job->error;
        refuse(call, job->result);
    }
}

static void protect_start(struct kw_call *call)
{
    struct kw_result started;

    call->owed = 0;
    call->made = true;
    call->ask_core = false;
    call->job = (struct kw_store_job){.run = protect_run, .done = protect_done, .vital = true};
    started = kw_store_write(call->orch->store, &call->job, &call->error);
    if (!kw_ok(started)) {
        refuse(call, started);
    }
}

/* --- the receipt alone, when the effect could not be written --- */

static struct kw_result receipt_run(struct kw_store_job *job, struct kw_tx *tx,
                                    struct kw_error *err)
{
    return put_receipt(KW_CONTAINER_OF(job, struct kw_call, job), tx, err);
}

static void receipt_done(struct kw_store_job *job)
{
    struct kw_call *call = KW_CONTAINER_OF(job, struct kw_call, job);
    const struct kw_receipt *receipt = &call->core.receipt.entry.receipt;

    if (kw_ok(job->result)) {
        kw_core_link_durable(call->orch->link, receipt);
    } else {
        kw_core_receipt_unstored(call->orch->link, &call->core.receipt.entry,
                                 call->invitation_parent, &job->error);
        call->has_receipt = false; /* authz must not witness what is not durable */
    }
    refuse(call, call->result);
}

static void receipt_start(struct kw_call *call)
{
    struct kw_error error = {0};

    call->job = (struct kw_store_job){.run = receipt_run, .done = receipt_done, .vital = true};
    if (!kw_ok(kw_store_write(call->orch->store, &call->job, &error))) {
        kw_core_receipt_unstored(call->orch->link, &call->core.receipt.entry,
                                 call->invitation_parent, &error);
        call->has_receipt = false;
        refuse(call, call->result);
    }
}

static void write_failed(struct kw_call *call, struct kw_result result)
{
    call->result = result;
    call->message_count = 0;
    if (call->has_receipt) {
        receipt_start(call);
    } else {
        refuse(call, result);
    }
}

static void write_settled(struct kw_store_job *job)
{
    struct kw_call *call = KW_CONTAINER_OF(job, struct kw_call, job);

    if (kw_ok(job->result)) {
        write_done(job);
    } else if (call->has_receipt && job->result.reason == KW_E_STORE_UNAVAILABLE &&
               kw_store_alive(call->orch->store) && call->tries < TRIES_MAX) {
        call->tries++; /* the receipt before ours was put behind us: now it is before us */
        write_start(call);
    } else {
        call->error = job->error;
        write_failed(call, job->result);
    }
}

/* What the core has done must be known; and what the orchestrator ends itself takes away. */
static bool is_vital(const struct kw_call *call)
{
    return call->has_receipt || call->method->ends == KW_LAYER_ORCHESTRATOR;
}

/* What an earlier try made was undone with its transaction, and is not an answer. */
static void forget_try(struct kw_call *call)
{
    call->answered = false;
    call->message_count = 0;
    call->stored_outcome = KW_BYTES_NONE;
    call->disabled = KW_BYTES_NONE;
    call->owed = 0;
}

static void write_start(struct kw_call *call)
{
    struct kw_result started;

    forget_try(call);
    call->now_ms = kw_clock_wall_ms();
    call->job =
        (struct kw_store_job){.run = write_run, .done = write_settled, .vital = is_vital(call)};
    started = kw_store_write(call->orch->store, &call->job, &call->error);
    if (!kw_ok(started)) {
        write_failed(call, started);
    }
}

/* --- the beginning --- */

static struct kw_call *call_new(struct kw_orch *orch, struct kw_hop_call *outer)
{
    struct kw_call *call = calloc(1, sizeof(*call));

    if (call == NULL) {
        return NULL;
    }
    call->arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    if (call->arena == NULL) {
        free(call);
        return NULL;
    }
    call->orch = orch;
    call->outer = outer;
    call->started_ns = kw_clock_mono_ns();
    kw_view_init(&call->view, call->arena);
    keyward__internal__v1__core_request__init(&call->question);
    return call;
}

void kw_call_open(struct kw_hop_call *outer, const struct kw_hop_peer *peer,
                  const struct kw_hop_open *open, void *context)
{
    static const struct kw_hop_events events = {.writable = outer_writable,
                                                .cancel = outer_cancelled};
    static const struct kw_hop_status no_memory = {
        .reason = KW_E_MEMORY, .field = "", .description = ""};
    struct kw_orch *orch = context;
    struct kw_call *call = call_new(orch, outer);
    struct kw_result admitted;

    (void)peer; /* the listener lets authz of this cell in and nobody else */
    if (call == NULL) {
        kw_hop_finish(outer, &no_memory, KW_BYTES_NONE);
        return;
    }
    kw_hop_serve(outer, &events, call);
    kw_orch_call_began(orch);
    admitted = kw_call_admit(call, open, &call->error);
    if (!kw_ok(admitted)) {
        refuse(call, admitted);
        return;
    }
    read_start(call);
}

/* --- for handlers --- */

struct kw_result kw_call_name(struct kw_call *call, const char *field, enum kw_resource kind,
                              const char *name, struct kw_resource_ids *ret_ids,
                              struct kw_error *err)
{
    call->field = field;
    KW_TRY(kw_resource_parse(kind, name, ret_ids, err));
    call->field = NULL;
    return KW_OK;
}

struct kw_result kw_core_item_result(const Keyward__Internal__V1__CoreItem *item,
                                     struct kw_error *err)
{
    enum kw_reason reason;

    if (item->reason[0] == '\0') {
        return KW_OK;
    }
    reason = kw_reason_by_name(item->reason, strlen(item->reason));
    KW_ENSURE(reason != KW_E_NONE, err, INTERNAL, "the core names an unknown reason");
    return kw_error_make(err, reason, __FILE__, __LINE__, "refused by the core");
}

struct kw_result kw_call_only_item(const struct kw_call *call,
                                   const Keyward__Internal__V1__CoreItem **ret_item,
                                   struct kw_error *err)
{
    KW_ENSURE(call->core.reply->n_items == 1, err, INTERNAL, "the core answered %zu items, not one",
              call->core.reply->n_items);
    KW_TRY(kw_core_item_result(call->core.reply->items[0], err));
    *ret_item = call->core.reply->items[0];
    return KW_OK;
}
