/* Our own lanes. Which one is present is in the table alone, so that a transaction that is undone
 * undoes it, too. */
#include "common/feed/feed_own.h"

#include "common/base/container.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/feed/feed_settle.h"
#include "common/feed/join_table.h"
#include "common/feed/quarantine_table.h"
#include "common/sync/stamp_limits.h"

#define LANES_AT_ONCE 16

struct kw_lane kw_feed_lane_name(const struct kw_feed *feed, const struct kw_lane_row *row)
{
    return (struct kw_lane){.mesh = feed->options.mesh,
                            .store = row->store,
                            .incarnation = row->incarnation,
                            .writer = row->writer};
}

void kw_feed_lane_grew(const struct kw_feed *feed, struct kw_tx *tx)
{
    if (feed->grown != NULL) {
        kw_tx_mark(tx, feed->grown);
    }
}

/* lane_table.h */
static struct kw_result our_origin(const struct kw_feed *feed, struct kw_buf *out,
                                   struct kw_error *err)
{
    const struct kw_voucher_trust *trust = feed->options.vouchers;

    return trust == NULL ? kw_buf_append(out, kw_id_bytes(&feed->options.store), err)
                         : kw_store_record_place(kw_bytes_str(trust->self.region),
                                                 kw_bytes_str(trust->self.cell), out, err);
}

static struct kw_result begin_lane(const struct kw_feed *feed, struct kw_tx *tx,
                                   struct kw_id incarnation, struct kw_lane_row *ret_row,
                                   struct kw_error *err)
{
    struct kw_lane_row row = {.store = feed->options.store,
                              .incarnation = incarnation,
                              .writer = feed->options.writer,
                              .role = KW_LANE_ROLE_PRESENT};
    struct kw_lane lane = kw_feed_lane_name(feed, &row);
    KW_SCOPED(kw_buf_done) struct kw_buf origin = {0};

    KW_TRY(kw_lane_id(&lane, &row.id, err));
    KW_TRY(kw_lane_start(&lane, &row.point, err));
    row.floor = row.point;
    KW_TRY(our_origin(feed, &origin, err));
    KW_TRY(kw_lane_row_insert(tx, &row, kw_buf_bytes(&origin), err));
    kw_feed_lane_grew(feed, tx);
    KW_LOG(INFO, "a lane begins", KW_F_HEX("lane", kw_id_bytes(&row.id)),
           KW_F_HEX("incarnation", kw_id_bytes(&incarnation)), KW_F_U64("writer", row.writer));
    *ret_row = row;
    return KW_OK;
}

static struct kw_result begin_life(const struct kw_feed *feed, struct kw_tx *tx,
                                   struct kw_lane_row *ret_row, struct kw_error *err)
{
    struct kw_id incarnation;

    KW_TRY(kw_id_random(&incarnation, err));
    return begin_lane(feed, tx, incarnation, ret_row, err);
}

/* In the life that other writers of the store are in, if they are in one. */
static struct kw_result begin(const struct kw_feed *feed, struct kw_tx *tx,
                              struct kw_lane_row *ret_row, struct kw_error *err)
{
    struct kw_id incarnation;
    bool found;

    KW_TRY(kw_lane_row_incarnation(tx, feed->options.store, &incarnation, &found, err));
    return found ? begin_lane(feed, tx, incarnation, ret_row, err)
                 : begin_life(feed, tx, ret_row, err);
}

/* --- in one job --- */

static struct kw_result write_row(struct kw_tx_late *late, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_own_lane *own = KW_CONTAINER_OF(late, struct kw_own_lane, late);

    return own->has_moved
               ? kw_lane_row_move(tx, own->row.id, &own->row.point, own->row.closed, 0, err)
               : KW_OK;
}

struct kw_own_lane *kw_feed_own_lane(struct kw_feed *feed, struct kw_tx *tx)
{
    if (!feed->own.late.owed) {
        feed->own = (struct kw_own_lane){.late = {.write = write_row}};
        kw_tx_put_off(tx, &feed->own.late);
    }
    return &feed->own;
}

static bool is_locked(const struct kw_feed *feed)
{
    return feed->own.late.owed && feed->own.is_locked;
}

void kw_feed_own_move(struct kw_feed *feed, const struct kw_lane_point *point, uint64_t hlc)
{
    feed->own.row.point = *point;
    feed->own.row.closed = hlc;
    feed->own.has_moved = true;
}

struct kw_result kw_feed_own_look(struct kw_feed *feed, struct kw_tx *tx,
                                  struct kw_lane_row *ret_row, bool *ret_found,
                                  struct kw_error *err)
{
    if (is_locked(feed)) {
        *ret_row = feed->own.row;
        *ret_found = true;
        return KW_OK;
    }
    return kw_lane_row_lock_present(tx, feed->options.store, feed->options.writer, ret_row,
                                    ret_found, err);
}

/* Forked or not. */
static struct kw_result lock_or_begin(struct kw_feed *feed, struct kw_tx *tx,
                                      struct kw_lane_row *ret_row, struct kw_error *err)
{
    bool found;

    KW_TRY(kw_lane_row_lock_present(tx, feed->options.store, feed->options.writer, ret_row, &found,
                                    err));
    if (!found) {
        KW_TRY(begin(feed, tx, ret_row, err));
    }
    if (ret_row->closed > feed->clock.last) {
        feed->clock.last = ret_row->closed;
    }
    return KW_OK;
}

static struct kw_result lock(struct kw_feed *feed, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_lane_row row;
    struct kw_own_lane *own;

    KW_TRY(lock_or_begin(feed, tx, &row, err));
    own = kw_feed_own_lane(feed, tx); /* after it, for the job knew nothing of it any more */
    own->row = row;
    own->is_locked = true;
    return KW_OK;
}

struct kw_result kw_feed_own_voice(struct kw_feed *feed, struct kw_tx *tx,
                                   struct kw_lane_row *ret_row, struct kw_error *err)
{
    KW_TRY(is_locked(feed) ? KW_OK : lock(feed, tx, err));
    *ret_row = feed->own.row;
    KW_ENSURE(!ret_row->forked, err, STORE_UNAVAILABLE,
              "our lane has forked: another store runs under our id");
    return KW_OK;
}

/* --- what is said of us --- */

/* Others believe about us what our voucher says. */
static struct kw_result is_vouched(const struct kw_record *row, bool *ret_is, struct kw_error *err)
{
    struct kw_bytes record = kw_voucher_of(row);
    struct kw_voucher voucher;

    *ret_is = record.len == 0;
    if (record.len > 0) {
        KW_TRY(kw_voucher_decode(record, &voucher, err));
        *ret_is = kw_voucher_covers(&voucher, row);
    }
    return KW_OK;
}

static struct kw_result look_at_voucher(struct kw_feed *feed, const struct kw_record *row,
                                        struct kw_error *err)
{
    bool is = true;

    if (feed->options.vouchers != NULL && !feed->fenced) {
        KW_TRY(is_vouched(row, &is, err));
    }
    feed->unvouched = !is;
    return KW_OK;
}

/* A life of ours that is heard of later is open again, though we took ours for the only one. */
static struct kw_result read_row(struct kw_feed *feed, struct kw_tx *tx, struct kw_arena *arena,
                                 struct kw_error *err)
{
    struct kw_record row;
    bool found;

    KW_TRY(kw_feed_find(tx, &kw_store_record, kw_id_bytes(&feed->options.store), arena, &row,
                        &found, err));
    feed->fenced = found && kw_store_record_is_out(&row);
    if (found && !kw_store_settled(kw_record_value(&row, KW_STORE_FIELD_INCARNATIONS),
                                   kw_record_value(&row, KW_STORE_FIELD_SETTLED), feed->settled)) {
        feed->settled = KW_ID_NONE;
    }
    return found ? look_at_voucher(feed, &row, err) : KW_OK;
}

struct kw_result kw_feed_look_at_us(struct kw_feed *feed, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    bool was_out = feed->fenced;
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for our own row");
    result = read_row(feed, tx, arena, err);
    kw_arena_free(arena);
    if (kw_ok(result) && feed->fenced && !was_out) {
        KW_LOG(ERROR, "our store is fenced: nobody takes what is said here, so nothing is",
               KW_F_HEX("store", kw_id_bytes(&feed->options.store)));
    }
    return result;
}

/* --- the beginning of a process --- */

/* Behind nothing that is held here, as far as others may move our clock. */
static struct kw_result set_clock(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                  struct kw_error *err)
{
    struct kw_lane_row rows[LANES_AT_ONCE];
    struct kw_id after = KW_ID_NONE;
    size_t count = LANES_AT_ONCE;

    while (count == LANES_AT_ONCE) {
        KW_TRY(kw_lane_row_list(tx, after, rows, LANES_AT_ONCE, &count, err));
        for (size_t i = 0; i < count; i++) {
            const struct kw_stamp closed = {.hlc = rows[i].closed, .store = rows[i].store};

            (void)kw_stamp_receive(&feed->clock, &closed, wall_ms);
            after = rows[i].id;
        }
    }
    return KW_OK;
}

/* A copy of a database does not know how far the original came, so it numbers nothing that the original
 * may have numbered. */
static struct kw_result go_on_or_begin(struct kw_feed *feed, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_lane_row row;
    bool moved;

    KW_TRY(kw_store_moved(tx, &moved, err));
    if (moved) {
        KW_LOG(WARN, "the database is a copy: a new life begins");
        return kw_feed_new_life(feed, tx, err);
    }
    return lock_or_begin(feed, tx, &row, err);
}

struct kw_result kw_feed_open(struct kw_feed *feed, const struct kw_feed_options *options,
                              struct kw_tx *tx, uint64_t wall_ms, struct kw_error *err)
{
    KW_ENSURE(options->writer < KW_FEED_WRITERS_MAX, err, ARGUMENT_INVALID, "writer %u",
              options->writer);
    KW_TRY(kw_tx_catch_up(tx, err)); /* of what `feed` was before */
    *feed = (struct kw_feed){.options = *options, .seed = options->store};
    if (options->orphan_ms == 0) {
        feed->options.orphan_ms = KW_FEED_ORPHAN_MS;
    }
    if (options->vouchers != NULL) {
        KW_TRY(kw_voucher_store(options->mesh, &options->vouchers->self, options->store,
                                &feed->options.store, err));
    }
    feed->clock.store = feed->options.store;
    KW_TRY(kw_join_row_any(tx, &feed->joins, err));
    KW_TRY(kw_quarantine_life(tx, &feed->life, err));
    KW_TRY(set_clock(feed, tx, wall_ms, err));
    KW_TRY(kw_feed_look_at_us(feed, tx, err));
    return go_on_or_begin(feed, tx, err);
}

struct kw_result kw_feed_new_life(struct kw_feed *feed, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_lane_row row;

    KW_TRY(kw_feed_end_life(tx, feed->options.store, err));
    return begin_life(feed, tx, &row, err);
}

struct kw_stamp kw_feed_stamp(struct kw_feed *feed, uint64_t wall_ms)
{
    return kw_stamp_next(&feed->clock, wall_ms);
}
