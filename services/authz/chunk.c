/* Decisions and answers of one chunk. */
#include "services/authz/chunk.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/rpc/arena_proto.h"
#include "services/authz/chunk_group.h"
#include "services/authz/rpc_status.h"

#include <stdlib.h>

struct kw_result kw_chunk_new(struct kw_authz_call *call, struct kw_bytes message,
                              struct kw_chunk **ret_chunk, struct kw_error *err)
{
    struct kw_chunk *chunk = calloc(1, sizeof(*chunk));
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);

    if (chunk == NULL || arena == NULL ||
        !kw_ok(kw_arena_copy(arena, message, &chunk->body, err))) {
        free(chunk);
        kw_arena_free(arena);
        KW_FAIL(err, MEMORY, "a chunk of %zu bytes", message.len);
    }
    chunk->call = call;
    chunk->arena = arena;
    chunk->caller = call->caller;
    *ret_chunk = chunk;
    return KW_OK;
}

void kw_chunk_free(struct kw_chunk *chunk)
{
    kw_arena_free(chunk->arena);
    free(chunk);
}

/* --- on the store's thread --- */

static struct kw_result item_read(const Keyward__V1__BatchAccessItem *asked,
                                  struct kw_access_item *item, struct kw_error *err)
{
    if (asked->request_case == KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_GET) {
        return kw_access_item_get(asked->get, item, NULL, err);
    }
    KW_ENSURE(asked->request_case == KEYWARD__V1__BATCH_ACCESS_ITEM__REQUEST_DERIVE, err,
              ARGUMENT_INVALID, "an item that asks nothing");
    return kw_access_item_derive(asked->derive, item, NULL, err);
}

static struct kw_result item_look_up(struct kw_chunk *chunk, struct kw_chunk_item *item,
                                     struct kw_tx *tx, struct kw_error *err)
{
    KW_TRY(item_read(item->asked, &item->access, err));
    kw_access_item_here(&item->access, chunk->call->authz, chunk->now_ms);
    return kw_access_item_look_up(&item->access, chunk->caller.member.id, tx, chunk->arena, err);
}

/* An item that is malformed, or whose device has more disabling facts than a capsule holds, fails
 * alone; another failure is trouble of ours and fails the chunk. */
static struct kw_result items_look_up(struct kw_chunk *chunk, struct kw_tx *tx,
                                      struct kw_error *err)
{
    for (size_t i = 0; i < chunk->count; i++) {
        struct kw_result result = item_look_up(chunk, &chunk->items[i], tx, err);

        if (result.reason != KW_E_ARGUMENT_INVALID && result.reason != KW_E_LIMIT_REACHED) {
            KW_TRY(result);
        }
        chunk->items[i].reason = result.reason;
    }
    return KW_OK;
}

static struct kw_result items_read(struct kw_chunk *chunk, struct kw_error *err)
{
    const Keyward__V1__BatchGetDeviceAccessRequest *request;
    ProtobufCMessage *message;

    KW_TRY(kw_message_unpack(&keyward__v1__batch_get_device_access_request__descriptor, chunk->body,
                             chunk->arena, &message, err));
    request = (const Keyward__V1__BatchGetDeviceAccessRequest *)message;
    KW_ENSURE(request->n_items >= 1 && request->n_items <= KW_CHUNK_ITEMS_MAX, err,
              ARGUMENT_INVALID, "a chunk of %zu items", request->n_items);
    chunk->items = kw_arena_alloc(chunk->arena, request->n_items * sizeof(*chunk->items));
    KW_ENSURE(chunk->items != NULL, err, MEMORY, "%zu items", request->n_items);
    chunk->count = request->n_items;
    for (size_t i = 0; i < chunk->count; i++) {
        chunk->items[i].asked = request->items[i];
    }
    return KW_OK;
}

static struct kw_result look_up(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_chunk *chunk = KW_CONTAINER_OF(job, struct kw_chunk, job);

    KW_TRY(kw_caller_admit(&chunk->caller, tx, chunk->now_ms, chunk->arena, err));
    KW_ENSURE((chunk->call->method->roles & (unsigned)chunk->caller.role) != 0, err,
              PERMISSION_DENIED, "not for this role");
    KW_TRY(items_read(chunk, err));
    return items_look_up(chunk, tx, err);
}

/* --- answers --- */

static struct kw_result result_make(struct kw_chunk *chunk, size_t index,
                                    Keyward__V1__KeyEnvelope *envelope,
                                    Keyward__V1__BatchAccessResult *result, struct kw_error *err)
{
    struct kw_chunk_item *item = &chunk->items[index];

    keyward__v1__batch_access_result__init(result);
    result->item_id = item->asked->item_id;
    if (item->reason == KW_E_NONE) {
        result->result_case = KEYWARD__V1__BATCH_ACCESS_RESULT__RESULT_ENVELOPE;
        result->envelope = envelope;
        return KW_OK;
    }
    result->result_case = KEYWARD__V1__BATCH_ACCESS_RESULT__RESULT_ERROR;
    return kw_rpc_status_make(item->reason, item->retry_ms, chunk->arena, &result->error, err);
}

struct kw_result kw_chunk_answer(struct kw_chunk *chunk, const size_t *indices,
                                 Keyward__V1__KeyEnvelope *const *envelopes, size_t count,
                                 struct kw_error *err)
{
    Keyward__V1__BatchGetDeviceAccessResponse response =
        KEYWARD__V1__BATCH_GET_DEVICE_ACCESS_RESPONSE__INIT;
    Keyward__V1__BatchAccessResult *results =
        kw_arena_alloc(chunk->arena, (count + 1) * sizeof(*results));
    struct kw_bytes packed;

    response.results = kw_arena_alloc(chunk->arena, (count + 1) * sizeof(*response.results));
    KW_ENSURE(results != NULL && response.results != NULL, err, MEMORY, "%zu results", count);
    for (size_t i = 0; i < count; i++) {
        KW_TRY(result_make(chunk, indices[i], envelopes != NULL ? envelopes[i] : NULL, &results[i],
                           err));
        response.results[i] = &results[i];
    }
    response.n_results = count;
    KW_TRY(kw_arena_pack(chunk->arena, &response.base, &packed, err));
    chunk->answered += count;
    chunk->answer(chunk, packed);
    return KW_OK;
}

/* --- on the loop thread --- */

void kw_chunk_fail(struct kw_chunk *chunk, const struct kw_error *error)
{
    if (chunk->error.reason == KW_E_NONE) {
        chunk->error = *error;
    }
    chunk->cancelled = true;
}

static void refuse(struct kw_chunk *chunk, struct kw_chunk_item *item, const struct kw_error *error)
{
    item->reason = error->reason;
    if (item->reason == KW_E_QUOTA_EXCEEDED) {
        item->retry_ms = kw_access_item_retry_ms(&item->access, &chunk->caller.member,
                                                 &chunk->call->authz->diary.quotas);
    }
    kw_authz_call_denied(chunk->call, error);
}

/* Items that were refused and not yet answered. */
static struct kw_result answer_refused(struct kw_chunk *chunk, struct kw_error *err)
{
    size_t indices[KW_CHUNK_ITEMS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < chunk->count; i++) {
        if (!chunk->items[i].grouped && chunk->items[i].reason != KW_E_NONE) {
            chunk->items[i].grouped = true;
            indices[count++] = i;
        }
    }
    return count > 0 ? kw_chunk_answer(chunk, indices, NULL, count, err) : KW_OK;
}

static void next_grants(struct kw_chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++) {
        struct kw_chunk_item *item = &chunk->items[i];
        struct kw_error error;

        if (!item->grouped && item->reason == KW_E_NONE &&
            !kw_ok(kw_access_item_next(&item->access, chunk->call->authz, &error))) {
            refuse(chunk, item, &error);
        }
    }
}

void kw_chunk_proceed(struct kw_chunk *chunk)
{
    struct kw_error error;

    if (!chunk->cancelled) {
        next_grants(chunk);
        if (!kw_ok(answer_refused(chunk, &error)) || !kw_ok(kw_chunk_groups_start(chunk, &error))) {
            kw_chunk_fail(chunk, &error);
        }
    }
    if (chunk->groups == NULL) {
        chunk->done(chunk);
    } else if (chunk->cancelled) {
        kw_chunk_groups_cancel(chunk);
    }
}

static void looked_up(struct kw_store_job *job)
{
    struct kw_chunk *chunk = KW_CONTAINER_OF(job, struct kw_chunk, job);
    struct kw_quota_book *quotas = &chunk->call->authz->diary.quotas;

    if (!kw_ok(job->result)) {
        kw_chunk_fail(chunk, &job->error);
    }
    for (size_t i = 0; i < chunk->count && !chunk->cancelled; i++) {
        struct kw_chunk_item *item = &chunk->items[i];
        struct kw_error error;

        if (item->reason == KW_E_NONE &&
            !kw_ok(kw_access_item_decide(&item->access, &chunk->caller.member, quotas, &error))) {
            refuse(chunk, item, &error);
        }
    }
    kw_chunk_proceed(chunk);
}

struct kw_result kw_chunk_start(struct kw_chunk *chunk, struct kw_error *err)
{
    chunk->now_ms = kw_clock_wall_ms();
    chunk->epoch = chunk->call->authz->epoch;
    chunk->decided_ns = kw_clock_mono_ns();
    chunk->job = (struct kw_store_job){.run = look_up, .done = looked_up};
    return kw_store_read(chunk->call->authz->store, &chunk->job, err);
}

void kw_chunk_cancel(struct kw_chunk *chunk)
{
    chunk->cancelled = true;
    kw_chunk_groups_cancel(chunk);
}
