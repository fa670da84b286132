/* Lanes as peers hear of them: how far they are held, their heads, and how far peers hold them. */
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/feed/ack_table.h"
#include "common/feed/feed_own.h"
#include "common/feed/feed_peers.h"
#include "common/feed/feed_settle.h"
#include "common/feed/lane_head.h"
#include "common/sync/store_record.h"

#define LANES_AT_ONCE 16

/* An instance that was taken away makes no promise any more, and who waits for one would do so for ever. Any
 * instance may make it: who writes the lane once more has it locked, and its clock is then ahead of what is
 * promised there (kw_feed_own_voice). */
static struct kw_result close_idle(const struct kw_feed *feed, struct kw_tx *tx, uint64_t closed,
                                   struct kw_error *err)
{
    const uint64_t idle = (uint64_t)KW_SEAL_IDLE_MS << 16;

    return closed > idle ? kw_lane_row_close(tx, feed->options.store, closed - idle, closed, err)
                         : KW_OK;
}

struct kw_result kw_feed_seal(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                              const struct kw_private_key *key, struct kw_buf *out,
                              struct kw_error *err)
{
    struct kw_lane_row lane;
    struct kw_lane_head head = {0};

    KW_TRY(kw_feed_look_at_us(feed, tx, err));
    KW_TRY(kw_feed_settle(feed, tx, wall_ms, err));
    KW_TRY(kw_feed_own_voice(feed, tx, &lane, err));
    head.lane = kw_feed_lane_name(feed, &lane);
    head.point = lane.point;
    head.closed = kw_stamp_next(&feed->clock, wall_ms).hlc;
    KW_TRY(kw_lane_row_move(tx, lane.id, &lane.point, head.closed, 0, err));
    KW_TRY(close_idle(feed, tx, head.closed, err));
    kw_feed_lane_grew(feed, tx);
    return kw_lane_head_sign(&head, key, out, err);
}

static struct kw_feed_lane lane_of(const struct kw_feed *feed, const struct kw_lane_row *row)
{
    return (struct kw_feed_lane){.lane = kw_feed_lane_name(feed, row),
                                 .id = row->id,
                                 .point = row->point,
                                 .floor = row->floor,
                                 .closed = row->closed,
                                 .ours = row->role == KW_LANE_ROLE_PRESENT &&
                                         row->writer == feed->options.writer,
                                 .stopped = row->forked};
}

struct kw_result kw_feed_lanes(const struct kw_feed *feed, struct kw_tx *tx, struct kw_id after,
                               struct kw_feed_lane *lanes, size_t max, size_t *ret_count,
                               struct kw_error *err)
{
    struct kw_lane_row rows[LANES_AT_ONCE];
    size_t count = LANES_AT_ONCE;
    size_t total = 0;

    while (count == LANES_AT_ONCE && total < max) {
        size_t most = max - total < LANES_AT_ONCE ? max - total : LANES_AT_ONCE;

        KW_TRY(kw_lane_row_list(tx, after, rows, most, &count, err));
        for (size_t i = 0; i < count; i++) {
            lanes[total++] = lane_of(feed, &rows[i]);
            after = rows[i].id;
        }
    }
    *ret_count = total;
    return KW_OK;
}

/* --- what peers say that they have --- */

/* As trimming asks it: a state that we do not know is waited for. */
static bool is_waited_for(const struct kw_feed_acker *peer, const struct kw_record *row)
{
    if (!kw_bytes_equal(kw_record_value(row, KW_STORE_FIELD_PLACE), peer->place)) {
        kw_metric_add(KW_M_FEED_VERDICTS, kw_lane_verdict_name(KW_LANE_STRANGER), 1);
        return false;
    }
    return !kw_store_record_known_fenced(row);
}

static struct kw_result look_at(struct kw_tx *tx, const struct kw_feed_acker *peer,
                                bool *ret_counts, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_record row;
    struct kw_result found;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a store");
    found =
        kw_feed_find(tx, &kw_store_record, kw_id_bytes(&peer->store), arena, &row, ret_counts, err);
    if (kw_ok(found) && *ret_counts) {
        *ret_counts = is_waited_for(peer, &row);
    }
    kw_arena_free(arena);
    return found;
}

/* Nobody signs for it. So it counts only of who is waited for, and for no change that is to come. */
struct kw_result kw_feed_ack(struct kw_tx *tx, const struct kw_feed_acker *peer, struct kw_id lane,
                             uint64_t seq, uint64_t *ret_counted, struct kw_error *err)
{
    struct kw_lane_row row;
    bool counts;

    *ret_counted = 0;
    KW_TRY(kw_lane_row_find(tx, lane, &row, &counts, err));
    if (counts) {
        KW_TRY(look_at(tx, peer, &counts, err));
    }
    if (!counts) {
        return KW_OK;
    }
    if (row.role == KW_LANE_ROLE_PAST) {
        KW_TRY(kw_ack_tell(tx, lane, peer->store, seq, err));
    }
    *ret_counted = seq < row.point.seq ? seq : row.point.seq;
    return *ret_counted > 0 ? kw_ack_raise(tx, lane, peer->store, *ret_counted, err) : KW_OK;
}
