/* Saying and hearing who holds what. What we said of a lane is noted where others' acknowledgements are, as ours. */
#include "common/feed/feed_holdings.h"

#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/feed/ack_table.h"
#include "common/feed/change_table.h"
#include "common/feed/feed_own.h"
#include "common/feed/feed_rows.h"
#include "common/feed/join_table.h"
#include "common/sync/version_vector.h"

#define ROWS_AT_ONCE 16

static const struct kw_field_kind fields[KW_HOLDING_FIELD_END_] = {
    [KW_HOLDING_FIELD_LANES] = {"lanes", KW_RULE_VECTOR},
};

const struct kw_record_kind kw_holding_record = {
    .table = KW_TABLE_HOLDINGS, .name = "holdings", KW_RECORD_FIELDS(fields)};

/* --- what is to be said --- */

struct holding {
    struct kw_id lane;
    uint64_t seq;
    uint64_t said; /* of it so far */
};

struct saying {
    struct kw_feed *feed;
    struct kw_tx *tx;
    uint64_t wall_ms;
    struct kw_arena *arena;
    struct holding *holdings; /* KW_LANES_MAX; by lane */
    size_t count;
    bool owed;
};

/* Has the lane more than was said, and is that worth a word? What was deleted was. */
static struct kw_result is_owed(const struct saying *s, const struct kw_lane_row *lane,
                                uint64_t said, bool *ret_owed, struct kw_error *err)
{
    *ret_owed = lane->floor.seq > said;
    if (*ret_owed || lane->point.seq <= said) {
        return KW_OK;
    }
    return kw_change_any_but(s->tx, lane->id, said, lane->point.seq, KW_TABLE_HOLDINGS, ret_owed,
                             err);
}

/* Our own lanes nobody asks us about. */
static struct kw_result note(struct saying *s, const struct kw_lane_row *lane, struct kw_error *err)
{
    struct holding holding = {.lane = lane->id, .seq = lane->point.seq};
    bool owed;

    if (lane->role != KW_LANE_ROLE_FOREIGN || holding.seq == 0 || s->count == KW_LANES_MAX) {
        return KW_OK;
    }
    KW_TRY(kw_ack_find(s->tx, lane->id, s->feed->options.store, &holding.said, err));
    KW_TRY(is_owed(s, lane, holding.said, &owed, err));
    s->owed = s->owed || owed;
    s->holdings[s->count++] = holding;
    return KW_OK;
}

static struct kw_result load(struct saying *s, struct kw_error *err)
{
    struct kw_lane_row rows[ROWS_AT_ONCE];
    struct kw_id after = KW_ID_NONE;
    size_t count = ROWS_AT_ONCE;

    s->holdings = kw_arena_alloc(s->arena, KW_LANES_MAX * sizeof(*s->holdings));
    KW_ENSURE(s->holdings != NULL, err, MEMORY, "what is held");
    while (count == ROWS_AT_ONCE) {
        KW_TRY(kw_lane_row_list(s->tx, after, rows, ROWS_AT_ONCE, &count, err));
        for (size_t i = 0; i < count; i++) {
            KW_TRY(note(s, &rows[i], err));
            after = rows[i].id;
        }
    }
    return KW_OK;
}

/* --- saying it --- */

static struct kw_result put(const struct saying *s, struct kw_writer *w,
                            const struct holding *holding, struct kw_error *err)
{
    kw_put_vector_entry(w, holding->lane, holding->seq);
    return kw_ack_raise(s->tx, holding->lane, s->feed->options.store, holding->seq, err);
}

static struct kw_result say(const struct saying *s, struct kw_bytes lanes, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf encoded = {0};
    struct kw_record record = {.table = KW_TABLE_HOLDINGS,
                               .key = kw_id_bytes(&s->feed->options.store)};

    KW_TRY(kw_record_set(&record, &kw_holding_record, KW_HOLDING_FIELD_LANES, lanes, err));
    KW_TRY(kw_record_encode(&record, &encoded, err));
    return kw_feed_say(s->feed, s->tx, kw_buf_bytes(&encoded), false, s->wall_ms, err);
}

/* The next change's worth, from `*at` on. All that we hold, if that is one: who did not know a lane when we last
 * said it may know it now. Else what is new. */
static struct kw_result say_next(const struct saying *s, size_t *at, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf lanes = {0};
    struct kw_writer w = KW_WRITER(&lanes);
    size_t put_count = 0;

    for (; *at < s->count && put_count < KW_FEED_HOLDINGS_MAX; (*at)++) {
        const struct holding *holding = &s->holdings[*at];

        if (s->count <= KW_FEED_HOLDINGS_MAX || holding->seq > holding->said) {
            KW_TRY(put(s, &w, holding, err));
            put_count++;
        }
    }
    KW_TRY(kw_writer_end(&w, err));
    return put_count > 0 ? say(s, kw_buf_bytes(&lanes), err) : KW_OK;
}

static struct kw_result say_what_is_owed(struct saying *s, struct kw_error *err)
{
    KW_TRY(load(s, err));
    for (size_t at = 0; s->owed && at < s->count;) {
        KW_TRY(say_next(s, &at, err));
    }
    return KW_OK;
}

static struct kw_result may_say(const struct saying *s, bool *ret_may, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = {.feed = s->feed, .tx = s->tx};
    bool joining;

    KW_TRY(kw_join_row_any(s->tx, &joining, err));
    KW_TRY(kw_feed_has_voice(&feed_tx, ret_may, err));
    *ret_may = *ret_may && !joining;
    return KW_OK;
}

struct kw_result kw_feed_say_holdings(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                      bool *ret_said, struct kw_error *err)
{
    struct saying s = {.feed = feed, .tx = tx, .wall_ms = wall_ms};
    struct kw_result said = KW_OK;
    bool may;

    KW_TRY(may_say(&s, &may, err));
    if (may) {
        s.arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
        KW_ENSURE(s.arena != NULL, err, MEMORY, "an arena for what is held");
        said = say_what_is_owed(&s, err);
        kw_arena_free(s.arena);
    }
    *ret_said = s.owed;
    return said;
}

/* --- hearing it --- */

bool kw_feed_is_holdings(struct kw_bytes record)
{
    struct kw_bytes key;
    uint16_t number;

    return kw_record_peek(record, &number, &key) && number == KW_TABLE_HOLDINGS;
}

/* Nobody holds more of a lane of ours than there is. Of another's more may be held there than here, and is not said
 * again when it has come: what is beyond all numbers counts as the highest. */
static struct kw_result hear_one(struct kw_tx *tx, struct kw_id lane, struct kw_id store,
                                 uint64_t seq, struct kw_error *err)
{
    struct kw_lane_row row;
    bool known;

    KW_TRY(kw_lane_row_find(tx, lane, &row, &known, err));
    seq = seq < INT64_MAX ? seq : INT64_MAX;
    if (known && row.role == KW_LANE_ROLE_PAST) {
        KW_TRY(kw_ack_tell(tx, lane, store, seq, err));
    }
    if (known && row.role != KW_LANE_ROLE_FOREIGN && seq > row.point.seq) {
        seq = row.point.seq;
    }
    return known && seq > 0 ? kw_ack_raise(tx, lane, store, seq, err) : KW_OK;
}

static struct kw_result hear_all(struct kw_tx *tx, struct kw_bytes lanes, struct kw_id store,
                                 struct kw_error *err)
{
    struct kw_reader r = KW_READER(lanes);

    while (r.rest.len > 0) {
        struct kw_id lane;

        kw_get_copy(&r, lane.bytes, sizeof(lane.bytes));
        KW_TRY(hear_one(tx, lane, store, kw_get_u64(&r), err));
    }
    return KW_OK;
}

struct kw_result kw_feed_take_holdings(struct kw_tx *tx, const struct kw_waiting *change,
                                       struct kw_error *err)
{
    struct kw_record record;
    struct kw_lane_row lane;
    struct kw_bytes lanes;
    bool found;

    KW_ENSURE(!change->is_row, err, ENCODING_INVALID, "only a lane says what its store holds");
    KW_TRY(kw_record_decode(&kw_holding_record, change->record, &record, err));
    KW_TRY(kw_lane_row_find(tx, change->lane, &lane, &found, err));
    KW_ENSURE(found && kw_bytes_equal(record.key, kw_id_bytes(&lane.store)), err, ENCODING_INVALID,
              "a lane says only what its own store holds");
    lanes = kw_record_value(&record, KW_HOLDING_FIELD_LANES);
    KW_ENSURE(lanes.len <= (size_t)KW_FEED_HOLDINGS_MAX * KW_VECTOR_ENTRY_LEN, err,
              ENCODING_INVALID, "more than %u lanes at once", KW_FEED_HOLDINGS_MAX);
    return hear_all(tx, lanes, lane.store, err);
}

/* --- trimming --- */

struct kw_result kw_feed_holdings_before_trim(const struct kw_feed *feed, struct kw_tx *tx,
                                              const struct kw_lane_row *lane, uint64_t floor,
                                              struct kw_error *err)
{
    uint64_t said;
    bool owed;

    if (lane->role != KW_LANE_ROLE_FOREIGN) {
        return KW_OK;
    }
    KW_TRY(kw_ack_find(tx, lane->id, feed->options.store, &said, err));
    if (said < lane->floor.seq || said >= floor) {
        return KW_OK;
    }
    KW_TRY(kw_change_any_but(tx, lane->id, said, floor, KW_TABLE_HOLDINGS, &owed, err));
    return owed ? KW_OK : kw_ack_raise(tx, lane->id, feed->options.store, floor, err);
}
