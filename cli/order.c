/* Putting together what cells know. */
#include "cli/order.h"

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/rpc/messages.h"
#include "common/sync/order.h"
#include "common/sync/version_vector.h"

#include <stdio.h>
#include <string.h>

/* --- which stores --- */

static bool is_there(const struct kw_order_draft *draft, const Keyward__V1__Store *store)
{
    size_t region_len = strlen(store->region);

    return strncmp(draft->place, store->region, region_len) == 0 &&
           draft->place[region_len] == '/' &&
           strcmp(draft->place + region_len + 1, store->cell) == 0;
}

/* One that is fenced stays it; a life that is not known can't be named. */
static bool may_be_ordered(const struct kw_order_draft *draft, const Keyward__V1__Store *store)
{
    return store->state != KEYWARD__V1__STORE_STATE__STORE_STATE_FENCED &&
           (draft->order.action == KW_ORDER_FENCE || store->incarnation.len == KW_ID_LEN);
}

/* Its place in the order, which is by id. */
static struct kw_result place_for(struct kw_order_draft *draft, struct kw_id id,
                                  struct kw_order_store **ret_store, struct kw_error *err)
{
    struct kw_order *order = &draft->order;
    size_t i = 0;

    while (i < order->store_count &&
           kw_bytes_order(kw_id_bytes(&order->stores[i].store), kw_id_bytes(&id)) < 0) {
        i++;
    }
    *ret_store = &order->stores[i];
    if (i < order->store_count && kw_id_equal(order->stores[i].store, id)) {
        return KW_OK;
    }
    KW_ENSURE(order->store_count < KW_ORDER_STORES_MAX, err, LIMIT_REACHED,
              "more than %u stores at %s", KW_ORDER_STORES_MAX, draft->place);
    for (size_t after = order->store_count++; after > i; after--) {
        order->stores[after] = order->stores[after - 1];
    }
    order->stores[i] = (struct kw_order_store){.store = id};
    return KW_OK;
}

/* --- how far --- */

static struct kw_result add_lane(struct kw_order_draft *draft, struct kw_order_store *store,
                                 const Keyward__V1__StoreLane *lane, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf one = {0};
    struct kw_writer w = KW_WRITER(&one);
    struct kw_id id;

    KW_TRY(kw_id_from_bytes(kw_bytes_field(lane->lane), &id, err));
    if (lane->sequence == 0) {
        return KW_OK;
    }
    kw_put_vector_entry(&w, id, lane->sequence);
    KW_TRY(kw_writer_end(&w, err));
    KW_TRY(kw_vector_join(store->fence, kw_buf_bytes(&one), draft->arena, &store->fence, err));
    return kw_arena_copy(draft->arena, store->fence, &store->fence, err);
}

static struct kw_result add_store(struct kw_order_draft *draft, const Keyward__V1__Store *known,
                                  struct kw_error *err)
{
    struct kw_order_store *store;
    struct kw_id id;

    KW_TRY(kw_id_from_bytes(kw_bytes_field(known->store), &id, err));
    KW_TRY(place_for(draft, id, &store, err));
    if (draft->order.action == KW_ORDER_DRAIN) {
        return kw_id_from_bytes(kw_bytes_field(known->incarnation), &store->life, err);
    }
    for (size_t i = 0; i < known->n_lanes; i++) {
        KW_TRY(add_lane(draft, store, known->lanes[i], err));
    }
    return KW_OK;
}

struct kw_result kw_order_draft_add(struct kw_order_draft *draft,
                                    const Keyward__V1__ListStoresResponse *known,
                                    struct kw_error *err)
{
    struct kw_id mesh;

    KW_TRY(kw_id_from_bytes(kw_bytes_field(known->mesh), &mesh, err));
    KW_ENSURE(!draft->begun || kw_id_equal(mesh, draft->order.mesh), err, ARGUMENT_INVALID,
              "cells of two meshes");
    draft->order.mesh = mesh;
    draft->begun = true;
    for (size_t i = 0; i < known->n_stores; i++) {
        const Keyward__V1__Store *store = known->stores[i];

        if (is_there(draft, store) && may_be_ordered(draft, store)) {
            KW_TRY(add_store(draft, store, err));
        }
    }
    return KW_OK;
}

struct kw_result kw_order_draft_end(struct kw_order_draft *draft, struct kw_buf *content,
                                    struct kw_error *err)
{
    KW_ENSURE(draft->order.store_count > 0, err, NOT_FOUND, "no store at %s that is not fenced",
              draft->place);
    draft->order.issued_ms = kw_clock_wall_ms();
    return kw_order_encode(&draft->order, content, err);
}

/* --- signing --- */

struct kw_result kw_order_sign(struct kw_bytes content, const char *key_file, struct kw_buf *record,
                               struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_signature signature;

    KW_TRY(kw_private_key_from_file(&key, key_file, err));
    KW_TRY(kw_buf_append(&message, kw_bytes_str(KW_ORDER_LABEL), err));
    KW_TRY(kw_buf_append(&message, content, err));
    KW_TRY(kw_ecdsa_sign(&key, kw_buf_bytes(&message), &signature, err));
    return kw_order_seal(content, kw_signature_bytes(&signature), record, err);
}
