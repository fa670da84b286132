/* A row is made anew of its proofs, and compared with what was handed over. */
#include "common/feed/feed_proven.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/feed/feed_alarm.h"
#include "common/feed/feed_ordered.h"
#include "common/feed/feed_rows.h"
#include "common/feed/feed_vouched.h"
#include "common/feed/intent.h"
#include "common/sync/grow_set.h"
#include "common/sync/version_vector.h"

struct proving {
    struct kw_feed *feed;
    struct kw_tx *tx;
    const struct kw_record *row;
    uint64_t wall_ms;
    struct kw_arena *arena;
    struct kw_record proven;
};

/* --- by itself: where no vouchers are believed --- */

static bool needs_no_order(const struct kw_record_field *field)
{
    switch (field->number) {
    case KW_STORE_FIELD_FENCE:
    case KW_STORE_FIELD_FENCE_ORDER:
    case KW_STORE_FIELD_DRAIN_ORDER:
    case KW_STORE_FIELD_CUT_ORDER:
        return false;
    default:
        return true;
    }
}

static void add_unordered(struct proving *p)
{
    const struct kw_record *row = p->row;
    bool is_out = kw_record_u64(row, KW_STORE_FIELD_STATE) > KW_STORE_ACTIVE;

    for (size_t i = 0; i < row->count; i++) {
        if (needs_no_order(&row->fields[i]) &&
            !(is_out && row->fields[i].number == KW_STORE_FIELD_STATE)) {
            p->proven.fields[p->proven.count++] = row->fields[i];
        }
    }
}

/* --- by a voucher --- */

static struct kw_result add_vouched(struct proving *p, struct kw_error *err)
{
    struct kw_voucher voucher;
    struct kw_record vouched;
    bool may;

    KW_TRY(
        kw_feed_vouched_row(p->feed, p->row, p->wall_ms, p->arena, &voucher, &vouched, &may, err));
    if (may) {
        KW_TRY(
            kw_feed_may_vouch(p->feed, p->tx, &voucher, &vouched, p->wall_ms, p->arena, &may, err));
    }
    if (may) {
        p->proven = vouched;
    }
    return KW_OK;
}

/* --- by an order --- */

/* A lane's id is a digest of whose it is: the officer who names it names its life. */
static struct kw_result is_honoured(const struct proving *p, struct kw_id life, bool *ret_is,
                                    struct kw_error *err)
{
    struct kw_bytes fence = kw_record_value(&p->proven, KW_STORE_FIELD_FENCE);
    struct kw_lane lane = {.mesh = p->feed->options.mesh, .incarnation = life};

    *ret_is = false;
    KW_TRY(kw_id_from_bytes(p->row->key, &lane.store, err));
    for (; lane.writer < KW_FEED_WRITERS_MAX && !*ret_is; lane.writer++) {
        struct kw_id id;

        KW_TRY(kw_lane_id(&lane, &id, err));
        *ret_is = kw_vector_get(fence, id) > 0;
    }
    return KW_OK;
}

static struct kw_result add_life(struct proving *p, struct kw_bytes life, struct kw_error *err)
{
    struct kw_intent intent = kw_intent(&kw_store_record, p->row->key, p->arena);
    struct kw_record before = p->proven;
    struct kw_id id;
    bool is;

    KW_TRY(kw_id_from_bytes(life, &id, err));
    KW_TRY(is_honoured(p, id, &is, err));
    if (!is) {
        return KW_OK;
    }
    kw_intent_element(&intent, KW_STORE_FIELD_INCARNATIONS, life);
    KW_ENSURE(kw_ok(intent.result), err, MEMORY, "a life");
    return kw_record_merge(&before, &intent.record, p->arena, NULL, &p->proven, err);
}

/* Its latest voucher may be by a copy of it that had not heard of them yet. */
static struct kw_result add_honoured_lives(struct proving *p, struct kw_error *err)
{
    struct kw_bytes lives = kw_record_value(p->row, KW_STORE_FIELD_INCARNATIONS);
    struct kw_bytes life;

    if (!kw_record_has(&p->proven, KW_STORE_FIELD_FENCE)) {
        return KW_OK;
    }
    while (kw_set_next(&lives, &life)) {
        if (!kw_set_has(kw_record_value(&p->proven, KW_STORE_FIELD_INCARNATIONS), life)) {
            KW_TRY(add_life(p, life, err));
        }
    }
    return KW_OK;
}

/* --- together --- */

static struct kw_result tell(const struct proving *p, struct kw_error *err)
{
    bool same;

    KW_TRY(kw_feed_say_the_same(p->row, &p->proven, &same, err));
    if (!same && kw_feed_may_alarm(p->feed, p->wall_ms)) {
        KW_LOG(ERROR, "of a store was said what nothing proves, and is left out",
               KW_F_HEX("store", p->row->key));
    }
    return KW_OK;
}

static struct kw_result prove(struct proving *p, struct kw_error *err)
{
    if (p->feed->options.vouchers == NULL) {
        add_unordered(p);
    } else {
        KW_TRY(add_vouched(p, err));
    }
    KW_TRY(kw_feed_add_ordered(p->feed, p->row, p->arena, &p->proven, err));
    KW_TRY(add_honoured_lives(p, err));
    return tell(p, err);
}

struct kw_result kw_feed_only_proven(struct kw_feed *feed, struct kw_tx *tx,
                                     const struct kw_record *row, uint64_t wall_ms,
                                     struct kw_arena *arena, struct kw_record *ret_row,
                                     struct kw_error *err)
{
    struct proving p = {.feed = feed,
                        .tx = tx,
                        .row = row,
                        .wall_ms = wall_ms,
                        .arena = arena,
                        .proven = {.table = row->table, .key = row->key}};

    if (feed->options.vouchers == NULL && feed->options.orders == NULL) {
        *ret_row = *row;
        return KW_OK;
    }
    KW_TRY(prove(&p, err));
    *ret_row = p.proven;
    return KW_OK;
}
