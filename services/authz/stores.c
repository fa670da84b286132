/* ListStores, OrderStores: authz's own stores, and then the orchestrator's. */
#include "services/authz/operations.h"

#include "common/feed/feed_order.h"
#include "common/feed_service/store_list.h"
#include "services/authz/forward.h"

/* --- what there is --- */

struct kw_result kw_authz_stores_list(struct kw_authz_call *call, struct kw_tx *tx,
                                      struct kw_error *err)
{
    Keyward__V1__ListStoresResponse *own = kw_arena_alloc(call->arena, sizeof(*own));

    KW_ENSURE(own != NULL, err, MEMORY, "a list of stores");
    KW_TRY(kw_store_list(&call->authz->feed, tx, "authz",
                         (const Keyward__V1__ListStoresRequest *)call->request, call->arena, own,
                         err));
    call->state = own;
    return kw_authz_read(call, tx, err);
}

static struct kw_result unpack(struct kw_authz_call *call,
                               const ProtobufCMessageDescriptor *descriptor,
                               ProtobufCMessage **ret_message, struct kw_error *err)
{
    KW_ENSURE(call->inner.message_count == 1, err, INTERNAL, "%zu messages about stores",
              call->inner.message_count);
    return kw_message_unpack(descriptor, call->inner.messages[0], call->arena, ret_message, err);
}

static struct kw_result join_lists(struct kw_authz_call *call, struct kw_error *err)
{
    const Keyward__V1__ListStoresResponse *own = call->state;
    const Keyward__V1__ListStoresResponse *inner;
    Keyward__V1__ListStoresResponse both = *own;
    ProtobufCMessage *message = NULL;

    KW_TRY(unpack(call, &keyward__v1__list_stores_response__descriptor, &message, err));
    inner = (const Keyward__V1__ListStoresResponse *)message;
    both.stores =
        kw_arena_alloc(call->arena, (own->n_stores + inner->n_stores) * sizeof(*both.stores) + 1);
    KW_ENSURE(both.stores != NULL, err, MEMORY, "a list of stores");
    kw_copy(both.stores, own->stores, own->n_stores * sizeof(*both.stores));
    for (size_t i = 0; i < inner->n_stores; i++) {
        both.stores[both.n_stores++] = inner->stores[i];
    }
    return kw_authz_call_respond(call, &both.base, err);
}

/* --- what is ordered --- */

struct kw_result kw_authz_stores_order(struct kw_authz_call *call, struct kw_tx *tx,
                                       struct kw_error *err)
{
    const Keyward__V1__OrderStoresRequest *request =
        (const Keyward__V1__OrderStoresRequest *)call->request;
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);
    struct kw_feed_obeyed *obeyed = kw_arena_alloc(call->arena, sizeof(*obeyed));

    KW_ENSURE(obeyed != NULL, err, MEMORY, "an order");
    call->field = "order";
    KW_TRY(
        kw_feed_obey(&feed_tx, kw_bytes_field(request->order), call->validate_only, obeyed, err));
    call->disabled = obeyed->changed > 0;
    call->state = obeyed;
    KW_TRY(call->validate_only ? KW_OK : kw_authz_call_audit(call, tx, err));
    return kw_authz_read(call, tx, err);
}

static struct kw_result add_up(struct kw_authz_call *call, struct kw_error *err)
{
    const struct kw_feed_obeyed *own = call->state;
    Keyward__V1__OrderStoresResponse both = KEYWARD__V1__ORDER_STORES_RESPONSE__INIT;
    const Keyward__V1__OrderStoresResponse *inner;
    ProtobufCMessage *message = NULL;

    KW_TRY(unpack(call, &keyward__v1__order_stores_response__descriptor, &message, err));
    inner = (const Keyward__V1__OrderStoresResponse *)message;
    both.known = (uint32_t)own->known + inner->known;
    both.changed = (uint32_t)own->changed + inner->changed;
    KW_ENSURE(both.known > 0, err, NOT_FOUND, "no store of the order is known here");
    return kw_authz_call_respond(call, &both.base, err);
}

/* --- the way --- */

static void answer(struct kw_authz_call *call,
                   struct kw_result (*make)(struct kw_authz_call *call, struct kw_error *err))
{
    struct kw_error error;

    if (call->inner.reason != KW_E_NONE) {
        kw_authz_call_fail_inner(call);
    } else if (!kw_ok(make(call, &error))) {
        kw_authz_call_fail(call, &error);
    } else {
        kw_forward_returned(call, kw_authz_call_answer);
    }
}

static void list_done(struct kw_inner *inner)
{
    answer(inner->user, join_lists);
}

static void order_done(struct kw_inner *inner)
{
    answer(inner->user, add_up);
}

static void go_inward(struct kw_authz_call *call, void (*done)(struct kw_inner *inner))
{
    kw_forward_prepare(call, &call->inner);
    call->inner.done = done;
    kw_inner_start(&call->inner);
}

void kw_authz_stores_list_proceed(struct kw_authz_call *call)
{
    go_inward(call, list_done);
}

void kw_authz_stores_order_proceed(struct kw_authz_call *call)
{
    go_inward(call, order_done);
}
