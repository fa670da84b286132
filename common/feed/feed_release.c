/* Releasing what waits. A row is taken away and taken in once more; if it still can't be applied it
 * is back where it was, but later in the order, so there is an end. */
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/feed/feed_apply.h"
#include "common/feed/feed_take.h"
#include "common/feed/held_table.h"
#include "common/feed/quarantine_table.h"
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

static struct kw_result release_one(struct releasing *r, bool *ret_any, size_t *released,
                                    struct kw_error *err)
{
    KW_TRY(release_held(r, ret_any, released, err));
    return *ret_any ? KW_OK : release_quarantined(r, ret_any, released, err);
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
