/* Its life, its listener, and what its parts have in common. */
#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed_service/introduction.h"
#include "common/rpc/methods.h"
#include "common/rpc/relay.h"

#include <stdio.h>
#include <stdlib.h>

#define MS_PER_S 1000U

/* --- what its parts have in common --- */

static void task_done(struct kw_store_job *job)
{
    struct kw_feed_task *task = KW_CONTAINER_OF(job, struct kw_feed_task, job);
    struct kw_feed_service *service = task->service;

    service->tasks--;
    task->done(task);
    kw_feed_service_finish(service);
}

static struct kw_result hand_in(struct kw_feed_service *service, struct kw_feed_task *task,
                                struct kw_result (*where)(struct kw_store *store,
                                                          struct kw_store_job *job,
                                                          struct kw_error *err),
                                struct kw_error *err)
{
    task->service = service;
    task->job.done = task_done;
    KW_TRY(where(service->options.store, &task->job, err));
    service->tasks++;
    return KW_OK;
}

struct kw_result kw_feed_task_write(struct kw_feed_service *service, struct kw_feed_task *task,
                                    struct kw_error *err)
{
    return hand_in(service, task, kw_store_write, err);
}

struct kw_result kw_feed_task_read(struct kw_feed_service *service, struct kw_feed_task *task,
                                   struct kw_error *err)
{
    return hand_in(service, task, kw_store_read, err);
}

void kw_feed_service_log(struct kw_feed_service *service, const char *what,
                         const struct kw_error *error)
{
    uint64_t second = kw_clock_wall_ms() / MS_PER_S;

    if (second != service->log_second) {
        service->log_second = second;
        service->logged = 0;
    }
    if (service->logged < KW_FEED_LOGS_PER_S) {
        service->logged++;
        KW_LOG(WARN, what, KW_F_ERR(error));
    }
}

void kw_feed_call_fail(struct kw_feed_service *service, struct kw_hop_call *hop,
                       const struct kw_error *error)
{
    const struct kw_hop_status status = {.reason = error->reason, .field = "", .description = ""};

    kw_feed_service_log(service, "a call of the replicator failed", error);
    kw_metric_add(KW_M_RPC_HANDLED, kw_reason_row(error->reason)->label, 1);
    kw_hop_finish(hop, &status, KW_BYTES_NONE);
}

void kw_feed_call_succeed(struct kw_hop_call *hop)
{
    const struct kw_hop_status status = {.reason = KW_E_NONE, .field = "", .description = ""};

    kw_metric_add(KW_M_RPC_HANDLED, "ok", 1);
    kw_hop_finish(hop, &status, KW_BYTES_NONE);
}

/* --- news from the store's writer --- */

static void deliver_grown(struct kw_mail *mail)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(mail, struct kw_feed_service, grown_mail);

    atomic_store(&service->grown_posted, false);
    kw_feed_subscription_nudge(service);
    kw_feed_service_finish(service);
}

/* On the writer's thread. */
static void on_grown(struct kw_commit_hook *hook)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(hook, struct kw_feed_service, grown);

    if (!atomic_exchange(&service->grown_posted, true)) {
        service->grown_mail.deliver = deliver_grown;
        kw_loop_post(service->options.loop, &service->grown_mail);
    }
}

/* --- the end --- */

void kw_feed_service_finish(struct kw_feed_service *service)
{
    if (!service->closing || service->finished || service->server != NULL || service->tasks > 0 ||
        service->timers_open > 0 || service->ackings.first != NULL ||
        atomic_load(&service->grown_posted)) {
        return;
    }
    service->finished = true;
    service->closed(service->closed_context);
}

static void server_closed(void *context)
{
    struct kw_feed_service *service = context;

    service->server = NULL;
    kw_feed_service_finish(service);
}

static void timer_closed(struct kw_feed_service *service)
{
    service->timers_open--;
    kw_feed_service_finish(service);
}

static void beat_closed(struct kw_timer *timer)
{
    timer_closed(KW_CONTAINER_OF(timer, struct kw_feed_service, beat));
}

static void upkeep_closed(struct kw_timer *timer)
{
    timer_closed(KW_CONTAINER_OF(timer, struct kw_feed_service, upkeep));
}

static void copies_closed(struct kw_timer *timer)
{
    timer_closed(KW_CONTAINER_OF(timer, struct kw_feed_service, copies_tick));
}

void kw_feed_service_drain(struct kw_feed_service *service, void (*drained)(void *context),
                           void *context)
{
    service->draining = true;
    kw_feed_subscription_end(service, KW_E_DRAINING);
    kw_hop_server_drain(service->server, drained, context);
}

/* What is still at the store ends by itself, and finds its call gone. */
void kw_feed_service_close(struct kw_feed_service *service, void (*closed)(void *context),
                           void *context)
{
    service->closing = true;
    service->closed = closed;
    service->closed_context = context;
    kw_timer_close(&service->beat, beat_closed);
    kw_timer_close(&service->upkeep, upkeep_closed);
    kw_timer_close(&service->copies_tick, copies_closed);
    kw_copies_end(&service->copies);
    kw_hop_server_close(service->server, server_closed, service);
}

void kw_feed_service_free(struct kw_feed_service *service)
{
    if (service == NULL) {
        return;
    }
    kw_feed_errands_free(&service->errands);
    kw_buf_done(&service->questions.asked);
    kw_buf_done(&service->questions.answer);
    kw_buf_done(&service->voucher);
    kw_buf_done(&service->noted_pem);
    free(service);
}

/* --- the beginning --- */

static void on_open(struct kw_hop_call *hop, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    struct kw_feed_service *service = context;
    struct kw_error error = {0};

    (void)peer; /* the listener lets nobody but the replicator in */
    switch (open->method) {
    case KW_METHOD_FEED_SUBSCRIBE:
        kw_feed_subscription_open(service, hop, open);
        return;
    case KW_METHOD_FEED_READ:
        kw_feed_reading_open(service, hop, open);
        return;
    case KW_METHOD_FEED_APPLY:
        kw_feed_applying_open(service, hop, open);
        return;
    case KW_METHOD_FEED_ACK:
        kw_feed_acking_open(service, hop, open);
        return;
    case KW_METHOD_FEED_PEERS:
        kw_feed_neighbours_open(service, hop, open);
        return;
    case KW_METHOD_FEED_ASK:
        kw_feed_replying_open(service, hop, open);
        return;
    case KW_METHOD_FEED_ANSWERED:
        kw_feed_answered_open(service, hop, open);
        return;
    case KW_METHOD_RENEW_SERVICE:
        if (service->options.inner != NULL) {
            kw_relay_open(hop, open, *service->options.inner);
            return;
        }
        /* fall through */
    default:
        KW_IGNORE(
            KW_MAKE(&error, PERMISSION_DENIED, "method %u on the feed's listener", open->method));
        kw_feed_call_fail(service, hop, &error);
    }
}

/* Only the replicator of the own cell may connect. */
static struct kw_result listen_start(struct kw_feed_service *service, int *ret_port,
                                     struct kw_error *err)
{
    const struct kw_feed_identity *identity = service->options.identity;
    const struct kw_spiffe *self = &identity->trust.self;
    char peer[KW_SPIFFE_TEXT_SIZE];
    const char *const peers[] = {peer, NULL};
    struct kw_spiffe replicator;
    const struct kw_hop_server_options server = {
        .listen = service->options.listen,
        .credentials_dir = identity->credentials_dir,
        .trust_domain = self->trust_domain,
        .peers = peers,
        .handler = {.open = on_open, .context = service},
    };

    KW_TRY(kw_spiffe_service(self->trust_domain, self->region, self->cell, "replicator",
                             &replicator, err));
    (void)kw_spiffe_text(&replicator, peer);
    return kw_hop_server_new(service->options.rpc, &server, &service->server, ret_port, err);
}

static struct kw_result start(struct kw_feed_service *service, int *ret_port, struct kw_error *err)
{
    KW_TRY(kw_feed_introduction_note(service, &service->options.identity->credentials, err));
    return listen_start(service, ret_port, err);
}

static struct kw_feed_service *service_new(const struct kw_feed_service_options *options)
{
    struct kw_feed_service *service = calloc(1, sizeof(*service));

    if (service != NULL) {
        service->options = *options;
        service->options.pace_ms = options->pace_ms != 0 ? options->pace_ms : KW_ERRAND_PACE_MS;
        service->grown.run = on_grown;
        atomic_store(&service->joining, options->feed->joins);
        kw_metric_set(KW_M_FEED_JOINING, NULL, options->feed->joins);
        service->ack_flush.run = kw_feed_acks_flush;
        KW_FEED_QUEUE_INIT(&service->readings);
        KW_FEED_QUEUE_INIT(&service->applyings);
        KW_FEED_QUEUE_INIT(&service->urgents);
        KW_FEED_QUEUE_INIT(&service->ackings);
    }
    return service;
}

struct kw_result kw_feed_service_start(const struct kw_feed_service_options *options,
                                       struct kw_feed_service **ret_service, int *ret_port,
                                       struct kw_error *err)
{
    struct kw_feed_service *service = service_new(options);
    struct kw_result made;

    KW_ENSURE(service != NULL, err, MEMORY, "a feed service");
    made = start(service, ret_port, err);
    if (!kw_ok(made)) {
        kw_feed_service_free(service);
        return made;
    }
    kw_timer_init(&service->beat, options->loop, kw_feed_upkeep_beat);
    kw_timer_init(&service->upkeep, options->loop, kw_feed_upkeep_fire);
    kw_timer_init(&service->copies_tick, options->loop, kw_feed_copies_tick);
    service->timers_open = 3;
    service->credentials_looked_ns = kw_clock_mono_ns();
    service->trims_from_ns = kw_clock_mono_ns() + options->keep_ms * KW_NS_PER_MS;
    service->holdings_looked_ns = kw_clock_mono_ns();
    kw_feed_introduction_begin(service, NULL);
    kw_timer_start(&service->upkeep, 0, 0);
    *ret_service = service;
    return KW_OK;
}
