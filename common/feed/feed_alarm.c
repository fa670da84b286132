/* Alarms, so many a second. */
#include "common/feed/feed_alarm.h"

#include "common/base/limits.h"
#include "common/base/metrics.h"

#define MS_PER_S 1000U

bool kw_feed_may_alarm(struct kw_feed *feed, uint64_t wall_ms)
{
    uint64_t second = wall_ms / MS_PER_S;

    feed->alarms = second == feed->alarm_second ? feed->alarms + 1 : 1;
    feed->alarm_second = second;
    if (feed->alarms > KW_FEED_LOGS_PER_S) {
        kw_metric_add(KW_M_LIMITS_REACHED, "feed_alarms_logged", 1);
        return false;
    }
    return true;
}
