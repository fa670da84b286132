/* The list. */
#include "services/orchestrator/feed_tables.h"

#include "common/sync/store_record.h"

const struct kw_feed_table kw_orch_feed_tables[] = {
    {.kind = &kw_store_record},
};

const size_t kw_orch_feed_table_count =
    sizeof(kw_orch_feed_tables) / sizeof(kw_orch_feed_tables[0]);
