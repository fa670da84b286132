/* Taking a tail out. What is stored is looked at before it is signed. */
#include "common/feed/feed_orphans.h"

#include "common/feed/change_table.h"
#include "common/feed/feed_own.h"
#include "common/feed/order.h"
#include "common/feed/orphans.h"
#include "common/sync/store_record.h"
#include "common/sync/version_vector.h"

#define LANES_AT_ONCE 16

struct taking_out {
    const struct kw_feed *feed;
    struct kw_tx *tx;
    const struct kw_private_key *key;
    struct kw_arena *arena; /* for all of it */
    struct kw_bytes fence;  /* a vector; empty: nothing is known of one, or nothing honoured */
    struct kw_orphans orphans;
    struct kw_buf batches;
    struct kw_feed_orphans count;
};

/* A batch as it grows. */
struct run {
    struct kw_lane lane;
    struct kw_lane_point from;
    struct kw_lane_point at;
    struct kw_change changes[KW_ORPHAN_BATCH_MAX];
    size_t count;
    size_t len;
};

/* --- from where on --- */

/* By the latest order: what an earlier one honoured more may be lost everywhere but here. */
static struct kw_result load_fence(struct taking_out *t, struct kw_error *err)
{
    struct kw_record row;
    bool found;

    KW_TRY(kw_feed_find(t->tx, &kw_store_record, kw_id_bytes(&t->feed->options.store), t->arena,
                        &row, &found, err));
    t->fence = found && kw_store_record_state(&row) == KW_STORE_FENCED ? kw_order_honours(&row)
                                                                       : KW_BYTES_NONE;
    return KW_OK;
}

/* What is honoured, or what is kept from on, if that is later. */
static struct kw_result load_from(const struct taking_out *t, const struct kw_lane_row *row,
                                  struct kw_lane_point *ret_from, struct kw_error *err)
{
    bool found;

    *ret_from = row->floor;
    ret_from->seq = kw_vector_get(t->fence, row->id);
    if (ret_from->seq <= row->floor.seq) {
        *ret_from = row->floor;
        return KW_OK;
    }
    if (ret_from->seq >= row->point.seq) {
        *ret_from = row->point;
        return KW_OK;
    }
    KW_TRY(kw_change_chain(t->tx, row->id, ret_from->seq, ret_from->chain, &found, err));
    KW_ENSURE(found, err, INTERNAL, "a lane has a hole after its floor");
    return KW_OK;
}

/* --- batches --- */

static struct kw_result put_batch(struct taking_out *t, struct run *run, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf head = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_writer w = KW_WRITER(&t->batches);
    const struct kw_lane_head unsigned_head = {
        .lane = run->lane, .point = run->at, .closed = run->changes[run->count - 1].hlc};
    struct kw_lane_batch batch = {.from = run->from, .changes = run->changes, .count = run->count};

    KW_TRY(kw_lane_head_sign(&unsigned_head, t->key, &head, err));
    batch.head_record = kw_buf_bytes(&head);
    KW_TRY(kw_lane_batch_encode(&batch, &record, err));
    KW_ENSURE(t->batches.len + record.len <= KW_ORPHANS_LEN_MAX, err, LIMIT_REACHED,
              "orphans of more than %u bytes", KW_ORPHANS_LEN_MAX);
    kw_put_orphan_part(&w, kw_buf_bytes(&record));
    t->count.changes += run->count;
    run->from = run->at;
    run->count = 0;
    run->len = 0;
    return kw_writer_end(&w, err);
}

/* Nobody reads a batch whose clock falls: one of a past life may have come back to us from two. */
static bool ends_before(const struct run *run, const struct kw_change_row *next)
{
    return run->count > 0 && (run->len + next->change.record.len > KW_ORPHAN_BATCH_LEN ||
                              next->change.hlc < run->changes[run->count - 1].hlc);
}

static struct kw_result add(struct run *run, const struct kw_change_row *row, struct kw_error *err)
{
    KW_TRY(kw_lane_advance(&run->at, &row->change, err));
    KW_ENSURE(kw_lane_point_equal(&run->at, &row->point), err, INTERNAL,
              "a stored change is damaged, or there is a hole");
    run->changes[run->count++] = row->change;
    run->len += row->change.record.len;
    return KW_OK;
}

/* As many as fit into one batch; the walk's end comes with its last. */
static struct kw_result fill(const struct taking_out *t, const struct kw_id *lane, struct run *run,
                             struct kw_arena *arena, struct kw_error *err)
{
    struct kw_change_row row;
    struct kw_stmt *rows;
    bool any = true;

    KW_TRY(kw_change_walk(t->tx, lane, run->from.seq, KW_ORPHAN_BATCH_MAX, &rows, err));
    while (any && run->count < KW_ORPHAN_BATCH_MAX) {
        KW_TRY(kw_change_next(rows, arena, &row, &any, err));
        if (any && ends_before(run, &row)) {
            return KW_OK;
        }
        if (any) {
            KW_TRY(add(run, &row, err));
        }
    }
    KW_ENSURE(run->count > 0, err, INTERNAL, "a lane has a hole before its end");
    return KW_OK;
}

static struct kw_result take_batch(struct taking_out *t, const struct kw_id *lane, struct run *run,
                                   struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_result taken;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a batch");
    taken = fill(t, lane, run, arena, err);
    if (kw_ok(taken)) {
        taken = put_batch(t, run, err);
    }
    kw_arena_free(arena);
    return taken;
}

/* --- lanes --- */

static struct kw_result take_lane(struct taking_out *t, const struct kw_lane_row *row,
                                  const struct kw_lane_point *from, struct kw_error *err)
{
    struct run *run = kw_arena_alloc(t->arena, sizeof(*run));

    KW_ENSURE(run != NULL, err, MEMORY, "a batch");
    KW_ENSURE(t->orphans.lane_count < KW_ORPHAN_LANES_MAX, err, LIMIT_REACHED,
              "orphans of more than %u lanes", KW_ORPHAN_LANES_MAX);
    *run = (struct run){
        .lane = kw_feed_lane_name(t->feed, row), .from = *from, .at = *from, .count = 0};
    t->orphans.lanes[t->orphans.lane_count++] = (struct kw_orphan_lane){
        .incarnation = row->incarnation, .writer = row->writer, .from = *from, .to = row->point};
    t->count.lanes++;
    while (run->at.seq < row->point.seq) {
        KW_TRY(take_batch(t, &row->id, run, err));
    }
    KW_ENSURE(kw_lane_point_equal(&run->at, &row->point), err, INTERNAL,
              "a lane does not lead to its end");
    return KW_OK;
}

static struct kw_result take_if_ours(struct taking_out *t, const struct kw_lane_row *row,
                                     struct kw_error *err)
{
    struct kw_lane_point from;

    if (!kw_id_equal(row->store, t->feed->options.store)) {
        return KW_OK;
    }
    KW_TRY(load_from(t, row, &from, err));
    return from.seq < row->point.seq ? take_lane(t, row, &from, err) : KW_OK;
}

static struct kw_result take_lanes(struct taking_out *t, struct kw_error *err)
{
    struct kw_lane_row rows[LANES_AT_ONCE];
    struct kw_id after = KW_ID_NONE;
    size_t count = LANES_AT_ONCE;

    while (count == LANES_AT_ONCE) {
        KW_TRY(kw_lane_row_list(t->tx, after, rows, LANES_AT_ONCE, &count, err));
        for (size_t i = 0; i < count; i++) {
            KW_TRY(take_if_ours(t, &rows[i], err));
            after = rows[i].id;
        }
    }
    return KW_OK;
}

/* --- the bundle --- */

static struct kw_result put_all(const struct taking_out *t, struct kw_buf *out,
                                struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_writer w = KW_WRITER(out);

    KW_TRY(kw_orphans_sign(&t->orphans, t->key, &record, err));
    kw_put_orphan_part(&w, kw_buf_bytes(&record));
    kw_put_raw(&w, kw_buf_bytes(&t->batches));
    return kw_writer_end(&w, err);
}

static struct kw_result take_out(struct taking_out *t, struct kw_buf *out, struct kw_error *err)
{
    KW_TRY(load_fence(t, err));
    KW_TRY(take_lanes(t, err));
    return put_all(t, out, err);
}

struct kw_result kw_feed_orphans(const struct kw_feed *feed, struct kw_tx *tx,
                                 const struct kw_private_key *key, uint64_t wall_ms,
                                 struct kw_buf *out, struct kw_feed_orphans *ret_orphans,
                                 struct kw_error *err)
{
    struct taking_out t = {
        .feed = feed,
        .tx = tx,
        .key = key,
        .arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX),
        .orphans = {.mesh = feed->options.mesh, .store = feed->options.store, .made_ms = wall_ms}};
    struct kw_result taken;

    KW_ENSURE(t.arena != NULL, err, MEMORY, "an arena for orphans");
    taken = take_out(&t, out, err);
    *ret_orphans = t.count;
    kw_buf_done(&t.batches);
    kw_arena_free(t.arena);
    return taken;
}
