/* Opened, and begun anew. */
#include "common/feed_service/new_life.h"

#include "common/base/clock.h"

static struct kw_result run(const struct kw_offline_tx *offline, void *context,
                            struct kw_error *err)
{
    struct kw_feed *feed = context;

    KW_TRY(kw_feed_open(feed, offline->options, offline->tx, kw_clock_wall_ms(), err));
    return kw_feed_new_life(feed, offline->tx, err);
}

struct kw_result kw_new_life_begin(const struct kw_offline *offline, struct kw_error *err)
{
    struct kw_feed feed = {0};

    return kw_offline_run(offline, run, &feed, err);
}
