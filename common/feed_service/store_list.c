/* Rows of stores and of lanes, put together. */
#include "common/feed_service/store_list.h"

#include "common/base/limits.h"
#include "common/feed/feed_members.h"
#include "common/feed/feed_peers.h"
#include "common/feed/lane_table.h"
#include "common/rpc/field.h"
#include "common/rpc/messages.h"
#include "common/sync/grow_set.h"

struct listing {
    struct kw_tx *tx;
    struct kw_arena *arena;
    const char *layer;
    struct kw_bytes place;      /* "region/cell"; empty: all are asked for */
    struct kw_feed_lane *lanes; /* KW_LANES_MAX */
    size_t lane_count;
};

static struct kw_result load_lanes(struct listing *l, const struct kw_feed *feed, struct kw_tx *tx,
                                   struct kw_error *err)
{
    l->lanes = kw_arena_alloc(l->arena, KW_LANES_MAX * sizeof(*l->lanes));
    KW_ENSURE(l->lanes != NULL, err, MEMORY, "lanes");
    KW_TRY(kw_feed_lanes(feed, tx, KW_ID_NONE, l->lanes, KW_LANES_MAX, &l->lane_count, err));
    KW_ENSURE(l->lane_count < KW_LANES_MAX, err, LIMIT_REACHED, "as many as %u lanes",
              KW_LANES_MAX);
    return KW_OK;
}

/* Of a lane that another store writes; whoever draws up a fence believes nobody's number else. */
static struct kw_result make_head(const struct listing *l, const struct kw_feed_lane *lane,
                                  Keyward__V1__StoreLane *shown, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf head = {0};
    struct kw_bytes kept;
    bool any;

    KW_TRY(kw_lane_row_head(l->tx, lane->id, &head, &any, err));
    KW_TRY(kw_arena_copy(l->arena, kw_buf_bytes(&head), &kept, err));
    shown->head = kw_field_bytes(kept);
    return KW_OK;
}

static struct kw_result make_lane(const struct listing *l, const struct kw_feed_lane *lane,
                                  Keyward__V1__StoreLane **ret_lane, struct kw_error *err)
{
    *ret_lane = kw_arena_alloc(l->arena, sizeof(**ret_lane));
    KW_ENSURE(*ret_lane != NULL, err, MEMORY, "a lane");
    keyward__v1__store_lane__init(*ret_lane);
    (*ret_lane)->lane = kw_field_bytes(kw_id_bytes(&lane->id));
    (*ret_lane)->sequence = lane->point.seq;
    return make_head(l, lane, *ret_lane, err);
}

static struct kw_result make_signers(const struct listing *l, struct kw_bytes signers,
                                     Keyward__V1__Store *shown, struct kw_error *err)
{
    struct kw_bytes signer;

    shown->signers = kw_arena_alloc(l->arena, kw_set_count(signers) * sizeof(*shown->signers) + 1);
    KW_ENSURE(shown->signers != NULL, err, MEMORY, "keys");
    while (kw_set_next(&signers, &signer)) {
        shown->signers[shown->n_signers++] = kw_field_bytes(signer);
    }
    return KW_OK;
}

static struct kw_result make_lanes(const struct listing *l, struct kw_id store,
                                   Keyward__V1__Store *shown, struct kw_error *err)
{
    shown->lanes = kw_arena_alloc(l->arena, l->lane_count * sizeof(*shown->lanes) + 1);
    KW_ENSURE(shown->lanes != NULL, err, MEMORY, "lanes");
    for (size_t i = 0; i < l->lane_count; i++) {
        if (kw_id_equal(l->lanes[i].lane.store, store)) {
            KW_TRY(make_lane(l, &l->lanes[i], &shown->lanes[shown->n_lanes], err));
            shown->n_lanes++;
        }
    }
    return KW_OK;
}

static struct kw_result make_time(const struct listing *l, uint64_t ms,
                                  Google__Protobuf__Timestamp **ret_time, struct kw_error *err)
{
    if (ms == 0) {
        return KW_OK;
    }
    *ret_time = kw_arena_alloc(l->arena, sizeof(**ret_time));
    KW_ENSURE(*ret_time != NULL, err, MEMORY, "a time");
    kw_field_time_make(ms, *ret_time);
    return KW_OK;
}

/* Its numbers are those of enum kw_store_state. */
static Keyward__V1__StoreState state_of(uint64_t state)
{
    if (state == 0) {
        return KEYWARD__V1__STORE_STATE__STORE_STATE_JOINING;
    }
    return state < KW_STORE_FENCED ? (Keyward__V1__StoreState)state
                                   : KEYWARD__V1__STORE_STATE__STORE_STATE_FENCED;
}

static struct kw_result make_text(const struct listing *l, struct kw_bytes name, char **ret_text,
                                  struct kw_error *err)
{
    *ret_text = kw_arena_text(l->arena, name.len > 0 ? (const char *)name.data : "", name.len);
    KW_ENSURE(*ret_text != NULL, err, MEMORY, "a name");
    return KW_OK;
}

static struct kw_result make_store(const struct listing *l, const struct kw_feed_member *member,
                                   Keyward__V1__Store **ret_store, struct kw_error *err)
{
    Keyward__V1__Store *shown = kw_arena_alloc(l->arena, sizeof(*shown));

    KW_ENSURE(shown != NULL, err, MEMORY, "a store");
    keyward__v1__store__init(shown);
    shown->store = kw_field_bytes(kw_id_bytes(&member->store));
    shown->layer = kw_field_text(l->layer);
    KW_TRY(make_text(l, member->region, &shown->region, err));
    KW_TRY(make_text(l, member->cell, &shown->cell, err));
    shown->state = state_of(member->state);
    if (!kw_id_is_none(member->life)) {
        shown->incarnation = kw_field_bytes(kw_id_bytes(&member->life));
    }
    if (l->place.len > 0) {
        shown->voucher = kw_field_bytes(member->voucher);
    }
    KW_TRY(make_time(l, member->ordered_ms, &shown->order_time, err));
    KW_TRY(make_signers(l, member->signers, shown, err));
    KW_TRY(make_lanes(l, member->store, shown, err));
    *ret_store = shown;
    return KW_OK;
}

static struct kw_result read_place(struct listing *l, const Keyward__V1__ListStoresRequest *request,
                                   struct kw_error *err)
{
    char *place;

    if (request->region[0] == '\0' && request->cell[0] == '\0') {
        return KW_OK;
    }
    place = kw_arena_printf(l->arena, "%s/%s", request->region, request->cell);
    KW_ENSURE(place != NULL, err, MEMORY, "a place");
    l->place = kw_bytes_str(place);
    return KW_OK;
}

struct kw_result kw_store_list(const struct kw_feed *feed, struct kw_tx *tx, const char *layer,
                               const Keyward__V1__ListStoresRequest *request,
                               struct kw_arena *arena,
                               Keyward__V1__ListStoresResponse *ret_response, struct kw_error *err)
{
    struct listing l = {.tx = tx, .arena = arena, .layer = layer};
    struct kw_feed_member *members = NULL;
    size_t count = 0;

    KW_TRY(read_place(&l, request, err));
    KW_TRY(load_lanes(&l, feed, tx, err));
    KW_TRY(kw_feed_stores_at(tx, arena, l.place, &members, &count, err));
    keyward__v1__list_stores_response__init(ret_response);
    ret_response->mesh = kw_field_bytes(kw_id_bytes(&feed->options.mesh));
    ret_response->stores = kw_arena_alloc(arena, count * sizeof(*ret_response->stores) + 1);
    KW_ENSURE(ret_response->stores != NULL, err, MEMORY, "%zu stores", count);
    for (size_t i = 0; i < count; i++) {
        KW_TRY(make_store(&l, &members[i], &ret_response->stores[i], err));
        ret_response->n_stores++;
    }
    return KW_OK;
}
