/* FEED_APPLY: what a peer brought, put together from its pieces, judged in a job of the store, answered when
 * it is durable.
 *
 * All that came and is not judged is bounded by bytes, and only KW_FEED_APPLIES_MAX are jobs of the store at a
 * time: local writes get in between. What disables does not wait for others: it has a queue of its own. */
#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/metrics.h"
#include "common/feed/feed_admit.h"
#include "common/feed/feed_apply.h"
#include "common/feed_service/feed_service_internal.h"
#include "common/feed_service/introduction.h"
#include "common/rpc/messages.h"

#include <keyward/internal/v1/feed.pb-c.h>
#include <stdlib.h>

struct kw_feed_applying {
    struct kw_feed_task task;
    struct kw_feed_applying *next;
    struct kw_hop_call *hop; /* NULL: given up */
    Keyward__Internal__V1__FeedRecord kind;
    struct kw_buf record;
    bool whole;     /* END came: it is judged, whoever still waits for that */
    size_t *places; /* at the store, of which it takes one; NULL: it waits */
    enum kw_lane_verdict verdict;
    struct kw_id lane; /* none: of no batch */
    uint64_t seq;
    uint64_t closed;
    struct kw_id disabler; /* the lane's store, where something new in the batch disables */
};

static void applying_free(struct kw_feed_applying *applying)
{
    applying->task.service->applyings_len -= applying->record.len;
    kw_buf_done(&applying->record);
    free(applying);
}

/* --- the answer --- */

static struct kw_result pack(const struct kw_feed_applying *applying, struct kw_buf *out,
                             struct kw_error *err)
{
    Keyward__Internal__V1__FeedApplyResponse message =
        KEYWARD__INTERNAL__V1__FEED_APPLY_RESPONSE__INIT;
    Keyward__Internal__V1__FeedExtent extent = KEYWARD__INTERNAL__V1__FEED_EXTENT__INIT;

    extent.lane = kw_field_bytes(kw_id_bytes(&applying->lane));
    extent.seq = applying->seq;
    extent.closed = applying->closed;
    message.verdict = (Keyward__Internal__V1__FeedVerdict)applying->verdict;
    message.extent = kw_id_is_none(applying->lane) ? NULL : &extent;
    KW_TRY(kw_buf_reserve(out, protobuf_c_message_get_packed_size(&message.base), err));
    out->len = protobuf_c_message_pack(&message.base, out->data);
    return KW_OK;
}

static void answer(struct kw_feed_applying *applying)
{
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_error error = {0};

    if (kw_ok(pack(applying, &message, &error))) {
        kw_hop_reply(applying->hop, (struct kw_hop_item){.data = kw_buf_bytes(&message)});
        kw_metric_add(KW_M_RPC_HANDLED, "ok", 1);
    } else {
        kw_feed_call_fail(applying->task.service, applying->hop, &error);
    }
}

/* --- at the store --- */

/* What can't even be read has no lane that it would be counted under. */
static void judge_unreadable(struct kw_feed_applying *applying)
{
    applying->verdict = KW_LANE_BROKEN;
    kw_metric_add(KW_M_FEED_VERDICTS, kw_lane_verdict_name(KW_LANE_BROKEN), 1);
}

static bool disables(const struct kw_lane_batch *batch, const struct kw_lane_finding *finding)
{
    bool any = false;

    for (size_t i = finding->skip; finding->verdict == KW_LANE_NEWS && i < batch->count; i++) {
        any = any || batch->changes[i].urgent;
    }
    return any;
}

static struct kw_result apply_batch(struct kw_feed_applying *applying, struct kw_tx *tx,
                                    struct kw_arena *arena, struct kw_error *err)
{
    struct kw_lane_finding finding = {0};
    struct kw_lane_batch batch;
    struct kw_result decoded =
        kw_lane_batch_decode(kw_buf_bytes(&applying->record), arena, &batch, err);

    if (decoded.reason == KW_E_ENCODING_INVALID) {
        judge_unreadable(applying);
        return KW_OK;
    }
    KW_TRY(decoded);
    KW_TRY(kw_feed_apply(applying->task.service->options.feed, tx, &batch, kw_clock_wall_ms(),
                         &finding, err));
    applying->verdict = finding.verdict;
    applying->seq = finding.point.seq;
    applying->closed = finding.closed;
    applying->disabler = disables(&batch, &finding) ? batch.head.lane.store : KW_ID_NONE;
    return kw_lane_id(&batch.head.lane, &applying->lane, err);
}

static struct kw_result apply_urgent(struct kw_feed_applying *applying, struct kw_tx *tx,
                                     struct kw_error *err)
{
    struct kw_urgent urgent;

    if (!kw_ok(kw_urgent_decode(kw_buf_bytes(&applying->record), &urgent, NULL))) {
        judge_unreadable(applying);
        return KW_OK;
    }
    return kw_feed_apply_urgent(applying->task.service->options.feed, tx, &urgent,
                                kw_clock_wall_ms(), &applying->verdict, err);
}

static struct kw_result judge(struct kw_feed_applying *applying, struct kw_tx *tx,
                              struct kw_arena *arena, struct kw_error *err)
{
    switch (applying->kind) {
    case KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_BATCH:
        return apply_batch(applying, tx, arena, err);
    case KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_URGENT:
        return apply_urgent(applying, tx, err);
    case KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_VOUCHER:
        return kw_feed_admit(applying->task.service->options.feed, tx,
                             kw_buf_bytes(&applying->record), kw_clock_wall_ms(), arena,
                             &applying->verdict, err);
    case KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_UNSPECIFIED:
    case _KEYWARD__INTERNAL__V1__FEED_RECORD_IS_INT_SIZE:
        break;
    }
    KW_FAIL(err, ARGUMENT_INVALID, "a record of kind %d", (int)applying->kind);
}

static struct kw_result run_apply(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_applying *applying = KW_CONTAINER_OF(job, struct kw_feed_applying, task.job);
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_result judged;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a record");
    judged = judge(applying, tx, arena, err);
    kw_arena_free(arena);
    return judged;
}

static void pump(struct kw_feed_service *service);

/* A new member's copies count from now on: who makes keys is to wait for them. */
static void look_at_members(const struct kw_feed_applying *applying)
{
    if (applying->kind != KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_VOUCHER) {
        return;
    }
    if (applying->verdict == KW_LANE_NEWS) {
        kw_feed_copies_look(applying->task.service);
    } else if (applying->verdict == KW_LANE_STRANGER) {
        kw_feed_introduction_doubt(applying->task.service);
    }
}

static void apply_done(struct kw_feed_task *task)
{
    struct kw_feed_applying *applying = KW_CONTAINER_OF(task, struct kw_feed_applying, task);
    struct kw_feed_service *service = task->service;

    if (applying->hop != NULL && kw_ok(task->job.result)) {
        answer(applying);
    } else if (applying->hop != NULL) {
        kw_feed_call_fail(service, applying->hop, &task->job.error);
    }
    if (kw_ok(task->job.result)) {
        look_at_members(applying);
        kw_feed_upkeep_heard(service, applying->disabler);
    }
    *applying->places -= 1;
    applying_free(applying);
    pump(service);
}

static struct kw_result begin(struct kw_feed_applying *applying, struct kw_error *err)
{
    KW_ENSURE(!applying->task.service->closing, err, DRAINING, "the service is closing");
    applying->task.job.run = run_apply;
    applying->task.done = apply_done;
    return kw_feed_task_write(applying->task.service, &applying->task, err);
}

static void hand_in(struct kw_feed_applying *applying)
{
    struct kw_feed_service *service = applying->task.service;
    struct kw_error error = {0};

    if (!kw_ok(begin(applying, &error))) {
        if (applying->hop != NULL) {
            kw_feed_call_fail(service, applying->hop, &error);
        }
        *applying->places -= 1;
        applying_free(applying);
    }
}

static void hand_in_one_of(struct kw_feed_applying *applying, size_t *places)
{
    applying->places = places;
    *places += 1;
    hand_in(applying);
}

static void pump(struct kw_feed_service *service)
{
    while (service->urgents.first != NULL && service->urgents_running < KW_FEED_APPLIES_MAX) {
        struct kw_feed_applying *applying = service->urgents.first;

        KW_FEED_QUEUE_POP(&service->urgents);
        hand_in_one_of(applying, &service->urgents_running);
    }
    while (service->applyings.first != NULL && service->applyings_running < KW_FEED_APPLIES_MAX) {
        struct kw_feed_applying *applying = service->applyings.first;

        KW_FEED_QUEUE_POP(&service->applyings);
        hand_in_one_of(applying, &service->applyings_running);
    }
}

/* --- the call --- */

static void submit(struct kw_feed_applying *applying)
{
    struct kw_feed_service *service = applying->task.service;

    applying->whole = true;
    applying->task.job.vital =
        applying->kind == KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_URGENT;
    if (applying->task.job.vital) {
        KW_FEED_QUEUE_PUSH(&service->urgents, applying);
    } else {
        KW_FEED_QUEUE_PUSH(&service->applyings, applying);
    }
    pump(service);
}

static struct kw_result check_piece(const struct kw_feed_applying *applying,
                                    const Keyward__Internal__V1__FeedApplyRequest *piece,
                                    struct kw_error *err)
{
    bool is_first = applying->record.len == 0;
    bool has_kind = piece->kind != KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_UNSPECIFIED;

    KW_ENSURE(is_first == has_kind &&
                  piece->kind <= KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_VOUCHER,
              err, ARGUMENT_INVALID, "a piece of kind %d after %zu bytes", (int)piece->kind,
              applying->record.len);
    KW_ENSURE(piece->record.len > 0, err, ARGUMENT_INVALID, "an empty piece");
    KW_ENSURE(piece->record.len <= KW_BATCH_LEN_MAX - applying->record.len, err, BODY_TOO_LARGE,
              "a record of more than %u bytes", KW_BATCH_LEN_MAX);
    if (piece->record.len > KW_FEED_APPLIES_LEN_MAX - applying->task.service->applyings_len) {
        kw_metric_add(KW_M_LIMITS_REACHED, "feed_applies", 1);
        KW_FAIL(err, LIMIT_REACHED, "%u bytes of records wait for the store",
                KW_FEED_APPLIES_LEN_MAX);
    }
    return KW_OK;
}

static struct kw_result take_piece(struct kw_feed_applying *applying, struct kw_bytes data,
                                   struct kw_arena *arena, struct kw_error *err)
{
    Keyward__Internal__V1__FeedApplyRequest *piece;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a piece");
    KW_TRY(kw_message_unpack(&keyward__internal__v1__feed_apply_request__descriptor, data, arena,
                             (ProtobufCMessage **)&piece, err));
    KW_TRY(check_piece(applying, piece, err));
    KW_TRY(kw_buf_append(&applying->record, kw_bytes_field(piece->record), err));
    applying->kind = applying->kind != 0 ? applying->kind : piece->kind;
    applying->task.service->applyings_len += piece->record.len;
    return KW_OK;
}

/* False: it was refused, and is gone. */
static bool take(struct kw_feed_applying *applying, struct kw_bytes data)
{
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_error error = {0};
    struct kw_result taken = take_piece(applying, data, arena, &error);

    kw_arena_free(arena);
    if (!kw_ok(taken)) {
        kw_feed_call_fail(applying->task.service, applying->hop, &error);
        applying_free(applying);
    }
    return kw_ok(taken);
}

static void on_data(struct kw_hop_call *hop, struct kw_hop_item item, void *user)
{
    if (take(user, item.data)) {
        kw_hop_consume(hop, item.data.len);
    }
}

static void end(struct kw_feed_applying *applying)
{
    struct kw_error error = {0};

    if (applying->record.len > 0) {
        submit(applying);
        return;
    }
    KW_IGNORE(KW_MAKE(&error, ARGUMENT_INVALID, "nothing to apply"));
    kw_feed_call_fail(applying->task.service, applying->hop, &error);
    applying_free(applying);
}

static void on_end(struct kw_hop_call *hop, void *user)
{
    (void)hop;
    end(user);
}

static void on_cancel(struct kw_hop_call *hop, void *user)
{
    struct kw_feed_applying *applying = user;

    (void)hop;
    applying->hop = NULL;
    if (!applying->whole) {
        applying_free(applying);
    }
}

void kw_feed_applying_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                           const struct kw_hop_open *open)
{
    static const struct kw_hop_events events = {
        .data = on_data, .end = on_end, .cancel = on_cancel};
    struct kw_feed_applying *applying = calloc(1, sizeof(*applying));
    struct kw_error error = {0};

    if (applying == NULL) {
        KW_IGNORE(KW_MAKE(&error, MEMORY, "an applying"));
        kw_feed_call_fail(service, hop, &error);
        return;
    }
    applying->task.service = service;
    applying->hop = hop;
    kw_hop_serve(hop, &events, applying);
    if (open->has_item && !take(applying, open->item.data)) {
        return;
    }
    if (open->has_item) {
        kw_hop_consume(hop, open->item.data.len);
    }
    if (open->end) {
        end(applying);
    }
}
