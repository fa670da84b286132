/* The orchestrator's replicated tables, as the feed knows them: what is checked of a change from
 * another cell, which changes go ahead of their lane, and how a merged row gets into its columns. */
#ifndef KW_SERVICES_ORCHESTRATOR_FEED_TABLES_H
#define KW_SERVICES_ORCHESTRATOR_FEED_TABLES_H

#include "common/feed/feed.h"

extern const struct kw_feed_table kw_orch_feed_tables[];
extern const size_t kw_orch_feed_table_count;

#endif
