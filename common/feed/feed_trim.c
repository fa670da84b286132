/* Trimming: changes leave the log when everybody who is to have them has them. What waits or is in
 * quarantine is kept for itself, and goes nowhere by that. */
#include "common/base/limits.h"
#include "common/feed/ack_table.h"
#include "common/feed/change_table.h"
#include "common/feed/feed_holdings.h"
#include "common/feed/feed_members.h"
#include "common/feed/feed_own.h"
#include "common/feed/feed_peers.h"

#define ROWS_AT_ONCE 16

struct trimming {
    const struct kw_feed *feed;
    struct kw_tx *tx;
    struct kw_arena *arena;
    struct kw_feed_member *members;
    size_t member_count;
    bool knows_us; /* else the members are not known here yet */
    size_t left;
};

/* --- who is to have them --- */

static struct kw_result load_members(struct trimming *t, struct kw_error *err)
{
    KW_TRY(kw_feed_members(t->tx, t->arena, &t->members, &t->member_count, err));
    for (size_t i = 0; i < t->member_count; i++) {
        t->knows_us = t->knows_us || kw_id_equal(t->members[i].store, t->feed->options.store);
    }
    return KW_OK;
}

/* How far all of them are. Us, and whose lane it is, nobody asks. */
static struct kw_result acknowledged(const struct trimming *t, const struct kw_lane_row *lane,
                                     uint64_t *ret_seq, struct kw_error *err)
{
    uint64_t least = lane->point.seq;

    for (size_t i = 0; i < t->member_count && least > 0; i++) {
        uint64_t seq = least;

        if (!kw_id_equal(t->members[i].store, t->feed->options.store) &&
            !kw_id_equal(t->members[i].store, lane->store)) {
            KW_TRY(kw_ack_find(t->tx, lane->id, t->members[i].store, &seq, err));
        }
        least = seq < least ? seq : least;
    }
    *ret_seq = least;
    return KW_OK;
}

/* --- one lane --- */

/* Up to where nobody is waited for. */
static struct kw_result find_floor(const struct trimming *t, const struct kw_lane_row *lane,
                                   uint64_t *ret_seq, struct kw_error *err)
{
    uint64_t keep = t->feed->options.keep_max;
    uint64_t end = keep > 0 && lane->point.seq > keep ? lane->point.seq - keep : 0;

    KW_TRY(acknowledged(t, lane, ret_seq, err));
    *ret_seq = *ret_seq > end ? *ret_seq : end;
    return KW_OK;
}

static struct kw_result trim_lane(struct trimming *t, const struct kw_lane_row *lane,
                                  struct kw_error *err)
{
    struct kw_lane_point floor = {0};
    uint64_t count;
    bool found;

    KW_TRY(find_floor(t, lane, &floor.seq, err));
    if (floor.seq <= lane->floor.seq || t->left == 0) {
        return KW_OK;
    }
    count = floor.seq - lane->floor.seq < t->left ? floor.seq - lane->floor.seq : t->left;
    floor.seq = lane->floor.seq + count;
    KW_TRY(kw_feed_holdings_before_trim(t->feed, t->tx, lane, floor.seq, err));
    KW_TRY(kw_change_chain(t->tx, lane->id, floor.seq, floor.chain, &found, err));
    KW_ENSURE(found, err, INTERNAL, "a lane has a hole");
    KW_TRY(kw_lane_row_set_floor(t->tx, lane->id, &floor, err));
    KW_TRY(kw_change_delete(t->tx, lane->id, floor.seq, err));
    t->left -= (size_t)count;
    return KW_OK;
}

static struct kw_result trim(struct trimming *t, struct kw_error *err)
{
    struct kw_lane_row rows[ROWS_AT_ONCE];
    struct kw_id after = KW_ID_NONE;
    size_t count = ROWS_AT_ONCE;

    KW_TRY(load_members(t, err));
    while (t->knows_us && count == ROWS_AT_ONCE) {
        KW_TRY(kw_lane_row_list(t->tx, after, rows, ROWS_AT_ONCE, &count, err));
        for (size_t i = 0; i < count; i++) {
            KW_TRY(trim_lane(t, &rows[i], err));
            after = rows[i].id;
        }
    }
    return KW_OK;
}

struct kw_result kw_feed_trim(const struct kw_feed *feed, struct kw_tx *tx, size_t max,
                              size_t *ret_trimmed, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct trimming t = {.feed = feed, .tx = tx, .arena = arena, .left = max};
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for the members");
    result = trim(&t, err);
    kw_arena_free(arena);
    *ret_trimmed = max - t.left;
    return result;
}
