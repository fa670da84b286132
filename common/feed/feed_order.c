/* An order that is handed to us: refused by name, or written. */
#include "common/feed/feed_order.h"

#include "common/feed/feed_ordered.h"
#include "common/feed/feed_own.h"
#include "common/feed/feed_rows.h"
#include "common/sync/version_vector.h"

#define LANES_AT_ONCE 16

struct obeying {
    const struct kw_feed_tx *feed_tx;
    bool dry;
    struct kw_order order;
    struct kw_feed_obeyed obeyed;
};

/* --- the order by itself --- */

static struct kw_result judge(struct obeying *o, struct kw_bytes record, struct kw_error *err)
{
    const struct kw_feed_options *options = &o->feed_tx->feed->options;
    enum kw_lane_verdict verdict;
    struct kw_error why = {0};

    KW_ENSURE(options->orders != NULL, err, SIGNATURE_INVALID, "no officer is known here");
    KW_TRY(kw_order_read(record, options->mesh, options->orders, &o->order, &verdict, &why));
    KW_ENSURE(verdict != KW_LANE_BROKEN, err, ARGUMENT_INVALID, "%s", why.message);
    KW_ENSURE(verdict != KW_LANE_OTHER_MESH, err, BINDING_INVALID, "an order of another mesh");
    KW_ENSURE(verdict == KW_LANE_NEWS, err, SIGNATURE_INVALID,
              "an order that the first officer did not sign");
    KW_ENSURE(o->order.issued_ms <= o->feed_tx->wall_ms + KW_STAMP_AHEAD_MS_MAX, err,
              ARGUMENT_INVALID, "an order that is issued in the future");
    return KW_OK;
}

/* --- against what is known --- */

static struct kw_result check_later(const struct obeying *o, const struct kw_record *row,
                                    struct kw_error *err)
{
    struct kw_bytes held = kw_order_in(row, o->order.action);
    struct kw_order before;

    if (held.len == 0 || kw_bytes_equal(held, o->order.record)) {
        return KW_OK;
    }
    KW_TRY(kw_order_decode(held, &before, err));
    KW_ENSURE(o->order.issued_ms > before.issued_ms, err, STATE_CONFLICT,
              "a later order of this kind is known");
    return KW_OK;
}

/* What we hold beyond the fence would be in our rows and nobody else's. What an earlier order honours, `honoured`, stays it. */
static struct kw_result check_lane(const struct kw_order_store *said, struct kw_bytes honoured,
                                   const struct kw_lane_row *lane, struct kw_error *err)
{
    KW_ENSURE(!kw_id_equal(lane->store, said->store) ||
                  lane->point.seq <= kw_vector_get(said->fence, lane->id) ||
                  lane->point.seq <= kw_vector_get(honoured, lane->id),
              err, STATE_CONFLICT, "more of a lane is held here than the order honours");
    return KW_OK;
}

static struct kw_result check_held(const struct obeying *o, const struct kw_order_store *said,
                                   struct kw_bytes honoured, struct kw_error *err)
{
    struct kw_lane_row rows[LANES_AT_ONCE];
    struct kw_id after = KW_ID_NONE;
    size_t count = LANES_AT_ONCE;

    while (count == LANES_AT_ONCE) {
        KW_TRY(kw_lane_row_list(o->feed_tx->tx, after, rows, LANES_AT_ONCE, &count, err));
        for (size_t i = 0; i < count; i++) {
            KW_TRY(check_lane(said, honoured, &rows[i], err));
            after = rows[i].id;
        }
    }
    return KW_OK;
}

static struct kw_result check(const struct obeying *o, const struct kw_order_store *said,
                              const struct kw_record *row, struct kw_error *err)
{
    KW_TRY(check_later(o, row, err));
    if (o->order.action != KW_ORDER_FENCE) {
        KW_ENSURE(kw_store_record_state(row) != KW_STORE_FENCED, err, STATE_CONFLICT,
                  "the store is fenced, for good");
        return KW_OK;
    }
    return check_held(o, said, kw_record_value(row, KW_STORE_FIELD_FENCE), err);
}

/* --- writing --- */

static struct kw_result write_row(struct obeying *o, const struct kw_order_store *said,
                                  struct kw_error *err)
{
    const struct kw_feed_tx *feed_tx = o->feed_tx;
    const struct kw_feed_table *table = kw_feed_table_of(feed_tx->feed, kw_store_record.table);
    struct kw_feed_merged merged;
    struct kw_record change;

    KW_TRY(kw_feed_order_row(&o->order, said, feed_tx->arena, &change, err));
    KW_TRY(kw_feed_put(feed_tx->feed, feed_tx->tx, &change,
                       table != NULL && kw_feed_disables(table, &change), feed_tx->wall_ms,
                       feed_tx->arena, &merged, err));
    o->obeyed.changed += merged.changed;
    return KW_OK;
}

static struct kw_result obey_store(struct obeying *o, const struct kw_order_store *said,
                                   struct kw_error *err)
{
    struct kw_record row;
    bool found;

    KW_TRY(kw_feed_find(o->feed_tx->tx, &kw_store_record, kw_id_bytes(&said->store),
                        o->feed_tx->arena, &row, &found, err));
    if (!found) {
        return KW_OK; /* the other owner's, or a mistake: the caller counts */
    }
    o->obeyed.known++;
    KW_TRY(check(o, said, &row, err));
    return o->dry ? KW_OK : write_row(o, said, err);
}

struct kw_result kw_feed_obey(const struct kw_feed_tx *feed_tx, struct kw_bytes record, bool dry,
                              struct kw_feed_obeyed *ret_obeyed, struct kw_error *err)
{
    struct obeying o = {.feed_tx = feed_tx, .dry = dry};

    KW_TRY(judge(&o, record, err));
    for (size_t i = 0; i < o.order.store_count; i++) {
        KW_TRY(obey_store(&o, &o.order.stores[i], err));
    }
    if (!dry) {
        KW_TRY(kw_feed_look_at_us(feed_tx->feed, feed_tx->tx, err));
    }
    *ret_obeyed = o.obeyed;
    return KW_OK;
}
