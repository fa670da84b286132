/* One inner call for several items, and what comes back for each. */
#include "services/authz/chunk_group.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/metrics.h"
#include "common/rpc/arena_proto.h"
#include "services/authz/forward.h"
#include "services/authz/rpc_status.h"

#include <stdio.h>

/* In the chunk's arena. */
struct kw_chunk_group {
    struct kw_chunk_group *next;
    struct kw_chunk *chunk;
    struct kw_inner inner;
    size_t *indices; /* of the chunk's items */
    Keyward__V1__KeyEnvelope **envelopes;
    size_t count;
    struct kw_store_job job;
    struct kw_caller caller; /* as admitted when it was asked again */
    uint64_t epoch;
    uint64_t decided_ns;
};

static struct kw_chunk_item *item_of(const struct kw_chunk_group *group, size_t i)
{
    return &group->chunk->items[group->indices[i]];
}

/* --- the end --- */

static void group_remove(struct kw_chunk_group *group)
{
    struct kw_chunk_group **at = &group->chunk->groups;

    while (*at != group) {
        at = &(*at)->next;
    }
    *at = group->next;
    kw_inner_done(&group->inner);
}

/* An item whose grant does not cover its device goes on with the next grant. */
static bool goes_on(const struct kw_chunk_item *item)
{
    return item->reason == KW_E_SCOPE_MISMATCH;
}

static void finish(struct kw_chunk_group *group)
{
    struct kw_chunk *chunk = group->chunk;
    struct kw_error error;
    size_t count = 0;

    for (size_t i = 0; i < group->count; i++) {
        struct kw_chunk_item *item = item_of(group, i);

        if (goes_on(item)) {
            item->reason = KW_E_NONE;
            item->grouped = false;
            continue;
        }
        group->indices[count] = group->indices[i];
        group->envelopes[count] = group->envelopes[i];
        count++;
    }
    group_remove(group);
    if (count > 0 && !chunk->cancelled &&
        !kw_ok(kw_chunk_answer(chunk, group->indices, group->envelopes, count, &error))) {
        kw_chunk_fail(chunk, &error);
    }
    kw_chunk_proceed(chunk);
}

/* --- still allowed? --- */

static struct kw_result recheck_items(struct kw_chunk_group *group, struct kw_tx *tx,
                                      struct kw_arena *arena, struct kw_error *err)
{
    KW_TRY(kw_caller_admit(&group->caller, tx, group->chunk->now_ms, arena, err));
    for (size_t i = 0; i < group->count; i++) {
        struct kw_chunk_item *item = item_of(group, i);

        if (item->reason == KW_E_NONE) {
            item->reason = kw_access_item_recheck(&item->access, group->chunk->call->authz,
                                                  &group->caller.member, tx, arena, NULL)
                               .reason;
            item->dropped = item->reason != KW_E_NONE;
        }
    }
    return KW_OK;
}

/* With an arena of its own: the chunk's is the loop thread's meanwhile, for its other groups. */
static struct kw_result recheck(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_chunk_group *group = KW_CONTAINER_OF(job, struct kw_chunk_group, job);
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "asking again");
    result = recheck_items(group, tx, arena, err);
    kw_arena_free(arena);
    return result;
}

static void returned(struct kw_chunk_group *group);

static void drop(struct kw_chunk_group *group, struct kw_chunk_item *item)
{
    if (item->dropped) {
        struct kw_error error = {.reason = item->reason};

        (void)snprintf(error.message, sizeof(error.message), "disabled_meanwhile");
        kw_metric_add(KW_M_ANSWERS_DROPPED, NULL, 1);
        kw_authz_call_denied(group->chunk->call, &error);
        item->dropped = false;
    }
}

static void rechecked(struct kw_store_job *job)
{
    struct kw_chunk_group *group = KW_CONTAINER_OF(job, struct kw_chunk_group, job);

    if (!kw_ok(job->result)) {
        kw_metric_add(KW_M_ANSWERS_DROPPED, NULL, 1);
        kw_chunk_fail(group->chunk, &job->error);
    }
    for (size_t i = 0; i < group->count; i++) {
        drop(group, item_of(group, i));
    }
    returned(group);
}

static void returned(struct kw_chunk_group *group)
{
    struct kw_authz *authz = group->chunk->call->authz;
    struct kw_error error;

    if (group->chunk->cancelled ||
        (group->epoch == authz->epoch && kw_authz_decision_holds(group->decided_ns))) {
        finish(group);
        return;
    }
    group->epoch = authz->epoch;
    group->decided_ns = kw_clock_mono_ns();
    group->caller = group->chunk->caller;
    group->job = (struct kw_store_job){.run = recheck, .done = rechecked};
    if (!kw_ok(kw_store_read(authz->store, &group->job, &error))) {
        kw_chunk_fail(group->chunk, &error);
        finish(group);
    }
}

/* --- the answer --- */

static void result_take(struct kw_chunk_group *group, const Keyward__V1__BatchAccessResult *result)
{
    struct kw_chunk_item *item;

    if (result->item_id >= group->count) {
        return; /* nothing we asked */
    }
    item = item_of(group, (size_t)result->item_id);
    if (result->result_case == KEYWARD__V1__BATCH_ACCESS_RESULT__RESULT_ENVELOPE) {
        item->reason = KW_E_NONE;
        group->envelopes[result->item_id] = result->envelope;
    } else if (result->result_case == KEYWARD__V1__BATCH_ACCESS_RESULT__RESULT_ERROR) {
        item->reason = kw_rpc_status_reason(result->error, group->chunk->arena);
    }
}

static struct kw_result results_read(struct kw_chunk_group *group, struct kw_bytes response,
                                     struct kw_error *err)
{
    const Keyward__V1__BatchGetDeviceAccessResponse *answers;
    ProtobufCMessage *message;

    KW_TRY(kw_message_unpack(&keyward__v1__batch_get_device_access_response__descriptor, response,
                             group->chunk->arena, &message, err));
    answers = (const Keyward__V1__BatchGetDeviceAccessResponse *)message;
    for (size_t i = 0; i < answers->n_results; i++) {
        result_take(group, answers->results[i]);
    }
    return KW_OK;
}

/* Refused further in, perhaps without a receipt: recorded as a unary call's refusal would be. */
static void not_done(struct kw_chunk_group *group, const struct kw_chunk_item *item)
{
    struct kw_authz_call *call = group->chunk->call;
    struct kw_error error = {.reason = item->reason};

    (void)snprintf(error.message, sizeof(error.message), "inner layer");
    kw_access_item_give_back(&item->access, call->authz);
    kw_authz_call_denied(call, &error);
}

/* Until it is answered an item has failed as the inner call has; INTERNAL if that says nothing. */
static void items_judge(struct kw_chunk_group *group)
{
    const struct kw_inner *inner = &group->inner;
    enum kw_reason reason = inner->reason != KW_E_NONE ? inner->reason : KW_E_INTERNAL;

    for (size_t i = 0; i < group->count; i++) {
        item_of(group, i)->reason = reason;
    }
    for (size_t i = 0; i < inner->message_count; i++) {
        KW_IGNORE(
            results_read(group, inner->messages[i], NULL)); /* what is unread stays INTERNAL */
    }
}

/* Where all were refused before a key was used there is no receipt; with one envelope there is. */
static void receipt_judge(struct kw_chunk_group *group)
{
    size_t used = 0;

    for (size_t i = 0; i < group->count; i++) {
        used += item_of(group, i)->reason == KW_E_NONE ? 1 : 0;
    }
    if (used == 0 || kw_ok(kw_inner_receipt_require(&group->inner, NULL))) {
        return;
    }
    for (size_t i = 0; i < group->count; i++) {
        if (item_of(group, i)->reason == KW_E_NONE) {
            item_of(group, i)->reason = KW_E_INTERNAL;
        }
    }
}

static void inner_done(struct kw_inner *inner)
{
    struct kw_chunk_group *group = inner->user;

    items_judge(group);
    receipt_judge(group);
    for (size_t i = 0; i < group->count; i++) {
        if (item_of(group, i)->reason != KW_E_NONE) {
            not_done(group, item_of(group, i));
        }
    }
    returned(group);
}

/* --- the question --- */

static bool same_group(const struct kw_chunk_item *a, const struct kw_chunk_item *b)
{
    return a->access.access.operation == b->access.access.operation &&
           kw_id_equal(kw_access_item_grant(&a->access)->id, kw_access_item_grant(&b->access)->id);
}

/* The group's capsule carries the facts of all its items: those that no longer fit make another
 * group. */
static void group_fill(struct kw_chunk_group *group, size_t first)
{
    struct kw_chunk *chunk = group->chunk;
    size_t facts_len = 0;

    for (size_t i = first; i < chunk->count; i++) {
        struct kw_chunk_item *item = &chunk->items[i];
        size_t len = item->access.disabled.len;

        if (!item->grouped && item->reason == KW_E_NONE && same_group(&chunk->items[first], item) &&
            (i == first || facts_len + len <= KW_CHUNK_FACTS_LEN_MAX)) {
            group->indices[group->count++] = i;
            facts_len += len;
        }
    }
}

static struct kw_result group_new(struct kw_chunk *chunk, size_t first,
                                  struct kw_chunk_group **ret_group, struct kw_error *err)
{
    struct kw_chunk_group *group = kw_arena_alloc(chunk->arena, sizeof(*group));
    size_t room = chunk->count - first;

    KW_ENSURE(group != NULL, err, MEMORY, "a group");
    group->indices = kw_arena_alloc(chunk->arena, room * sizeof(*group->indices));
    group->envelopes = kw_arena_alloc(chunk->arena, room * sizeof(Keyward__V1__KeyEnvelope *));
    KW_ENSURE(group->indices != NULL && group->envelopes != NULL, err, MEMORY, "a group");
    group->chunk = chunk;
    group->epoch = chunk->epoch;
    group->decided_ns = chunk->decided_ns;
    group_fill(group, first);
    *ret_group = group;
    return KW_OK;
}

/* The question again, with this group's items alone, numbered by their place in it. */
static struct kw_result body_make(struct kw_chunk_group *group, struct kw_bytes *ret_body,
                                  struct kw_error *err)
{
    Keyward__V1__BatchGetDeviceAccessRequest request =
        KEYWARD__V1__BATCH_GET_DEVICE_ACCESS_REQUEST__INIT;
    struct kw_arena *arena = group->chunk->arena;
    Keyward__V1__BatchAccessItem *items = kw_arena_alloc(arena, group->count * sizeof(*items));

    request.items = kw_arena_alloc(arena, group->count * sizeof(*request.items));
    KW_ENSURE(items != NULL && request.items != NULL, err, MEMORY, "%zu items", group->count);
    for (size_t i = 0; i < group->count; i++) {
        items[i] = *item_of(group, i)->asked;
        items[i].item_id = i;
        request.items[i] = &items[i];
    }
    request.n_items = group->count;
    return kw_arena_pack(arena, &request.base, ret_body, err);
}

static struct kw_result capsule_make(struct kw_chunk_group *group, struct kw_error *err)
{
    struct kw_chunk *chunk = group->chunk;
    struct kw_inner *inner = &group->inner;
    struct kw_capsule *capsule = &inner->slot.capsule;

    KW_TRY(body_make(group, &inner->body, err));
    *capsule = kw_forward_capsule(chunk->call);
    KW_TRY(kw_sha256(inner->body, capsule->body_hash, err));
    capsule->owner = chunk->caller.member.id;
    capsule->authz_epoch = chunk->epoch;
    for (size_t i = 0; i < group->count; i++) {
        KW_TRY(kw_access_item_capsule(&item_of(group, i)->access, &chunk->caller.member,
                                      &inner->slot, err));
    }
    return KW_OK;
}

static struct kw_result group_start(struct kw_chunk_group *group, struct kw_error *err)
{
    struct kw_chunk *chunk = group->chunk;
    struct kw_inner *inner = &group->inner;
    struct kw_result result;

    kw_forward_prepare(chunk->call, inner);
    result = capsule_make(group, err);
    if (!kw_ok(result)) {
        kw_inner_done(inner);
        return result;
    }
    for (size_t i = 0; i < group->count; i++) {
        item_of(group, i)->grouped = true;
    }
    inner->arena = chunk->arena;
    inner->user = group;
    inner->done = inner_done;
    inner->receipt_optional = true; /* receipt_judge */
    group->next = chunk->groups;
    chunk->groups = group;
    kw_inner_start(inner);
    return KW_OK;
}

struct kw_result kw_chunk_groups_start(struct kw_chunk *chunk, struct kw_error *err)
{
    for (size_t i = 0; i < chunk->count; i++) {
        struct kw_chunk_group *group;

        if (chunk->items[i].grouped || chunk->items[i].reason != KW_E_NONE) {
            continue;
        }
        KW_TRY(group_new(chunk, i, &group, err));
        KW_TRY(group_start(group, err));
    }
    return KW_OK;
}

/* One that is asked again on the store's thread is waited for. */
void kw_chunk_groups_cancel(struct kw_chunk *chunk)
{
    for (struct kw_chunk_group *group = chunk->groups; group != NULL; group = group->next) {
        kw_inner_cancel(&group->inner);
    }
}
