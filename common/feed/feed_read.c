/* Giving lanes to peers. Another store's lane can only end where its owner signed that it does; we
 * keep those heads with the changes they end with.
 *
 * What is stored is looked at before it is sent: the peer would find a fault, and blame us. */
#include "common/base/limits.h"
#include "common/feed/change_table.h"
#include "common/feed/feed_own.h"
#include "common/feed/feed_peers.h"
#include "common/feed/lane_batch.h"
#include "common/sync/store_record.h"
#include "common/sync/version_vector.h"

struct reading {
    const struct kw_feed *feed;
    struct kw_tx *tx;
    const struct kw_private_key *key;
    struct kw_arena *arena;
    struct kw_lane_row lane;
    struct kw_lane_point from;
    struct kw_change *changes; /* KW_BATCH_CHANGES_MAX */
    size_t count;              /* walked */
    size_t cut;                /* of them, those of the batch */
    size_t len;                /* of the records walked */
    struct kw_lane_point at;   /* after those walked */
    struct kw_change_row last; /* of the batch */
    struct kw_bytes signer;    /* of its head, if another store's */
    uint64_t closed;           /* by its head */
    uint64_t end;              /* the last number that peers take */
    struct kw_feed_found *found;
};

static bool is_ours(const struct kw_feed *feed, const struct kw_lane_row *lane)
{
    return kw_id_equal(lane->store, feed->options.store);
}

static struct kw_result load_from(struct reading *r, uint64_t after, struct kw_error *err)
{
    bool found;

    if (after == r->lane.floor.seq) {
        r->from = r->lane.floor;
        return KW_OK;
    }
    r->from.seq = after;
    KW_TRY(kw_change_chain(r->tx, r->lane.id, after, r->from.chain, &found, err));
    KW_ENSURE(found, err, INTERNAL, "a lane has a hole after its floor");
    return KW_OK;
}

/* As long as there is room: what is not cut at a head of its owner yet may go on. */
static bool has_room(const struct reading *r)
{
    return r->count < KW_BATCH_CHANGES_MAX && (r->cut == 0 || r->len < KW_BATCH_LEN_SOFT);
}

/* May the batch that ends before this change go on with it? Not into another batch of its owner's whose
 * clock is behind, which we took as it came: nobody reads such a batch. */
static bool goes_on(const struct reading *r, const struct kw_change_row *row)
{
    return row->point.seq <= r->end &&
           (r->count == 0 || row->change.hlc >= r->changes[r->count - 1].hlc);
}

static struct kw_result add(struct reading *r, const struct kw_change_row *row,
                            struct kw_error *err)
{
    KW_TRY(kw_lane_advance(&r->at, &row->change, err));
    KW_ENSURE(kw_lane_point_equal(&r->at, &row->point), err, INTERNAL,
              "a stored change is damaged, or there is a hole");
    r->changes[r->count++] = row->change;
    r->len += row->change.record.len;
    return KW_OK;
}

/* Is this what the lane's owner signed for that point? */
static struct kw_result check_head(const struct reading *r, struct kw_bytes record,
                                   const struct kw_lane_point *point, struct kw_lane_head *ret_head,
                                   struct kw_error *err)
{
    struct kw_error why;
    struct kw_id lane;

    KW_ENSURE(kw_ok(kw_lane_head_decode(record, ret_head, &why)), err, INTERNAL,
              "a stored head is damaged: %s", why.message);
    KW_TRY(kw_lane_id(&ret_head->lane, &lane, err));
    KW_ENSURE(kw_id_equal(lane, r->lane.id) && kw_lane_point_equal(&ret_head->point, point), err,
              INTERNAL, "a stored head is another's");
    return KW_OK;
}

/* Its owner signed here. One batch has heads of one key: a new one may be announced by what the older
 * one signed. `*ret_on` false: this is beyond the batch. */
static struct kw_result cut_at_head(struct reading *r, const struct kw_change_row *row,
                                    bool *ret_on, struct kw_error *err)
{
    struct kw_lane_head head;

    KW_TRY(check_head(r, row->head, &row->point, &head, err));
    *ret_on = r->cut == 0 || kw_bytes_equal(r->signer, head.key);
    if (*ret_on) {
        r->cut = r->count;
        r->last = *row;
        r->signer = head.key;
        r->closed = head.closed;
    }
    return KW_OK;
}

static struct kw_result take(struct reading *r, const struct kw_change_row *row, bool *ret_on,
                             struct kw_error *err)
{
    KW_TRY(add(r, row, err));
    if (is_ours(r->feed, &r->lane)) {
        r->cut = r->count;
        r->last = *row;
        return KW_OK;
    }
    return row->head.len > 0 ? cut_at_head(r, row, ret_on, err) : KW_OK;
}

static struct kw_result walk(struct reading *r, struct kw_error *err)
{
    struct kw_change_row row;
    struct kw_stmt *rows;
    bool on = true;

    r->at = r->from;
    KW_TRY(kw_change_walk(r->tx, &r->lane.id, r->from.seq, KW_BATCH_CHANGES_MAX, &rows, err));
    while (on && has_room(r)) {
        KW_TRY(kw_change_next(rows, r->arena, &row, &on, err));
        if (!on || !goes_on(r, &row)) {
            break;
        }
        KW_TRY(take(r, &row, &on, err));
    }
    KW_ENSURE(r->cut > 0 || r->end < r->lane.point.seq, err, INTERNAL,
              "a lane has no head to cut it at");
    return KW_OK;
}

/* Of a fenced store peers take what its fence honours, of one that is cut off nothing. */
static struct kw_result load_end(struct reading *r, struct kw_error *err)
{
    struct kw_record store;
    bool found;

    r->end = r->lane.point.seq;
    KW_TRY(kw_feed_find(r->tx, &kw_store_record, kw_id_bytes(&r->lane.store), r->arena, &store,
                        &found, err));
    if (found && kw_store_record_state(&store) == KW_STORE_FENCED) {
        uint64_t fence = kw_vector_get(kw_record_value(&store, KW_STORE_FIELD_FENCE), r->lane.id);

        r->end = fence < r->end ? fence : r->end;
    } else if (found && kw_store_record_is_out(&store)) {
        r->end = 0;
    }
    return KW_OK;
}

/* Its promise: at the end of what there is the one that was given last, before that what is true of
 * the change itself. */
static struct kw_result sign(struct reading *r, struct kw_buf *head, struct kw_error *err)
{
    bool at_end = r->last.point.seq == r->lane.point.seq;
    struct kw_lane_head unsigned_head = {.lane = kw_feed_lane_name(r->feed, &r->lane),
                                         .point = r->last.point};

    r->closed = at_end ? r->lane.closed : r->last.change.hlc;
    unsigned_head.closed = r->closed;
    return kw_lane_head_sign(&unsigned_head, r->key, head, err);
}

static void found(const struct reading *r, enum kw_feed_read read, uint64_t seq, uint64_t closed)
{
    *r->found = (struct kw_feed_found){.read = read, .seq = seq, .closed = closed};
}

static struct kw_result encode(struct reading *r, struct kw_buf *out, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf head = {0};
    struct kw_lane_batch batch = {
        .from = r->from, .head_record = r->last.head, .changes = r->changes, .count = r->cut};

    if (is_ours(r->feed, &r->lane)) {
        KW_TRY(sign(r, &head, err));
        batch.head_record = kw_buf_bytes(&head);
    }
    found(r, KW_FEED_READ_BATCH, r->last.point.seq, r->closed);
    return kw_lane_batch_encode(&batch, out, err);
}

/* --- what there is --- */

static struct kw_result read_batch(struct reading *r, uint64_t after, struct kw_buf *out,
                                   struct kw_error *err)
{
    r->changes = kw_arena_alloc(r->arena, KW_BATCH_CHANGES_MAX * sizeof(*r->changes));
    KW_ENSURE(r->changes != NULL, err, MEMORY, "the changes of a batch");
    KW_TRY(load_from(r, after, err));
    KW_TRY(walk(r, err));
    return r->cut > 0 ? encode(r, out, err) : KW_OK;
}

/* The lane's head, at its end: ours is signed, as it was sealed last. */
static struct kw_result load_head(const struct reading *r, struct kw_buf *head,
                                  struct kw_error *err)
{
    const struct kw_lane_head ours = {.lane = kw_feed_lane_name(r->feed, &r->lane),
                                      .point = r->lane.point,
                                      .closed = r->lane.closed};
    bool any;

    return is_ours(r->feed, &r->lane) ? kw_lane_head_sign(&ours, r->key, head, err)
                                      : kw_lane_row_head(r->tx, r->lane.id, head, &any, err);
}

static struct kw_result read_heartbeat(struct reading *r, struct kw_buf *out, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf head = {0};
    struct kw_lane_batch batch = {0};

    KW_TRY(load_head(r, &head, err));
    if (head.len == 0) {
        return KW_OK;
    }
    batch.head_record = kw_buf_bytes(&head);
    KW_TRY(check_head(r, batch.head_record, &r->lane.point, &batch.head, err));
    batch.from = batch.head.point;
    found(r, KW_FEED_READ_HEARTBEAT, batch.head.point.seq, batch.head.closed);
    return kw_lane_batch_encode(&batch, out, err);
}

static struct kw_result read_lane(struct reading *r, uint64_t after, struct kw_buf *out,
                                  struct kw_error *err)
{
    bool is_there;

    KW_TRY(kw_lane_row_find(r->tx, r->lane.id, &r->lane, &is_there, err));
    if (!is_there || after > r->lane.point.seq) {
        return KW_OK;
    }
    if (after < r->lane.floor.seq) {
        found(r, KW_FEED_READ_TRIMMED, r->lane.floor.seq, 0);
        return KW_OK;
    }
    KW_TRY(load_end(r, err));
    if (after < r->lane.point.seq) {
        return read_batch(r, after, out, err);
    }
    return after <= r->end ? read_heartbeat(r, out, err) : KW_OK;
}

struct kw_result kw_feed_read(const struct kw_feed *feed, struct kw_tx *tx, struct kw_id lane,
                              uint64_t after, const struct kw_private_key *key, struct kw_buf *out,
                              struct kw_feed_found *ret_found, struct kw_error *err)
{
    struct reading r = {
        .feed = feed, .tx = tx, .key = key, .lane = {.id = lane}, .found = ret_found};
    struct kw_result result;

    *ret_found = (struct kw_feed_found){.read = KW_FEED_READ_NOTHING};
    r.arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    KW_ENSURE(r.arena != NULL, err, MEMORY, "an arena for a batch");
    result = read_lane(&r, after, out, err);
    kw_arena_free(r.arena);
    return result;
}
