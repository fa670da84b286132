/* FEED_SUBSCRIBE: the standing call. One look at a time; what it found is sent as credit allows, and only then
 * the next one begins. So however slow the subscriber is, there is one look's worth in memory.
 *
 * A second subscriber takes the first one's place. The first may be a replicator that died, which the hop finds
 * out only after a while: nobody would be told anything until then, if the new one were refused. */
#include "common/base/container.h"
#include "common/base/log.h"
#include "common/feed_service/introduction.h"
#include "common/feed_service/look.h"
#include "common/rpc/messages.h"

#include <keyward/internal/v1/feed.pb-c.h>
#include <stdlib.h>

struct kw_feed_subscription {
    struct kw_feed_task task;
    struct kw_hop_call *hop; /* NULL: over, but for the look that is at the store */
    bool looking;
    bool due; /* a look, as soon as what was found is sent */
    bool owner_told;
    uint64_t voucher_told; /* which of our vouchers; 0: none */
    size_t sent;           /* of the look's messages */
    struct kw_feed_look look;
};

static void subscription_free(struct kw_feed_subscription *subscription)
{
    kw_feed_look_drop(&subscription->look);
    free(subscription);
}

/* Nobody is told anything more. */
static void leave(struct kw_feed_subscription *subscription)
{
    struct kw_feed_service *service = subscription->task.service;

    if (service->subscription == subscription) {
        service->subscription = NULL;
        kw_feed_upkeep_wake(service);
    }
    subscription->hop = NULL;
    if (!subscription->looking) {
        subscription_free(subscription);
    }
}

static void fail(struct kw_feed_subscription *subscription, const struct kw_error *error)
{
    kw_feed_call_fail(subscription->task.service, subscription->hop, error);
    leave(subscription);
}

/* --- sending --- */

/* `*ret_sent` false: not now. */
static struct kw_result send_message(const struct kw_feed_subscription *subscription,
                                     const Keyward__Internal__V1__FeedSubscribeResponse *message,
                                     bool *ret_sent, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf bytes = {0};

    KW_TRY(kw_buf_reserve(&bytes, protobuf_c_message_get_packed_size(&message->base), err));
    bytes.len = protobuf_c_message_pack(&message->base, bytes.data);
    *ret_sent = kw_hop_send(subscription->hop, (struct kw_hop_item){.data = kw_buf_bytes(&bytes)});
    return KW_OK;
}

static struct kw_result send_owner(struct kw_feed_subscription *subscription, bool *ret_sent,
                                   struct kw_error *err)
{
    const struct kw_feed_options *feed = &subscription->task.service->options.feed->options;
    Keyward__Internal__V1__FeedSubscribeResponse message =
        KEYWARD__INTERNAL__V1__FEED_SUBSCRIBE_RESPONSE__INIT;
    Keyward__Internal__V1__FeedOwner owner = KEYWARD__INTERNAL__V1__FEED_OWNER__INIT;

    *ret_sent = true;
    if (!subscription->owner_told) {
        owner.mesh = kw_field_bytes(kw_id_bytes(&feed->mesh));
        owner.store = kw_field_bytes(kw_id_bytes(&feed->store));
        message.owner = &owner;
        KW_TRY(send_message(subscription, &message, ret_sent, err));
        subscription->owner_told = *ret_sent;
    }
    return KW_OK;
}

static struct kw_result send_voucher(struct kw_feed_subscription *subscription, bool *ret_sent,
                                     struct kw_error *err)
{
    const struct kw_feed_service *service = subscription->task.service;
    Keyward__Internal__V1__FeedSubscribeResponse message =
        KEYWARD__INTERNAL__V1__FEED_SUBSCRIBE_RESPONSE__INIT;

    *ret_sent = true;
    if (subscription->voucher_told != service->voucher_issue) {
        message.voucher = kw_field_bytes(kw_buf_bytes(&service->voucher));
        KW_TRY(send_message(subscription, &message, ret_sent, err));
        subscription->voucher_told = *ret_sent ? service->voucher_issue : 0;
    }
    return KW_OK;
}

static struct kw_result send_question(const struct kw_feed_subscription *subscription,
                                      bool *ret_sent, struct kw_error *err)
{
    struct kw_feed_questions *questions = &subscription->task.service->questions;
    Keyward__Internal__V1__FeedSubscribeResponse message =
        KEYWARD__INTERNAL__V1__FEED_SUBSCRIBE_RESPONSE__INIT;
    Keyward__Internal__V1__FeedQuestion question = KEYWARD__INTERNAL__V1__FEED_QUESTION__INIT;

    *ret_sent = true;
    if (questions->unsent) {
        question.number = questions->number;
        question.store = kw_field_bytes(kw_id_bytes(&questions->store));
        question.record = kw_field_bytes(kw_buf_bytes(&questions->asked));
        message.question = &question;
        KW_TRY(send_message(subscription, &message, ret_sent, err));
        questions->unsent = !*ret_sent;
    }
    return KW_OK;
}

static bool send_found(struct kw_feed_subscription *subscription)
{
    struct kw_feed_look *look = &subscription->look;

    while (subscription->sent < look->message_count) {
        const struct kw_buf *message = &look->messages[subscription->sent];

        if (!kw_hop_send(subscription->hop, (struct kw_hop_item){.data = kw_buf_bytes(message)})) {
            return false;
        }
        subscription->sent++;
    }
    kw_feed_look_drop(look);
    subscription->sent = 0;
    return true;
}

static struct kw_result send_all(struct kw_feed_subscription *subscription, bool *ret_sent,
                                 struct kw_error *err)
{
    KW_TRY(send_owner(subscription, ret_sent, err));
    if (*ret_sent) {
        KW_TRY(send_voucher(subscription, ret_sent, err));
    }
    if (*ret_sent) {
        KW_TRY(send_question(subscription, ret_sent, err));
    }
    *ret_sent = *ret_sent && send_found(subscription);
    return KW_OK;
}

/* --- looking --- */

static struct kw_result run_look(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_subscription *subscription =
        KW_CONTAINER_OF(job, struct kw_feed_subscription, task.job);

    return kw_feed_look_run(&subscription->look, tx, err);
}

static void go_on(struct kw_feed_subscription *subscription);

static void look_done(struct kw_feed_task *task)
{
    struct kw_feed_subscription *subscription =
        KW_CONTAINER_OF(task, struct kw_feed_subscription, task);

    subscription->looking = false;
    if (subscription->hop == NULL) {
        subscription_free(subscription);
        return;
    }
    if (kw_ok(task->job.result)) {
        kw_feed_look_keep(&subscription->look);
        subscription->due = subscription->due || subscription->look.more;
        kw_feed_introduction_check(task->service, subscription->look.incarnation);
    } else {
        kw_feed_service_log(task->service, "lanes can't be looked at", &task->job.error);
        kw_feed_look_drop(&subscription->look); /* with the next beat */
    }
    go_on(subscription);
}

static void look(struct kw_feed_subscription *subscription)
{
    struct kw_error error = {0};

    subscription->due = false;
    subscription->task.job.run = run_look;
    subscription->task.done = look_done;
    subscription->looking =
        kw_ok(kw_feed_task_read(subscription->task.service, &subscription->task, &error));
    if (!subscription->looking) {
        kw_feed_service_log(subscription->task.service, "lanes can't be looked at", &error);
    }
}

static void go_on(struct kw_feed_subscription *subscription)
{
    struct kw_error error = {0};
    bool sent;

    if (subscription->looking) {
        return; /* the messages are the look's */
    }
    if (!kw_ok(send_all(subscription, &sent, &error))) {
        fail(subscription, &error);
    } else if (sent && subscription->due) {
        look(subscription);
    }
}

void kw_feed_subscription_nudge(struct kw_feed_service *service)
{
    if (service->subscription != NULL) {
        service->subscription->due = true;
        go_on(service->subscription);
    }
}

void kw_feed_subscription_ask(struct kw_feed_service *service)
{
    if (service->subscription != NULL) {
        go_on(service->subscription);
    }
}

/* --- the call --- */

static void on_writable(struct kw_hop_call *hop, void *user)
{
    (void)hop;
    go_on(user);
}

static void on_cancel(struct kw_hop_call *hop, void *user)
{
    (void)hop;
    leave(user);
}

void kw_feed_subscription_end(struct kw_feed_service *service, enum kw_reason reason)
{
    const struct kw_hop_status status = {.reason = reason, .field = "", .description = ""};

    if (service->subscription != NULL) {
        kw_hop_finish(service->subscription->hop, &status, KW_BYTES_NONE);
        leave(service->subscription);
    }
}

void kw_feed_subscription_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                               const struct kw_hop_open *open)
{
    static const struct kw_hop_events events = {.writable = on_writable, .cancel = on_cancel};
    struct kw_feed_subscription *subscription = calloc(1, sizeof(*subscription));
    struct kw_error error = {0};

    (void)open; /* there is nothing to ask */
    if (subscription == NULL) {
        KW_IGNORE(KW_MAKE(&error, MEMORY, "a subscription"));
        kw_feed_call_fail(service, hop, &error);
        return;
    }
    KW_LOG(INFO, service->subscription == NULL ? "a replicator listens"
                                               : "another replicator listens in the place of one");
    kw_feed_subscription_end(service, KW_E_STATE_CONFLICT);
    subscription->task.service = service;
    subscription->hop = hop;
    subscription->due = true;
    subscription->look.feed = service->options.feed;
    subscription->look.identity = service->options.identity;
    kw_hop_serve(hop, &events, subscription);
    service->subscription = subscription;
    kw_feed_upkeep_wake(service);
    go_on(subscription);
}
