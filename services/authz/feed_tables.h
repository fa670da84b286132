/* Authz's replicated tables, as the feed takes them: what may be in a row, which change disables, and
 * how columns are written. Rows of other cells come by these, too. */
#ifndef KW_SERVICES_AUTHZ_FEED_TABLES_H
#define KW_SERVICES_AUTHZ_FEED_TABLES_H

#include "common/feed/feed.h"

extern const struct kw_feed_table kw_authz_feed_tables[];
extern const size_t kw_authz_feed_table_count;

#endif
