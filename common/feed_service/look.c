/* Looking: lanes by id, against the last time's; what disables first. */
#include "common/feed_service/look.h"

#include "common/base/log.h"
#include "common/feed_service/store_about.h"
#include "common/rpc/messages.h"

#include <keyward/internal/v1/feed.pb-c.h>

/* --- messages --- */

static struct kw_result put_message(struct kw_feed_look *look,
                                    const Keyward__Internal__V1__FeedSubscribeResponse *message,
                                    struct kw_error *err)
{
    struct kw_buf *out = &look->messages[look->message_count];

    KW_TRY(kw_buf_reserve(out, protobuf_c_message_get_packed_size(&message->base), err));
    out->len = protobuf_c_message_pack(&message->base, out->data);
    look->message_count++;
    return KW_OK;
}

/* --- urgent changes --- */

/* What is too long for an item goes with its lane. */
static struct kw_result put_urgent(struct kw_feed_look *look, struct kw_bytes record,
                                   struct kw_error *err)
{
    Keyward__Internal__V1__FeedSubscribeResponse message =
        KEYWARD__INTERNAL__V1__FEED_SUBSCRIBE_RESPONSE__INIT;

    if (record.len > KW_FEED_PIECE_LEN_MAX) {
        return KW_OK;
    }
    message.urgent = kw_field_bytes(record);
    return put_message(look, &message, err);
}

/* One that is damaged is not told, nor what follows it: the lanes are. */
static struct kw_result read_urgent(const struct kw_feed_look *look, struct kw_tx *tx,
                                    struct kw_feed_told *told, struct kw_buf *record,
                                    struct kw_lane_point *ret_at, struct kw_error *err)
{
    struct kw_result read = kw_feed_read_urgent(look->feed, tx, told->lane, &told->urgent,
                                                &look->identity->key, record, ret_at, err);

    if (read.reason != KW_E_INTERNAL) {
        return read;
    }
    KW_LOG(ERROR, "an urgent change can't be told", KW_F_HEX("lane", kw_id_bytes(&told->lane)),
           KW_F_ERR(err));
    told->urgents_done = true;
    *ret_at = (struct kw_lane_point){.seq = 0};
    return KW_OK;
}

/* Ours, of this and earlier lives, as they come; others', whose lane is not here so far, once. */
static struct kw_result look_for_urgents(struct kw_feed_look *look, struct kw_tx *tx,
                                         const struct kw_feed_lane *lane, struct kw_feed_told *told,
                                         struct kw_error *err)
{
    bool ours = kw_id_equal(lane->lane.store, look->feed->options.store);

    while (!told->urgents_done) {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        struct kw_lane_point at;

        if (look->urgent_count == KW_FEED_TOLD_URGENTS) {
            look->more = true;
            return KW_OK;
        }
        KW_TRY(read_urgent(look, tx, told, &record, &at, err));
        if (at.seq == 0) {
            told->urgents_done = told->urgents_done || !ours;
            return KW_OK;
        }
        KW_TRY(put_urgent(look, kw_buf_bytes(&record), err));
        look->urgent_count++;
        told->urgent = at;
    }
    return KW_OK;
}

/* --- lanes --- */

/* The lane as it was told, or new. Both lists are by id, and no lane ever goes away. */
static struct kw_feed_told *find(struct kw_feed_look *look, struct kw_id lane, size_t *at)
{
    struct kw_feed_told *found = &look->found[look->found_count++];

    *found = (struct kw_feed_told){.lane = lane};
    if (*at < look->told_count && kw_id_equal(look->told[*at].lane, lane)) {
        *found = look->told[(*at)++];
    }
    return found;
}

static bool is_news(const struct kw_feed_lane *lane, const struct kw_feed_told *told)
{
    return !told->told || lane->point.seq != told->seq || lane->closed != told->closed ||
           lane->floor.seq != told->floor || lane->stopped != told->stopped;
}

static struct kw_result load_place(const struct kw_feed_look *look, struct kw_tx *tx,
                                   struct kw_id store, struct kw_feed_told *told,
                                   struct kw_error *err)
{
    struct kw_store_about about;

    if (told->region[0] != '\0') {
        return KW_OK;
    }
    KW_TRY(kw_store_about(look->feed, look->identity, tx, store, &about, err));
    kw_copy(told->region, about.region, sizeof(told->region));
    kw_copy(told->cell, about.cell, sizeof(told->cell));
    return KW_OK;
}

/* `*ret_is_news`: its entry is one to be told. */
static struct kw_result look_at(struct kw_feed_look *look, struct kw_tx *tx,
                                const struct kw_feed_lane *lane, struct kw_feed_told *told,
                                bool *ret_is_news, struct kw_error *err)
{
    bool news = is_news(lane, told);

    if (lane->ours) {
        look->incarnation = lane->lane.incarnation;
    }
    KW_TRY(load_place(look, tx, lane->lane.store, told, err));
    KW_TRY(look_for_urgents(look, tx, lane, told, err));
    told->seq = lane->point.seq;
    told->closed = lane->closed;
    told->floor = lane->floor.seq;
    told->stopped = lane->stopped;
    told->told = told->region[0] != '\0';
    *ret_is_news = news && told->told;
    return KW_OK;
}

/* One message of lanes. */
struct telling {
    Keyward__Internal__V1__FeedSubscribeResponse message;
    Keyward__Internal__V1__FeedLane lanes[KW_FEED_TOLD_LANES_MAX];
    Keyward__Internal__V1__FeedExtent extents[KW_FEED_TOLD_LANES_MAX];
    Keyward__Internal__V1__FeedLane *list[KW_FEED_TOLD_LANES_MAX];
};

static void tell(struct telling *telling, const struct kw_feed_told *told)
{
    size_t at = telling->message.n_lanes++;

    telling->extents[at] =
        (Keyward__Internal__V1__FeedExtent)KEYWARD__INTERNAL__V1__FEED_EXTENT__INIT;
    telling->extents[at].lane = kw_field_bytes(kw_id_bytes(&told->lane));
    telling->extents[at].seq = told->seq;
    telling->extents[at].closed = told->closed;
    telling->lanes[at] = (Keyward__Internal__V1__FeedLane)KEYWARD__INTERNAL__V1__FEED_LANE__INIT;
    telling->lanes[at].extent = &telling->extents[at];
    telling->lanes[at].region = kw_field_text(told->region);
    telling->lanes[at].cell = kw_field_text(told->cell);
    telling->lanes[at].floor = told->floor;
    telling->lanes[at].stopped = told->stopped;
    telling->list[at] = &telling->lanes[at];
}

static struct kw_result put_lanes(struct kw_feed_look *look, struct telling *telling,
                                  struct kw_error *err)
{
    if (telling->message.n_lanes == 0) {
        return KW_OK;
    }
    telling->message.lanes = telling->list;
    KW_TRY(put_message(look, &telling->message, err));
    telling->message.n_lanes = 0;
    return KW_OK;
}

static struct kw_result look_at_all(struct kw_feed_look *look, struct kw_tx *tx,
                                    const struct kw_feed_lane *lanes, size_t count,
                                    struct telling *telling, struct kw_error *err)
{
    size_t at = 0;
    bool news;

    for (size_t i = 0; i < count; i++) {
        struct kw_feed_told *told = find(look, lanes[i].id, &at);

        KW_TRY(look_at(look, tx, &lanes[i], told, &news, err));
        if (news) {
            tell(telling, told);
        }
        if (telling->message.n_lanes == KW_FEED_TOLD_LANES_MAX) {
            KW_TRY(put_lanes(look, telling, err));
        }
    }
    return put_lanes(look, telling, err);
}

static struct kw_result run(struct kw_feed_look *look, struct kw_tx *tx, struct kw_arena *arena,
                            struct kw_error *err)
{
    struct kw_feed_lane *lanes = kw_arena_alloc(arena, KW_LANES_MAX * sizeof(*lanes));
    struct telling *telling = kw_arena_alloc(arena, sizeof(*telling));
    size_t count;

    KW_ENSURE(lanes != NULL && telling != NULL, err, MEMORY, "the lanes");
    telling->message = (Keyward__Internal__V1__FeedSubscribeResponse)
        KEYWARD__INTERNAL__V1__FEED_SUBSCRIBE_RESPONSE__INIT;
    KW_TRY(kw_feed_lanes(look->feed, tx, KW_ID_NONE, lanes, KW_LANES_MAX, &count, err));
    return look_at_all(look, tx, lanes, count, telling, err);
}

struct kw_result kw_feed_look_run(struct kw_feed_look *look, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for the lanes");
    look->found_count = 0;
    look->urgent_count = 0;
    look->more = false;
    result = run(look, tx, arena, err);
    kw_arena_free(arena);
    return result;
}

void kw_feed_look_keep(struct kw_feed_look *look)
{
    for (size_t i = 0; i < look->found_count; i++) {
        look->told[i] = look->found[i];
    }
    look->told_count = look->found_count;
}

void kw_feed_look_drop(struct kw_feed_look *look)
{
    for (size_t i = 0; i < KW_FEED_LOOK_MESSAGES_MAX; i++) {
        kw_buf_done(&look->messages[i]);
    }
    look->message_count = 0;
}
