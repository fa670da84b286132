/* A walk over the rows of stores. */
#include "common/feed/feed_members.h"

#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/feed/lane_table.h"
#include "common/feed/order.h"
#include "common/feed/record_table.h"
#include "common/feed/voucher.h"

#define ROWS_AT_ONCE 16

struct walk {
    struct kw_tx *tx;
    struct kw_arena *arena;
    struct kw_feed_member *members;
    size_t *count;
    struct kw_bytes place; /* wants_at: theirs alone; empty: of all places */
    size_t *fenced_room;   /* wants_at: so many more that are fenced */
    /* Is it one of those that are looked for? */
    struct kw_result (*wants)(const struct walk *walk, const struct kw_record *store,
                              bool *ret_wants, struct kw_error *err);
};

/* --- who --- */

static struct kw_result wants_member(const struct walk *walk, const struct kw_record *store,
                                     bool *ret_wants, struct kw_error *err)
{
    (void)walk;
    (void)err;
    *ret_wants = !kw_store_record_known_fenced(store);
    return KW_OK;
}

static bool is_at(const struct walk *walk, const struct kw_record *store)
{
    return walk->place.len == 0 ||
           kw_bytes_equal(kw_record_value(store, KW_STORE_FIELD_PLACE), walk->place);
}

static struct kw_result wants_at(const struct walk *walk, const struct kw_record *store,
                                 bool *ret_wants, struct kw_error *err)
{
    bool fenced = kw_store_record_known_fenced(store);

    (void)err;
    *ret_wants = is_at(walk, store) && (!fenced || *walk->fenced_room > 0);
    *walk->fenced_room -= *ret_wants && fenced;
    return KW_OK;
}

static struct kw_result is_held(const struct walk *walk, struct kw_reader *entry, bool *ret_held,
                                struct kw_error *err)
{
    struct kw_lane_row row;
    struct kw_id lane;
    bool found;

    kw_get_copy(entry, lane.bytes, KW_ID_LEN);
    KW_TRY(kw_lane_row_find(walk->tx, lane, &row, &found, err));
    *ret_held = kw_get_u64(entry) <= (found ? row.point.seq : 0);
    return KW_OK;
}

static struct kw_result wants_awaited(const struct walk *walk, const struct kw_record *store,
                                      bool *ret_wants, struct kw_error *err)
{
    struct kw_reader fence = KW_READER(kw_order_honours(store));

    *ret_wants = false;
    while (kw_store_record_known_fenced(store) && fence.rest.len > 0 && !*ret_wants) {
        bool held;

        KW_TRY(is_held(walk, &fence, &held, err));
        *ret_wants = !held;
    }
    return KW_OK;
}

/* --- the walk --- */

static struct kw_id life_of(struct kw_bytes voucher_record)
{
    struct kw_voucher voucher;

    return kw_ok(kw_voucher_decode(voucher_record, &voucher, NULL)) ? voucher.incarnation
                                                                    : KW_ID_NONE;
}

static uint64_t ordered_ms(const struct kw_record *store)
{
    uint64_t latest = 0;

    for (unsigned action = 1; action < KW_ORDER_ACTION_END_; action++) {
        struct kw_bytes written = kw_order_in(store, (enum kw_order_action)action);
        struct kw_order order;

        if (written.len > 0 && kw_ok(kw_order_decode(written, &order, NULL)) &&
            order.issued_ms > latest) {
            latest = order.issued_ms;
        }
    }
    return latest;
}

static struct kw_result add(const struct walk *walk, const struct kw_record *store,
                            struct kw_error *err)
{
    struct kw_feed_member *member = &walk->members[*walk->count];

    KW_ENSURE(*walk->count < KW_VECTOR_STORES_MAX, err, LIMIT_REACHED, "more than %u stores",
              KW_VECTOR_STORES_MAX);
    KW_TRY(kw_id_from_bytes(store->key, &member->store, err));
    member->region = kw_store_record_region(store);
    member->cell = kw_store_record_cell(store);
    member->state = kw_record_u64(store, KW_STORE_FIELD_STATE);
    member->signers = kw_record_value(store, KW_STORE_FIELD_SIGNERS);
    member->lives = kw_record_value(store, KW_STORE_FIELD_INCARNATIONS);
    member->settled = kw_record_value(store, KW_STORE_FIELD_SETTLED);
    member->voucher = kw_voucher_of(store);
    member->life = life_of(member->voucher);
    member->ordered_ms = ordered_ms(store);
    if (member->state == KW_STORE_ACTIVE && kw_order_drains(store, member->life)) {
        member->state = KW_STORE_DRAINING;
    }
    (*walk->count)++;
    return KW_OK;
}

static struct kw_result read_stored(struct kw_bytes stored, struct kw_record *ret_record,
                                    struct kw_error *err)
{
    struct kw_error why;
    size_t dropped;

    KW_ENSURE(kw_ok(kw_record_decode_stored(&kw_store_record, stored, ret_record, &dropped, &why)),
              err, INTERNAL, "a stored row is damaged: %s", why.message);
    return KW_OK;
}

/* The row is read aside; one that is looked for is kept. */
static struct kw_result take(const struct walk *walk, const struct kw_record_row *row,
                             struct kw_error *err)
{
    struct kw_record record;
    struct kw_bytes kept;
    bool wants;

    KW_TRY(read_stored(row->record, &record, err));
    KW_TRY(walk->wants(walk, &record, &wants, err));
    if (!wants) {
        return KW_OK;
    }
    KW_TRY(kw_arena_copy(walk->arena, row->record, &kept, err));
    KW_TRY(read_stored(kept, &record, err));
    return add(walk, &record, err);
}

/* Some rows behind `last`, which is then the key of the last of them. */
static struct kw_result take_some(const struct walk *walk, struct kw_arena *aside,
                                  struct kw_buf *last, size_t *ret_count, struct kw_error *err)
{
    struct kw_record_row rows[ROWS_AT_ONCE];

    KW_TRY(kw_record_row_list(walk->tx, &kw_store_record, kw_buf_bytes(last), aside, rows,
                              ROWS_AT_ONCE, ret_count, err));
    for (size_t i = 0; i < *ret_count; i++) {
        KW_TRY(take(walk, &rows[i], err));
    }
    kw_buf_clear(last);
    return *ret_count > 0 ? kw_buf_append(last, rows[*ret_count - 1].key, err) : KW_OK;
}

/* Rows of stores are kept for good: of those that nobody looks for nothing stays in the caller's arena. */
static struct kw_result go(const struct walk *walk, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf last = {0};
    size_t count = ROWS_AT_ONCE;

    while (count == ROWS_AT_ONCE) {
        struct kw_arena *aside = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
        struct kw_result result;

        KW_ENSURE(aside != NULL, err, MEMORY, "an arena for rows of stores");
        result = take_some(walk, aside, &last, &count, err);
        kw_arena_free(aside);
        KW_TRY(result);
    }
    return KW_OK;
}

static struct kw_result list(struct walk *walk, struct kw_feed_member **ret_members,
                             struct kw_error *err)
{
    walk->members = kw_arena_alloc(walk->arena, KW_VECTOR_STORES_MAX * sizeof(*walk->members));
    KW_ENSURE(walk->members != NULL, err, MEMORY, "the members");
    *walk->count = 0;
    *ret_members = walk->members;
    return go(walk, err);
}

struct kw_result kw_feed_members(struct kw_tx *tx, struct kw_arena *arena,
                                 struct kw_feed_member **ret_members, size_t *ret_count,
                                 struct kw_error *err)
{
    struct walk walk = {.tx = tx, .arena = arena, .count = ret_count, .wants = wants_member};

    return list(&walk, ret_members, err);
}

/* Twice, for whoever is a member has the room. */
struct kw_result kw_feed_stores_at(struct kw_tx *tx, struct kw_arena *arena, struct kw_bytes place,
                                   struct kw_feed_member **ret_members, size_t *ret_count,
                                   struct kw_error *err)
{
    size_t fenced_room;
    struct walk walk = {.tx = tx,
                        .arena = arena,
                        .count = ret_count,
                        .place = place,
                        .fenced_room = &fenced_room,
                        .wants = wants_at};

    KW_TRY(kw_feed_members(tx, arena, ret_members, ret_count, err));
    fenced_room = KW_VECTOR_STORES_MAX - *ret_count;
    return list(&walk, ret_members, err);
}

struct kw_result kw_feed_awaited(struct kw_tx *tx, struct kw_arena *arena,
                                 struct kw_feed_member *members, size_t *count,
                                 struct kw_error *err)
{
    const struct walk walk = {
        .tx = tx, .arena = arena, .members = members, .count = count, .wants = wants_awaited};

    return go(&walk, err);
}
