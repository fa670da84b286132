/* GetDeviceAccess and DeriveSession: one device, one capsule, one envelope. */
#include "services/authz/operations.h"

#include "services/authz/access_item.h"
#include "services/authz/forward.h"

static struct kw_result item_read(struct kw_authz_call *call, struct kw_access_item *item,
                                  struct kw_error *err)
{
    if (call->method->id == KW_METHOD_GET_DEVICE_ACCESS) {
        return kw_access_item_get((const Keyward__V1__GetDeviceAccessRequest *)call->request, item,
                                  &call->field, err);
    }
    return kw_access_item_derive((const Keyward__V1__DeriveSessionRequest *)call->request, item,
                                 &call->field, err);
}

struct kw_result kw_authz_access(struct kw_authz_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_access_item *item = kw_arena_alloc(call->arena, sizeof(*item));

    KW_ENSURE(item != NULL, err, MEMORY, "an item");
    KW_TRY(item_read(call, item, err));
    kw_access_item_here(item, call->authz, call->now_ms);
    call->state = item;
    return kw_access_item_look_up(item, call->caller.member.id, tx, call->arena, err);
}

/* Nothing goes in, or no longer. */
static void refuse(struct kw_authz_call *call, const struct kw_error *error)
{
    if (error->reason == KW_E_QUOTA_EXCEEDED) {
        call->retry_after_ms =
            kw_access_item_retry_ms(call->state, &call->caller.member, &call->authz->diary.quotas);
    }
    kw_authz_call_fail(call, error);
}

static struct kw_result try_next(struct kw_authz_call *call, struct kw_error *err);

static void inner_done(struct kw_inner *inner)
{
    struct kw_authz_call *call = inner->user;
    struct kw_error error;

    if (inner->reason == KW_E_NONE) {
        call->response = inner->message_count > 0 ? inner->messages[0] : KW_BYTES_NONE;
        kw_forward_returned(call, kw_authz_call_answer);
        return;
    }
    kw_access_item_give_back(call->state, call->authz);
    if (inner->reason != KW_E_SCOPE_MISMATCH) {
        kw_authz_call_fail_inner(call);
        return;
    }
    kw_inner_reset(inner);
    if (!kw_ok(try_next(call, &error))) {
        refuse(call, &error);
    }
}

static struct kw_result try_next(struct kw_authz_call *call, struct kw_error *err)
{
    struct kw_access_item *item = call->state;
    struct kw_capsule_slot *slot = &call->inner.slot;

    KW_TRY(kw_access_item_next(item, call->authz, err));
    slot->capsule = kw_forward_capsule(call);
    kw_buf_clear(&slot->disabled);
    KW_TRY(kw_access_item_capsule(item, &call->caller.member, slot, err));
    kw_forward_prepare(call, &call->inner);
    call->inner.done = inner_done;
    kw_inner_start(&call->inner);
    return KW_OK;
}

void kw_authz_access_proceed(struct kw_authz_call *call)
{
    struct kw_error error;
    struct kw_result result = kw_access_item_decide(call->state, &call->caller.member,
                                                    &call->authz->diary.quotas, &error);

    if (kw_ok(result)) {
        result = try_next(call, &error);
    }
    if (!kw_ok(result)) {
        refuse(call, &error);
    }
}

struct kw_result kw_authz_access_recheck(struct kw_authz_call *call, struct kw_tx *tx,
                                         struct kw_error *err)
{
    return kw_access_item_recheck(call->state, call->authz, &call->caller.member, tx, call->arena,
                                  err);
}
