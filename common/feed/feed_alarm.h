/* Alarms of the feed, and of what its owner keeps by it (feed_log.h): all are counted, and not more of them logged than
 * somebody reads. */
#ifndef KW_COMMON_FEED_FEED_ALARM_H
#define KW_COMMON_FEED_FEED_ALARM_H

#include "common/feed/feed.h"

/* One more line, by who brings forgeries, without filling the log? KW_FEED_LOGS_PER_S; what is left out is
 * counted as a limit that was reached. Write job. */
bool kw_feed_may_alarm(struct kw_feed *feed, uint64_t wall_ms);

#endif
