/* Putting together what cells know. */
#include "cli/order.h"

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/crypto/digest.h"
#include "common/feed/lane_head.h"
#include "common/rpc/messages.h"
#include "common/sync/order.h"
#include "common/sync/version_vector.h"

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
    return (draft->again || store->state != KEYWARD__V1__STORE_STATE__STORE_STATE_FENCED) &&
           (draft->order.action != KW_ORDER_DRAIN || store->incarnation.len == KW_ID_LEN);
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

/* A cell holds this much of a lane, by a head that was signed with this key. */
struct kw_order_claim {
    struct kw_order_claim *next;
    unsigned cell;
    struct kw_id store;
    struct kw_id lane;
    uint64_t seq;
    uint8_t signer[KW_SHA256_LEN];
};

/* A cell knows this key of a store. */
struct kw_order_key {
    struct kw_order_key *next;
    unsigned cell;
    struct kw_id store;
    uint8_t signer[KW_SHA256_LEN];
};

/* Is this head of the lane it is said to be of, and signed by the key in it? */
static struct kw_result is_signed(const struct kw_order_draft *draft, struct kw_id store,
                                  const Keyward__V1__StoreLane *lane, struct kw_lane_head *ret_head,
                                  bool *ret_is, struct kw_error *err)
{
    struct kw_result verified;
    struct kw_id id;

    *ret_is = false;
    if (!kw_ok(kw_lane_head_decode(kw_bytes_field(lane->head), ret_head, NULL))) {
        return KW_OK;
    }
    KW_TRY(kw_lane_id(&ret_head->lane, &id, err));
    if (!kw_bytes_equal(kw_id_bytes(&id), kw_bytes_field(lane->lane)) ||
        !kw_id_equal(ret_head->lane.store, store) ||
        !kw_id_equal(ret_head->lane.mesh, draft->order.mesh)) {
        return KW_OK;
    }
    verified = kw_lane_head_verify(ret_head, err);
    *ret_is = kw_ok(verified);
    return verified.reason == KW_E_SIGNATURE_INVALID ? KW_OK : verified;
}

static struct kw_result add_claim(struct kw_order_draft *draft, struct kw_id store,
                                  const Keyward__V1__StoreLane *lane, struct kw_error *err)
{
    struct kw_order_claim *claim;
    struct kw_lane_head head;
    bool is;

    if (lane->sequence == 0) {
        return KW_OK;
    }
    KW_TRY(is_signed(draft, store, lane, &head, &is, err));
    if (!is) {
        draft->unproven++;
        return KW_OK;
    }
    claim = kw_arena_alloc(draft->arena, sizeof(*claim));
    KW_ENSURE(claim != NULL, err, MEMORY, "a lane");
    *claim = (struct kw_order_claim){
        .next = draft->claims, .cell = draft->cells, .store = store, .seq = head.point.seq};
    draft->claims = claim;
    KW_TRY(kw_lane_id(&head.lane, &claim->lane, err));
    return kw_sha256(head.key, claim->signer, err);
}

static struct kw_result add_key(struct kw_order_draft *draft, struct kw_id store,
                                struct kw_bytes signer, struct kw_error *err)
{
    struct kw_order_key *key = kw_arena_alloc(draft->arena, sizeof(*key));

    KW_ENSURE(key != NULL, err, MEMORY, "a key");
    KW_ENSURE(signer.len == KW_SHA256_LEN, err, ENCODING_INVALID, "a key's digest of %zu bytes",
              signer.len);
    key->next = draft->keys;
    key->cell = draft->cells;
    key->store = store;
    kw_copy(key->signer, signer.data, KW_SHA256_LEN);
    draft->keys = key;
    return KW_OK;
}

static bool is_known(const struct kw_order_draft *draft, const struct kw_order_claim *claim)
{
    for (const struct kw_order_key *key = draft->keys; key != NULL; key = key->next) {
        if (kw_id_equal(key->store, claim->store) &&
            kw_bytes_equal(KW_BYTES_OF(key->signer), KW_BYTES_OF(claim->signer)) &&
            (key->cell != claim->cell || draft->cells == 1)) {
            return true;
        }
    }
    return false;
}

static struct kw_result raise_fence(struct kw_order_draft *draft,
                                    const struct kw_order_claim *claim, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf one = {0};
    struct kw_writer w = KW_WRITER(&one);
    struct kw_order_store *store;
    struct kw_bytes joined;

    KW_TRY(place_for(draft, claim->store, &store, err));
    kw_put_vector_entry(&w, claim->lane, claim->seq);
    KW_TRY(kw_writer_end(&w, err));
    KW_TRY(kw_vector_join(store->fence, kw_buf_bytes(&one), draft->arena, &joined, err));
    return kw_arena_copy(draft->arena, joined, &store->fence, err);
}

static struct kw_result raise_fences(struct kw_order_draft *draft, struct kw_error *err)
{
    for (const struct kw_order_claim *claim = draft->claims; claim != NULL; claim = claim->next) {
        if (is_known(draft, claim)) {
            KW_TRY(raise_fence(draft, claim, err));
        } else {
            draft->unproven++;
        }
    }
    return KW_OK;
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
    if (draft->order.action == KW_ORDER_CUT) {
        return KW_OK;
    }
    for (size_t i = 0; i < known->n_signers; i++) {
        KW_TRY(add_key(draft, id, kw_bytes_field(known->signers[i]), err));
    }
    for (size_t i = 0; i < known->n_lanes; i++) {
        KW_TRY(add_claim(draft, id, known->lanes[i], err));
    }
    return KW_OK;
}

struct kw_result kw_order_draft_add(struct kw_order_draft *draft,
                                    const Keyward__V1__ListStoresResponse *known,
                                    struct kw_error *err)
{
    struct kw_id mesh;

    KW_TRY(kw_id_from_bytes(kw_bytes_field(known->mesh), &mesh, err));
    KW_ENSURE(draft->cells == 0 || kw_id_equal(mesh, draft->order.mesh), err, ARGUMENT_INVALID,
              "cells of two meshes");
    draft->order.mesh = mesh;
    draft->cells++;
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
    KW_TRY(raise_fences(draft, err));
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
