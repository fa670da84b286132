/* Releasing what waits. A row is taken away and taken in once more; if it still can't be applied it
 * is back where it was, but later in the order, so there is an end. */
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/feed/feed_apply.h"
#include "common/feed/feed_rows.h"
#include "common/feed/feed_take.h"
#include "common/feed/held_table.h"
#include "common/feed/join_table.h"
#include "common/feed/quarantine_table.h"
#include "common/feed/urgent_table.h"
#include "common/feed/waiting_table.h"

struct releasing {
    struct kw_feed *feed;
    struct kw_tx *tx;
    uint64_t wall_ms;
    struct kw_arena *arena; /* of one row */
};

/* Was there one? */
static struct kw_result release_held(const struct releasing *r, bool *ret_any, size_t *released,
                                     struct kw_error *err)
{
    struct kw_waiting held;
    struct kw_feed_taken taken;

    KW_TRY(kw_held_next(r->tx, r->wall_ms, r->arena, &held, ret_any, err));
    if (!*ret_any) {
        return KW_OK;
    }
    KW_TRY(kw_held_delete(r->tx, &held, err));
    KW_TRY(kw_feed_take(r->feed, r->tx, &held, r->wall_ms, &taken, err));
    if (taken.how != KW_FEED_TAKEN_QUARANTINE) {
        kw_metric_add(KW_M_FEED_RELEASED, "held", 1);
        *released += 1;
    }
    return KW_OK;
}

static struct kw_result release_quarantined(const struct releasing *r, bool *ret_any,
                                            size_t *released, struct kw_error *err)
{
    struct kw_waiting change;
    struct kw_feed_taken taken;

    KW_TRY(kw_quarantine_next(r->tx, r->feed->life, r->arena, &change, ret_any, err));
    if (!*ret_any) {
        return KW_OK;
    }
    KW_TRY(kw_feed_take(r->feed, r->tx, &change, r->wall_ms, &taken, err));
    if (taken.how != KW_FEED_TAKEN_QUARANTINE) {
        KW_TRY(kw_quarantine_delete(r->tx, &change, err));
        kw_metric_add(KW_M_FEED_RELEASED, "quarantine", 1);
        *released += 1;
    }
    return KW_OK;
}

/* Its lane has not come: its store may be lost, or fenced with what went ahead, and then only those who
 * heard it have it in their rows. So each of them says it in a lane that goes on. All of them may: what is
 * said twice says nothing new. What can't be read here stays where it is, and is passed on as it came. */
static struct kw_result say_orphan(const struct releasing *r, bool *ret_any, size_t *released,
                                   struct kw_error *err)
{
    struct kw_bytes record;
    struct kw_urgent urgent;
    struct kw_error why;

    KW_TRY(kw_urgent_row_due(r->tx, r->wall_ms, r->arena, &record, ret_any, err));
    if (!*ret_any) {
        return KW_OK;
    }
    KW_ENSURE(kw_ok(kw_urgent_decode(record, &urgent, &why)), err, INTERNAL,
              "a stored urgent change is damaged: %s", why.message);
    if (!kw_feed_may_repeat(r->feed, urgent.change.record)) {
        return KW_OK;
    }
    KW_LOG(WARN, "an urgent change of a lane that does not come is said by us",
           KW_F_HEX("store", kw_id_bytes(&urgent.lane.store)), KW_F_U64("seq", urgent.point.seq));
    KW_TRY(kw_feed_say(r->feed, r->tx, urgent.change.record, false, r->wall_ms, err));
    kw_metric_add(KW_M_FEED_RELEASED, "orphan", 1);
    *released += 1;
    return KW_OK;
}

/* Not while we join, nor where our own lane has forked. */
static struct kw_result say_orphan_if_we_may(const struct releasing *r, bool *ret_any,
                                             size_t *released, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = {.feed = r->feed, .tx = r->tx};
    bool joining;
    bool has_voice;

    *ret_any = false;
    KW_TRY(kw_join_row_any(r->tx, &joining, err));
    KW_TRY(kw_feed_has_voice(&feed_tx, &has_voice, err));
    return !joining && has_voice ? say_orphan(r, ret_any, released, err) : KW_OK;
}

static struct kw_result release_one(struct releasing *r, bool *ret_any, size_t *released,
                                    struct kw_error *err)
{
    KW_TRY(release_held(r, ret_any, released, err));
    if (!*ret_any) {
        KW_TRY(release_quarantined(r, ret_any, released, err));
    }
    return *ret_any ? KW_OK : say_orphan_if_we_may(r, ret_any, released, err);
}

struct kw_result kw_feed_release(struct kw_feed *feed, struct kw_tx *tx, uint64_t wall_ms,
                                 size_t *ret_released, bool *ret_more, struct kw_error *err)
{
    struct releasing r = {.feed = feed, .tx = tx, .wall_ms = wall_ms};
    struct kw_result result = KW_OK;
    bool any = true;

    *ret_released = 0;
    for (size_t i = 0; i < KW_FEED_RELEASE_MAX && any && kw_ok(result); i++) {
        r.arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
        KW_ENSURE(r.arena != NULL, err, MEMORY, "an arena for what waits");
        result = release_one(&r, &any, ret_released, err);
        kw_arena_free(r.arena);
    }
    *ret_more = any;
    return result;
}

struct kw_result kw_feed_waits(struct kw_tx *tx, uint64_t *ret_held, uint64_t *ret_quarantined,
                               struct kw_error *err)
{
    KW_TRY(kw_waiting_count(tx, true, KW_FEED_WAITS_MAX, ret_held, err));
    return kw_waiting_count(tx, false, KW_FEED_WAITS_MAX, ret_quarantined, err);
}
