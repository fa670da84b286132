/* Putting together what cells know. */
#include "cli/order.h"

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/crypto/digest.h"
#include "common/feed/lane_head.h"
#include "common/rpc/messages.h"
#include "common/sync/order.h"
#include "common/sync/version_vector.h"

/* --- which stores --- */

/* A cell shows this store, and its voucher is good. */
struct kw_order_sight {
    struct kw_order_sight *next;
    unsigned cell;
    struct kw_id store;
    struct kw_id mesh;
    struct kw_id life;
    uint64_t issued_ms;
};

/* One that is fenced stays it. */
static bool may_be_ordered(const struct kw_order_draft *draft, const Keyward__V1__Store *store)
{
    return draft->again || store->state != KEYWARD__V1__STORE_STATE__STORE_STATE_FENCED;
}

static struct kw_result add_doubt(struct kw_order_draft *draft, const Keyward__V1__Store *shown,
                                  const char *why, struct kw_error *err)
{
    struct kw_order_doubt *doubt = kw_arena_alloc(draft->arena, sizeof(*doubt));

    KW_ENSURE(doubt != NULL, err, MEMORY, "a store");
    *doubt = (struct kw_order_doubt){.next = draft->doubts,
                                     .cell = draft->cells,
                                     .store = kw_bytes_field(shown->store),
                                     .why = why};
    draft->doubts = doubt;
    return KW_OK;
}

static struct kw_result add_sight(struct kw_order_draft *draft, const struct kw_voucher *voucher,
                                  struct kw_error *err)
{
    struct kw_order_sight *sight = kw_arena_alloc(draft->arena, sizeof(*sight));

    KW_ENSURE(sight != NULL, err, MEMORY, "a store");
    *sight = (struct kw_order_sight){.next = draft->sights,
                                     .cell = draft->cells,
                                     .store = voucher->store,
                                     .mesh = voucher->mesh,
                                     .life = voucher->incarnation,
                                     .issued_ms = voucher->issued_ms};
    draft->sights = sight;
    return KW_OK;
}

/* By how many cells stores of this mesh are shown. */
static unsigned cells_of(const struct kw_order_draft *draft, struct kw_id mesh)
{
    unsigned count = 0;
    unsigned last = 0;

    for (const struct kw_order_sight *sight = draft->sights; sight != NULL; sight = sight->next) {
        if (sight->cell != last && kw_id_equal(sight->mesh, mesh)) {
            count++;
            last = sight->cell;
        }
    }
    return count;
}

/* Who has the keys of the place can vouch for stores of any mesh there, so the most cells say which it is. */
static struct kw_result choose_mesh(struct kw_order_draft *draft, struct kw_error *err)
{
    unsigned most = 0;
    bool tie = false;

    for (const struct kw_order_sight *sight = draft->sights; sight != NULL; sight = sight->next) {
        unsigned cells = cells_of(draft, sight->mesh);

        if (cells >= most && !kw_id_equal(sight->mesh, draft->order.mesh)) {
            tie = cells == most;
            most = cells;
            draft->order.mesh = sight->mesh;
        }
    }
    KW_ENSURE(!tie, err, ARGUMENT_INVALID, "cells of two meshes");
    return KW_OK;
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
              "more than %u stores at %s", KW_ORDER_STORES_MAX, draft->vouching.place);
    for (size_t after = order->store_count++; after > i; after--) {
        order->stores[after] = order->stores[after - 1];
    }
    order->stores[i] = (struct kw_order_store){.store = id};
    return KW_OK;
}

/* Of a store's vouchers the latest says which life it lives. */
static struct kw_id life_of(const struct kw_order_draft *draft, struct kw_id store)
{
    const struct kw_order_sight *latest = NULL;

    for (const struct kw_order_sight *sight = draft->sights; sight != NULL; sight = sight->next) {
        if (kw_id_equal(sight->store, store) &&
            (latest == NULL || sight->issued_ms > latest->issued_ms)) {
            latest = sight;
        }
    }
    return latest != NULL ? latest->life : KW_ID_NONE;
}

static struct kw_result name_stores(struct kw_order_draft *draft, struct kw_error *err)
{
    struct kw_order_store *store;

    for (const struct kw_order_sight *sight = draft->sights; sight != NULL; sight = sight->next) {
        if (!kw_id_equal(sight->mesh, draft->order.mesh)) {
            continue;
        }
        KW_TRY(place_for(draft, sight->store, &store, err));
        if (draft->order.action == KW_ORDER_DRAIN) {
            store->life = life_of(draft, sight->store);
        }
    }
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
static struct kw_result is_signed(const struct kw_voucher *voucher,
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
        !kw_id_equal(ret_head->lane.store, voucher->store) ||
        !kw_id_equal(ret_head->lane.mesh, voucher->mesh)) {
        return KW_OK;
    }
    verified = kw_lane_head_verify(ret_head, err);
    *ret_is = kw_ok(verified);
    return verified.reason == KW_E_SIGNATURE_INVALID ? KW_OK : verified;
}

static struct kw_result add_claim(struct kw_order_draft *draft, const struct kw_voucher *voucher,
                                  const Keyward__V1__StoreLane *lane, struct kw_error *err)
{
    struct kw_order_claim *claim;
    struct kw_lane_head head;
    bool is;

    if (lane->sequence == 0) {
        return KW_OK;
    }
    KW_TRY(is_signed(voucher, lane, &head, &is, err));
    if (!is) {
        draft->unproven++;
        return KW_OK;
    }
    claim = kw_arena_alloc(draft->arena, sizeof(*claim));
    KW_ENSURE(claim != NULL, err, MEMORY, "a lane");
    *claim = (struct kw_order_claim){.next = draft->claims,
                                     .cell = draft->cells,
                                     .store = voucher->store,
                                     .seq = head.point.seq};
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

static struct kw_order_store *named(struct kw_order_draft *draft, struct kw_id store)
{
    for (size_t i = 0; i < draft->order.store_count; i++) {
        if (kw_id_equal(draft->order.stores[i].store, store)) {
            return &draft->order.stores[i];
        }
    }
    return NULL;
}

static struct kw_result raise_fence(const struct kw_order_draft *draft,
                                    struct kw_order_store *store,
                                    const struct kw_order_claim *claim, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf one = {0};
    struct kw_writer w = KW_WRITER(&one);
    struct kw_bytes joined;

    kw_put_vector_entry(&w, claim->lane, claim->seq);
    KW_TRY(kw_writer_end(&w, err));
    KW_TRY(kw_vector_join(store->fence, kw_buf_bytes(&one), draft->arena, &joined, err));
    return kw_arena_copy(draft->arena, joined, &store->fence, err);
}

static struct kw_result raise_fences(struct kw_order_draft *draft, struct kw_error *err)
{
    for (const struct kw_order_claim *claim = draft->claims; claim != NULL; claim = claim->next) {
        struct kw_order_store *store = named(draft, claim->store);

        if (store != NULL && is_known(draft, claim)) {
            KW_TRY(raise_fence(draft, store, claim, err));
        } else {
            draft->unproven++;
        }
    }
    return KW_OK;
}

static struct kw_result add_store(struct kw_order_draft *draft, const Keyward__V1__Store *shown,
                                  const struct kw_voucher *voucher, struct kw_error *err)
{
    KW_TRY(add_sight(draft, voucher, err));
    if (draft->order.action != KW_ORDER_FENCE) {
        return KW_OK;
    }
    for (size_t i = 0; i < shown->n_signers; i++) {
        KW_TRY(add_key(draft, voucher->store, kw_bytes_field(shown->signers[i]), err));
    }
    for (size_t i = 0; i < shown->n_lanes; i++) {
        KW_TRY(add_claim(draft, voucher, shown->lanes[i], err));
    }
    return KW_OK;
}

static struct kw_result judge_store(struct kw_order_draft *draft, const Keyward__V1__Store *shown,
                                    struct kw_error *err)
{
    struct kw_voucher voucher;
    const char *why;

    KW_TRY(kw_vouched_read(&draft->vouching, shown, &voucher, &why, err));
    if (why != NULL) {
        return add_doubt(draft, shown, why, err);
    }
    return may_be_ordered(draft, shown) ? add_store(draft, shown, &voucher, err) : KW_OK;
}

struct kw_result kw_order_draft_add(struct kw_order_draft *draft,
                                    const Keyward__V1__ListStoresResponse *known,
                                    struct kw_error *err)
{
    draft->cells++;
    for (size_t i = 0; i < known->n_stores; i++) {
        KW_TRY(judge_store(draft, known->stores[i], err));
    }
    return KW_OK;
}

struct kw_result kw_order_draft_end(struct kw_order_draft *draft, struct kw_buf *content,
                                    struct kw_error *err)
{
    KW_TRY(choose_mesh(draft, err));
    KW_TRY(name_stores(draft, err));
    KW_ENSURE(draft->order.store_count > 0, err, NOT_FOUND, "no store at %s that is not fenced",
              draft->vouching.place);
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
