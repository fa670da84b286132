/* Giving what goes ahead of its lane: ours from the log, another store's as it came. */
#include "common/base/limits.h"
#include "common/feed/change_table.h"
#include "common/feed/feed_own.h"
#include "common/feed/feed_peers.h"
#include "common/feed/urgent.h"
#include "common/feed/urgent_table.h"

struct reading {
    const struct kw_feed *feed;
    struct kw_tx *tx;
    const struct kw_private_key *key;
    struct kw_arena *arena;
    struct kw_lane_row lane;
};

/* As it was written? We would sign what a disk made of it. */
static struct kw_result check_whole(const struct reading *r, const struct kw_change_row *row,
                                    struct kw_error *err)
{
    struct kw_lane_point at = {.seq = row->point.seq - 1};
    bool found = at.seq == r->lane.floor.seq;

    if (found) {
        at = r->lane.floor;
    } else {
        KW_TRY(kw_change_chain(r->tx, r->lane.id, at.seq, at.chain, &found, err));
    }
    KW_ENSURE(found, err, INTERNAL, "a lane has a hole after its floor");
    KW_TRY(kw_lane_advance(&at, &row->change, err));
    KW_ENSURE(kw_lane_point_equal(&at, &row->point), err, INTERNAL, "a stored change is damaged");
    return KW_OK;
}

static struct kw_result sign(const struct reading *r, const struct kw_change_row *row,
                             struct kw_buf *out, struct kw_error *err)
{
    const struct kw_urgent urgent = {
        .lane = kw_feed_lane_name(r->feed, &r->lane), .point = row->point, .change = row->change};

    return kw_urgent_sign(&urgent, r->key, out, err);
}

static struct kw_result read_own(const struct reading *r, uint64_t after, struct kw_buf *out,
                                 struct kw_lane_point *ret_at, struct kw_error *err)
{
    struct kw_change_row row;
    bool found;

    KW_TRY(kw_change_next_urgent(r->tx, r->lane.id, after, r->arena, &row, &found, err));
    if (!found) {
        return KW_OK;
    }
    KW_TRY(check_whole(r, &row, err));
    *ret_at = row.point;
    return sign(r, &row, out, err);
}

struct kw_result kw_feed_read_urgent(const struct kw_feed *feed, struct kw_tx *tx,
                                     struct kw_id lane, const struct kw_lane_point *after,
                                     const struct kw_private_key *key, struct kw_buf *out,
                                     struct kw_lane_point *ret_at, struct kw_error *err)
{
    struct reading r = {.feed = feed, .tx = tx, .key = key};
    struct kw_result result;
    bool found;

    *ret_at = (struct kw_lane_point){.seq = 0};
    KW_TRY(kw_lane_row_find(tx, lane, &r.lane, &found, err));
    if (!found || !kw_id_equal(r.lane.store, feed->options.store)) {
        return kw_urgent_row_next(tx, lane, after, out, ret_at, err);
    }
    r.arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    KW_ENSURE(r.arena != NULL, err, MEMORY, "an arena for an urgent change");
    result = read_own(&r, after->seq, out, ret_at, err);
    kw_arena_free(r.arena);
    return result;
}
