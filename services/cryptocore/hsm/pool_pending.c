/* Pending submissions: their queue, their answers, and how they end. */
#include "common/base/metrics.h"
#include "services/cryptocore/hsm/pool_internal.h"

#include <stdlib.h>

static void items_set(struct kw_hsm_queue *queue, size_t items)
{
    queue->items = items;
    if (queue->gauge != NULL) {
        kw_metric_set(KW_M_QUEUE, queue->gauge, (int64_t)items);
    }
}

void kw_hsm_queue_push(struct kw_hsm_queue *queue, struct kw_hsm_pending *pending)
{
    pending->next = NULL;
    if (queue->tail != NULL) {
        queue->tail->next = pending;
    } else {
        queue->head = pending;
    }
    queue->tail = pending;
    items_set(queue, queue->items + pending->count);
}

void kw_hsm_queue_push_front(struct kw_hsm_queue *queue, struct kw_hsm_pending *pending)
{
    pending->next = queue->head;
    queue->head = pending;
    if (queue->tail == NULL) {
        queue->tail = pending;
    }
    items_set(queue, queue->items + pending->count);
}

struct kw_hsm_pending *kw_hsm_queue_pop(struct kw_hsm_queue *queue)
{
    struct kw_hsm_pending *pending = queue->head;

    if (pending != NULL) {
        kw_hsm_queue_remove(queue, pending);
    }
    return pending;
}

/* Workers answer in order, so that what is removed is nearly always the head. */
void kw_hsm_queue_remove(struct kw_hsm_queue *queue, struct kw_hsm_pending *pending)
{
    struct kw_hsm_pending *before = NULL;
    struct kw_hsm_pending **link = &queue->head;

    while (*link != pending) {
        before = *link;
        link = &before->next;
    }
    *link = pending->next;
    if (queue->tail == pending) {
        queue->tail = before;
    }
    pending->next = NULL;
    items_set(queue, queue->items - pending->count);
}

static struct kw_result requests_check(const struct kw_hsm_request *requests, size_t count,
                                       struct kw_error *err)
{
    KW_ENSURE(count >= 1 && count <= KW_HSM_ITEMS_MAX, err, ARGUMENT_INVALID, "%zu requests",
              count);
    for (size_t i = 0; i < count; i++) {
        KW_TRY(kw_hsm_request_check(&requests[i], err));
    }
    return KW_OK;
}

/* Answers and what they point to live in one arena, which goes when `done` has returned. */
static struct kw_result answers_init(struct kw_hsm_pending *pending,
                                     const struct kw_hsm_request *requests, struct kw_error *err)
{
    pending->arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    KW_ENSURE(pending->arena != NULL, err, MEMORY, "submission");
    pending->answers = kw_arena_alloc(pending->arena, pending->count * sizeof(*pending->answers));
    pending->answered = kw_arena_alloc(pending->arena, pending->count * sizeof(*pending->answered));
    pending->yields = kw_arena_alloc(pending->arena, pending->count * sizeof(*pending->yields));
    KW_ENSURE(pending->answers != NULL && pending->answered != NULL && pending->yields != NULL, err,
              MEMORY, "submission");
    pending->idempotent = true;
    for (size_t i = 0; i < pending->count; i++) {
        pending->answers[i].op = requests[i].op;
        pending->yields[i] = kw_hsm_request_yield(&requests[i]);
        pending->idempotent = pending->idempotent && kw_hsm_op_idempotent(requests[i].op);
    }
    return KW_OK;
}

static struct kw_result pending_fill(struct kw_hsm_pending *pending,
                                     const struct kw_hsm_request *requests, struct kw_error *err)
{
    struct kw_hsm_batch batch = {.call = pending->number,
                                 .deadline_ns = pending->deadline_ns,
                                 .requests = requests,
                                 .count = pending->count};

    KW_TRY(answers_init(pending, requests, err));
    return kw_hsm_batch_put(&pending->message, &batch, err);
}

struct kw_result kw_hsm_pending_new(struct kw_hsm_call *call, uint64_t number,
                                    const struct kw_hsm_request *requests, size_t count,
                                    struct kw_hsm_pending **ret_pending, struct kw_error *err)
{
    struct kw_hsm_pending *pending;
    struct kw_result result;

    KW_TRY(requests_check(requests, count, err));
    pending = calloc(1, sizeof(*pending));
    KW_ENSURE(pending != NULL, err, MEMORY, "submission");
    pending->call = call;
    pending->number = number;
    pending->deadline_ns = call->deadline_ns;
    pending->count = count;
    result = pending_fill(pending, requests, err);
    if (!kw_ok(result)) {
        kw_hsm_pending_free(pending);
        return result;
    }
    call->hsm_calls = 0;
    *ret_pending = pending;
    return KW_OK;
}

void kw_hsm_pending_free(struct kw_hsm_pending *pending)
{
    if (pending == NULL) {
        return;
    }
    if (pending->completing) {
        pending->doomed = true;
        return;
    }
    kw_arena_free(pending->arena);
    kw_buf_done(&pending->message);
    free(pending);
}

struct kw_result kw_hsm_pending_answer(struct kw_hsm_pending *pending, size_t index,
                                       struct kw_reader fields, struct kw_error *err)
{
    struct kw_hsm_answer answer;

    KW_ENSURE(!fields.failed && index < pending->count && !pending->answered[index], err,
              ENCODING_INVALID, "answer %zu is not awaited", index);
    KW_TRY(kw_hsm_answer_get(&fields, pending->arena, &answer, err));
    KW_ENSURE(answer.op == pending->answers[index].op, err, ENCODING_INVALID,
              "answer %zu is to another operation", index);
    KW_ENSURE(!kw_ok(answer.result) || kw_hsm_answer_yield(&answer) == pending->yields[index], err,
              ENCODING_INVALID, "answer %zu holds %zu, not %zu", index,
              kw_hsm_answer_yield(&answer), pending->yields[index]);
    pending->answers[index] = answer;
    pending->answered[index] = true;
    pending->answered_count++;
    return KW_OK;
}

void kw_hsm_pending_reset(struct kw_hsm_pending *pending)
{
    for (size_t i = 0; i < pending->count; i++) {
        pending->answered[i] = false;
    }
    pending->answered_count = 0;
}

void kw_hsm_pending_fail(struct kw_hsm_pending *pending, enum kw_reason reason, const char *message)
{
    for (size_t i = 0; i < pending->count; i++) {
        struct kw_hsm_answer *answer = &pending->answers[i];

        if (!pending->answered[i]) {
            answer->result =
                kw_error_make(&answer->error, reason, __FILE__, __LINE__, "%s", message);
        }
    }
    kw_hsm_pending_complete(pending);
}

/* `done` may close the pool, which frees what is still in a queue, this one included. */
void kw_hsm_pending_complete(struct kw_hsm_pending *pending)
{
    struct kw_hsm_call *call = pending->call;

    pending->call = NULL;
    if (call == NULL) {
        return;
    }
    pending->completing = true;
    call->done(call, pending->answers, pending->count);
    pending->completing = false;
    if (pending->doomed) {
        kw_hsm_pending_free(pending);
    }
}
