/* The rows of stores, and the lanes, as freshness.h has them. */
#include "common/feed/feed_freshness.h"

#include "common/base/limits.h"
#include "common/feed/feed_members.h"
#include "common/feed/lane_table.h"

#define ROWS_AT_ONCE 16

struct looking {
    const struct kw_feed *feed;
    struct kw_tx *tx;
    struct kw_arena *arena;
    struct kw_freshness_store *stores; /* KW_VECTOR_STORES_MAX */
    size_t store_count;
    struct kw_freshness_lane *lanes; /* KW_LANES_MAX */
    size_t lane_count;
};

/* One that is fenced counts like one that is not, until what is honoured of it is here. */
static struct kw_result load_stores(struct looking *l, struct kw_error *err)
{
    struct kw_feed_member *members;
    size_t member_count;

    KW_TRY(kw_feed_members(l->tx, l->arena, &members, &member_count, err));
    l->store_count = member_count;
    KW_TRY(kw_feed_awaited(l->tx, l->arena, members, &l->store_count, err));
    for (size_t i = 0; i < l->store_count; i++) {
        l->stores[i] = (struct kw_freshness_store){.id = members[i].store,
                                                   .region = members[i].region,
                                                   .state = i < member_count ? members[i].state
                                                                             : KW_STORE_ACTIVE,
                                                   .lives = members[i].lives,
                                                   .settled = members[i].settled,
                                                   .life = members[i].life};
    }
    return KW_OK;
}

static struct kw_result load_lanes(struct looking *l, struct kw_error *err)
{
    struct kw_lane_row rows[ROWS_AT_ONCE];
    struct kw_id after = KW_ID_NONE;
    size_t count = ROWS_AT_ONCE;

    while (count == ROWS_AT_ONCE) {
        KW_TRY(kw_lane_row_list(l->tx, after, rows, ROWS_AT_ONCE, &count, err));
        KW_ENSURE(l->lane_count + count <= KW_LANES_MAX, err, LIMIT_REACHED, "more than %u lanes",
                  KW_LANES_MAX);
        for (size_t i = 0; i < count; i++) {
            l->lanes[l->lane_count++] =
                (struct kw_freshness_lane){.store = rows[i].store,
                                           .incarnation = rows[i].incarnation,
                                           .closed = rows[i].closed,
                                           .heard_ms = rows[i].heard_ms};
            after = rows[i].id;
        }
    }
    return KW_OK;
}

/* Nothing of ours reaches anybody any more, and nobody tells us what we should know. */
static struct kw_result are_we_out(const struct looking *l, bool *ret_out, struct kw_error *err)
{
    struct kw_record row;
    bool found;

    KW_TRY(kw_feed_find(l->tx, &kw_store_record, kw_id_bytes(&l->feed->options.store), l->arena,
                        &row, &found, err));
    *ret_out = found && kw_store_record_is_out(&row);
    return KW_OK;
}

static struct kw_result look(struct looking *l, uint64_t wall_ms,
                             struct kw_freshness *ret_freshness, struct kw_error *err)
{
    const struct kw_voucher_trust *trust = l->feed->options.vouchers;
    struct kw_freshness_mesh mesh = {.store = l->feed->options.store};
    bool out;

    KW_TRY(are_we_out(l, &out, err));
    if (out) {
        *ret_freshness =
            (struct kw_freshness){.age_ms = KW_FRESHNESS_NEVER, .store = l->feed->options.store};
        return KW_OK;
    }
    l->stores = kw_arena_alloc(l->arena, KW_VECTOR_STORES_MAX * sizeof(*l->stores));
    l->lanes = kw_arena_alloc(l->arena, KW_LANES_MAX * sizeof(*l->lanes));
    KW_ENSURE(l->stores != NULL && l->lanes != NULL, err, MEMORY, "stores and lanes");
    KW_TRY(load_stores(l, err));
    KW_TRY(load_lanes(l, err));
    mesh.region = trust != NULL ? kw_bytes_str(trust->self.region) : KW_BYTES_NONE;
    mesh.stores = l->stores;
    mesh.store_count = l->store_count;
    mesh.lanes = l->lanes;
    mesh.lane_count = l->lane_count;
    *ret_freshness = kw_freshness(&mesh, wall_ms);
    return KW_OK;
}

struct kw_result kw_feed_freshness(const struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                   struct kw_freshness *ret_freshness, struct kw_error *err)
{
    struct looking l = {.feed = feed, .tx = tx, .arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX)};
    struct kw_result looked;

    KW_ENSURE(l.arena != NULL, err, MEMORY, "an arena for stores and lanes");
    looked = look(&l, wall_ms, ret_freshness, err);
    kw_arena_free(l.arena);
    return looked;
}
