/* The link's life and its calls. */
#include "services/orchestrator/core_link_internal.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/rpc/messages.h"

#include <stdio.h>
#include <stdlib.h>

/* --- life --- */

static void state_changed(bool connected, struct kw_id peer_boot_id, void *context)
{
    struct kw_core_link *link = context;
    struct kw_error error = {0};

    if (!connected && kw_hop_client_connected(link->client)) {
        return; /* of one stream, that was old: another has its place */
    }
    KW_LOG(INFO, connected ? "core connected" : "core lost",
           KW_F_HEX("boot", kw_id_bytes(&peer_boot_id)));
    if (!connected) {
        link->connected = false;
        kw_core_link_publish(link);
        return;
    }
    link->connected = true;
    link->core = peer_boot_id;
    if (!kw_ok(kw_core_window_open(link, peer_boot_id, &error))) {
        KW_LOG(ERROR, "core cannot be used", KW_F_ERR(&error));
    }
    kw_core_link_publish(link);
    kw_core_standing_open(link);
}

struct kw_result kw_core_link_new(const struct kw_core_link_options *options,
                                  struct kw_core_link **ret_link, struct kw_error *err)
{
    struct kw_core_link *link = calloc(1, sizeof(*link));
    const struct kw_hop_client_options client = {
        .targets = options->targets,
        .credentials_dir = options->credentials_dir,
        .trust_domain = options->trust_domain,
        .peer = options->peer,
        .state = state_changed,
        .context = link,
    };
    struct kw_result made;

    KW_ENSURE(link != NULL, err, MEMORY, "core link");
    link->loop = options->loop;
    link->store = options->store;
    link->feed = options->feed;
    link->boot_id = options->boot_id;
    link->ready = options->ready;
    link->up = options->up;
    link->broken = options->broken;
    link->born_ns = kw_clock_mono_ns();
    link->context = options->context;
    link->ack_flush.run = kw_core_standing_ack;
    made = kw_hop_client_new(options->rpc, &client, &link->client, err);
    if (!kw_ok(made)) {
        free(link);
        return made;
    }
    kw_timer_init(&link->gap_timer, link->loop, kw_core_gap_fire);
    kw_timer_init(&link->retry_timer, link->loop, kw_core_standing_retry);
    kw_timer_init(&link->owed_timer, link->loop, kw_core_owed_fire);
    link->owed_end = &link->owed;
    kw_timer_init(&link->anew_timer, link->loop, kw_core_anew_fire);
    link->timers_open = 4;
    *ret_link = link;
    return KW_OK;
}

void kw_core_link_finish(struct kw_core_link *link)
{
    if (link->finished || !link->closing || link->client != NULL || link->timers_open > 0 ||
        link->notices > 0) {
        return;
    }
    link->finished = true;
    link->closed(link->closed_context);
}

void kw_core_link_free(struct kw_core_link *link)
{
    if (link == NULL) {
        return;
    }
    for (size_t i = 0; i < KW_CORE_BOOTS_MAX; i++) {
        free(link->windows[i]);
    }
    free(link);
}

static void client_closed(void *context)
{
    struct kw_core_link *link = context;

    link->client = NULL;
    kw_core_link_finish(link);
}

static void gap_timer_closed(struct kw_timer *timer)
{
    struct kw_core_link *link = KW_CONTAINER_OF(timer, struct kw_core_link, gap_timer);

    link->timers_open--;
    kw_core_link_finish(link);
}

static void retry_timer_closed(struct kw_timer *timer)
{
    struct kw_core_link *link = KW_CONTAINER_OF(timer, struct kw_core_link, retry_timer);

    link->timers_open--;
    kw_core_link_finish(link);
}

static void owed_timer_closed(struct kw_timer *timer)
{
    struct kw_core_link *link = KW_CONTAINER_OF(timer, struct kw_core_link, owed_timer);

    link->timers_open--;
    kw_core_link_finish(link);
}

static void anew_timer_closed(struct kw_timer *timer)
{
    struct kw_core_link *link = KW_CONTAINER_OF(timer, struct kw_core_link, anew_timer);

    link->timers_open--;
    kw_core_link_finish(link);
}

void kw_core_link_close(struct kw_core_link *link, void (*closed)(void *context), void *context)
{
    link->closing = true;
    link->connected = false;
    link->closed = closed;
    link->closed_context = context;
    kw_core_standing_drop(link);
    for (size_t i = 0; i < KW_CORE_BOOTS_MAX && link->windows[i] != NULL; i++) {
        kw_core_window_give_up(link->windows[i]);
    }
    kw_timer_close(&link->gap_timer, gap_timer_closed);
    kw_timer_close(&link->retry_timer, retry_timer_closed);
    kw_timer_close(&link->owed_timer, owed_timer_closed);
    kw_timer_close(&link->anew_timer, anew_timer_closed);
    kw_core_owed_drop(link);
    kw_hop_client_close(link->client, client_closed, link);
}

void kw_core_link_publish(struct kw_core_link *link)
{
    bool was_ready = *link->ready;

    *link->ready = kw_core_link_ready(link);
    if (*link->ready && !was_ready) {
        link->up(link->context);
    }
    kw_core_anew_watch(link);
}

struct kw_hop_client *const *kw_core_link_hop(const struct kw_core_link *link)
{
    return &link->client;
}

bool kw_core_link_ready(const struct kw_core_link *link)
{
    const struct kw_receipt_window *window = kw_core_window(link, link->core);

    return link->connected && window != NULL && !window->broken;
}

/* --- calls --- */

static void finish(struct kw_core_call *call, struct kw_result result, const struct kw_error *error)
{
    call->result = result;
    if (error != NULL) {
        call->error = *error;
    }
    call->done(call);
}

static void call_turn(struct kw_core_receipt *receipt, struct kw_result result,
                      const struct kw_error *error)
{
    finish(KW_CONTAINER_OF(receipt, struct kw_core_call, receipt), result, error);
}

/* Unpacks the answer and sends its receipt on its way; afterwards `done` came, or will come. */
static void take_reply(struct kw_core_call *call)
{
    struct kw_error error = {0};
    struct kw_result result;
    bool known = false;

    result = kw_message_unpack(&keyward__internal__v1__core_reply__descriptor, call->data,
                               call->arena, (ProtobufCMessage **)&call->reply, &error);
    if (kw_ok(result)) {
        call->receipt.turn = call_turn;
        result = kw_core_receipt_offer(call->link, &call->receipt,
                                       kw_bytes_field(call->reply->receipt), &known, &error);
    }
    if (!kw_ok(result)) {
        finish(call, result, &error);
    } else if (known) {
        finish(call, KW_OK, NULL);
    }
}

static void call_data(struct kw_hop_call *hop, struct kw_hop_item item, void *user)
{
    struct kw_core_call *call = user;

    (void)hop;
    call->result = kw_arena_copy(call->arena, item.data, &call->data, &call->error);
    call->answered = true;
}

static void call_status(struct kw_hop_call *hop, const struct kw_hop_status *status,
                        struct kw_bytes context, void *user)
{
    struct kw_core_call *call = user;

    (void)hop;
    (void)context;
    call->hop = NULL;
    if (status->reason != KW_E_NONE) {
        (void)snprintf(call->field, sizeof(call->field), "%s", status->field);
        call->result = kw_error_make(&call->error, status->reason, __FILE__, __LINE__, "core: %s",
                                     status->description);
    } else if (!call->answered) {
        call->result = KW_MAKE(&call->error, INTERNAL, "core: no answer");
    }
    if (kw_ok(call->result) && kw_failpoint_hit(KW_FP_ORCH_AFTER_CORE)) {
        call->result = KW_MAKE(&call->error, SYSTEM, "failpoint: the receipt is lost here");
    }
    if (kw_ok(call->result) && call->needs_receipt) {
        take_reply(call);
    } else {
        call->done(call);
    }
}

struct kw_result kw_core_call_start(struct kw_core_link *link, struct kw_core_call *call,
                                    const struct kw_core_question *question, struct kw_error *err)
{
    static const struct kw_hop_events events = {.data = call_data, .status = call_status};
    const struct kw_hop_open open = {
        .method = question->method,
        .deadline_ns = question->deadline_ns,
        .trace = question->trace,
        .item = {.data = question->data, .context = question->context},
        .has_item = true,
        .end = true,
    };

    KW_FAILPOINT(KW_FP_ORCH_BEFORE_CORE, err);
    if (call->needs_receipt) {
        KW_ENSURE(link->owed == NULL, err, STORE_FULL, "receipts wait to be stored");
        KW_TRY(kw_store_room(link->store, err));
    }
    KW_ENSURE(kw_core_link_ready(link), err, PEER_UNAVAILABLE, "%s",
              link->connected ? "the receipt chain is broken" : "no core is connected");
    call->link = link;
    call->result = KW_OK;
    return kw_hop_open(link->client, &open, &events, call, &call->hop, err);
}
