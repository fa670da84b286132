/* FEED_ACK: those that wait go into one job, while it runs the next ones pile up. */
#include "common/base/container.h"
#include "common/feed/feed_peers.h"
#include "common/feed_service/feed_service_internal.h"
#include "common/rpc/messages.h"
#include "common/sync/store_record.h"

#include <keyward/internal/v1/feed.pb-c.h>
#include <stdlib.h>

struct kw_feed_acking {
    struct kw_feed_acking *next;
    struct kw_hop_call *hop; /* NULL: given up */
    struct kw_id store;
    struct kw_id lane;
    uint64_t seq;
    uint64_t counted;    /* of it */
    struct kw_buf place; /* where who says it is */
};

/* Acknowledgements in one job. */
struct group {
    struct kw_feed_task task;
    struct kw_feed_acking *first;
    struct kw_id ours; /* the lane that anybody waits for here */
};

static void acking_free(struct kw_feed_acking *acking)
{
    if (acking != NULL) {
        kw_buf_done(&acking->place);
    }
    free(acking);
}

static void end_one(struct kw_feed_service *service, struct kw_feed_acking *acking,
                    const struct kw_error *error)
{
    if (error == NULL && acking->counted > 0) {
        kw_copies_held(&service->copies, acking->store, acking->lane, acking->counted);
    }
    if (acking->hop != NULL && error == NULL) {
        kw_feed_call_succeed(acking->hop);
    } else if (acking->hop != NULL) {
        kw_feed_call_fail(service, acking->hop, error);
    }
    acking_free(acking);
}

static void end_all(struct kw_feed_service *service, struct kw_feed_acking *first,
                    const struct kw_error *error)
{
    while (first != NULL) {
        struct kw_feed_acking *next = first->next;

        end_one(service, first, error);
        first = next;
    }
}

static struct kw_result run_acks(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct group *group = KW_CONTAINER_OF(job, struct group, task.job);
    const struct kw_feed_tx feed_tx = {.feed = group->task.service->options.feed, .tx = tx};
    uint64_t said;

    KW_TRY(kw_feed_said(&feed_tx, &group->ours, &said, err));
    for (struct kw_feed_acking *acking = group->first; acking != NULL; acking = acking->next) {
        const struct kw_feed_acker peer = {acking->store, kw_buf_bytes(&acking->place)};

        KW_TRY(kw_feed_ack(tx, &peer, acking->lane, acking->seq, &acking->counted, err));
    }
    return KW_OK;
}

static void acks_done(struct kw_feed_task *task)
{
    struct group *group = KW_CONTAINER_OF(task, struct group, task);
    struct kw_feed_service *service = task->service;

    service->acks_running = false;
    if (kw_ok(task->job.result)) {
        kw_copies_lane(&service->copies, group->ours);
    }
    service->trims = service->trims || kw_ok(task->job.result);
    end_all(service, group->first, kw_ok(task->job.result) ? NULL : &task->job.error);
    free(group);
    kw_feed_held(service);
    kw_loop_mark(service->options.loop, &service->ack_flush);
}

static struct kw_result begin(struct kw_feed_service *service, struct group **ret_group,
                              struct kw_error *err)
{
    struct group *group = calloc(1, sizeof(*group));

    *ret_group = group;
    KW_ENSURE(group != NULL, err, MEMORY, "acknowledgements");
    group->first = service->ackings.first;
    group->task.job.run = run_acks;
    group->task.done = acks_done;
    return kw_feed_task_write(service, &group->task, err);
}

void kw_feed_acks_flush(struct kw_flush *flush)
{
    struct kw_feed_service *service = KW_CONTAINER_OF(flush, struct kw_feed_service, ack_flush);
    struct kw_feed_acking *first = service->ackings.first;
    struct kw_error error = {0};
    struct group *group;

    if (first == NULL || service->acks_running) {
        return;
    }
    if (service->closing) {
        KW_IGNORE(KW_MAKE(&error, DRAINING, "the service is closing"));
        KW_FEED_QUEUE_INIT(&service->ackings);
        end_all(service, first, &error);
        kw_feed_service_finish(service);
        return;
    }
    service->acks_running = kw_ok(begin(service, &group, &error));
    KW_FEED_QUEUE_INIT(&service->ackings);
    if (!service->acks_running) {
        end_all(service, first, &error);
        free(group);
    }
}

/* --- the call --- */

static void on_cancel(struct kw_hop_call *hop, void *user)
{
    struct kw_feed_acking *acking = user;

    (void)hop;
    acking->hop = NULL;
}

static struct kw_result take(struct kw_feed_acking *acking, const struct kw_hop_open *open,
                             struct kw_arena *arena, struct kw_error *err)
{
    Keyward__Internal__V1__FeedAckRequest *message;

    KW_ENSURE(acking != NULL && arena != NULL, err, MEMORY, "an acknowledgement");
    KW_ENSURE(open->has_item && open->end, err, ENCODING_INVALID, "a call without request");
    KW_TRY(kw_message_unpack(&keyward__internal__v1__feed_ack_request__descriptor, open->item.data,
                             arena, (ProtobufCMessage **)&message, err));
    acking->seq = message->seq;
    KW_TRY(kw_store_record_place(kw_bytes_str(message->region), kw_bytes_str(message->cell),
                                 &acking->place, err));
    KW_TRY(kw_id_from_bytes(kw_bytes_field(message->store), &acking->store, err));
    return kw_id_from_bytes(kw_bytes_field(message->lane), &acking->lane, err);
}

void kw_feed_acking_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                         const struct kw_hop_open *open)
{
    static const struct kw_hop_events events = {.cancel = on_cancel};
    struct kw_feed_acking *acking = calloc(1, sizeof(*acking));
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_error error = {0};
    struct kw_result taken = take(acking, open, arena, &error);

    kw_arena_free(arena);
    if (!kw_ok(taken)) {
        kw_feed_call_fail(service, hop, &error);
        acking_free(acking);
        return;
    }
    acking->hop = hop;
    kw_hop_serve(hop, &events, acking);
    KW_FEED_QUEUE_PUSH(&service->ackings, acking);
    kw_loop_mark(service->options.loop, &service->ack_flush);
}
