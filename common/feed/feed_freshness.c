/* The rows of stores, and the lanes, as freshness.h has them. */
#include "common/feed/feed_freshness.h"

#include "common/base/limits.h"
#include "common/feed/lane_table.h"
#include "common/feed/record_table.h"

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

static struct kw_id life_of(const struct kw_record *row)
{
    struct kw_voucher voucher;

    return kw_ok(kw_voucher_decode(kw_voucher_of(row), &voucher, NULL)) ? voucher.incarnation
                                                                        : KW_ID_NONE;
}

static struct kw_result add_store(struct looking *l, const struct kw_record_row *row,
                                  struct kw_error *err)
{
    struct kw_freshness_store *store = &l->stores[l->store_count];
    struct kw_record record;
    struct kw_error why;
    size_t dropped;

    KW_ENSURE(
        kw_ok(kw_record_decode_stored(&kw_store_record, row->record, &record, &dropped, &why)), err,
        INTERNAL, "a stored row is damaged: %s", why.message);
    if (kw_record_u64(&record, KW_STORE_FIELD_STATE) == KW_STORE_FENCED) {
        return KW_OK;
    }
    KW_ENSURE(l->store_count < KW_VECTOR_STORES_MAX, err, LIMIT_REACHED, "more than %u stores",
              KW_VECTOR_STORES_MAX);
    *store = (struct kw_freshness_store){.region = kw_store_record_region(&record),
                                         .state = kw_record_u64(&record, KW_STORE_FIELD_STATE),
                                         .life = life_of(&record)};
    KW_TRY(kw_id_from_bytes(row->key, &store->id, err));
    l->store_count++;
    return KW_OK;
}

static struct kw_result load_stores(struct looking *l, struct kw_error *err)
{
    struct kw_record_row rows[ROWS_AT_ONCE];
    struct kw_bytes after = KW_BYTES_NONE;
    size_t count = ROWS_AT_ONCE;

    while (count == ROWS_AT_ONCE) {
        KW_TRY(kw_record_row_list(l->tx, &kw_store_record, after, l->arena, rows, ROWS_AT_ONCE,
                                  &count, err));
        for (size_t i = 0; i < count; i++) {
            KW_TRY(add_store(l, &rows[i], err));
            after = rows[i].key;
        }
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
                                           .closed = rows[i].closed};
            after = rows[i].id;
        }
    }
    return KW_OK;
}

static struct kw_result look(struct looking *l, uint64_t wall_ms,
                             struct kw_freshness *ret_freshness, struct kw_error *err)
{
    const struct kw_voucher_trust *trust = l->feed->options.vouchers;
    struct kw_freshness_mesh mesh = {.store = l->feed->options.store};

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
