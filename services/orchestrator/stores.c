/* ListStores, OrderStores: the orchestrator's own. Authz adds its. */
#include "common/base/clock.h"
#include "common/feed/feed_order.h"
#include "common/feed_service/store_list.h"
#include "common/rpc/messages.h"
#include "services/orchestrator/handlers.h"

struct kw_result kw_stores_list_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    Keyward__V1__ListStoresResponse response;

    KW_TRY(kw_store_list(&call->orch->feed, tx, "orchestrator",
                         (const Keyward__V1__ListStoresRequest *)call->request, call->arena,
                         &response, err));
    return kw_call_answer(call, &response.base, err);
}

static struct kw_result obey(struct kw_call *call, const struct kw_feed_tx *feed_tx,
                             struct kw_error *err)
{
    const Keyward__V1__OrderStoresRequest *request =
        (const Keyward__V1__OrderStoresRequest *)call->request;
    Keyward__V1__OrderStoresResponse response = KEYWARD__V1__ORDER_STORES_RESPONSE__INIT;
    struct kw_feed_obeyed obeyed = {0};

    call->field = "order";
    KW_TRY(
        kw_feed_obey(feed_tx, kw_bytes_field(request->order), call->validate_only, &obeyed, err));
    response.known = (uint32_t)obeyed.known;
    response.changed = (uint32_t)obeyed.changed;
    return kw_call_answer(call, &response.base, err);
}

struct kw_result kw_stores_order_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = {
        .feed = &call->orch->feed, .tx = tx, .arena = call->arena, .wall_ms = kw_clock_wall_ms()};

    return call->validate_only ? obey(call, &feed_tx, err) : KW_OK; /* the writer judges, too */
}

struct kw_result kw_stores_order_write(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    (void)tx;
    return obey(call, &call->feed_tx, err);
}
