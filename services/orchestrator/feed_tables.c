/* The list. */
#include "services/orchestrator/feed_tables.h"

#include "common/sync/store_record.h"
#include "services/orchestrator/batch_feed.h"
#include "services/orchestrator/batch_merge.h"
#include "services/orchestrator/device_feed.h"
#include "services/orchestrator/device_merge.h"
#include "services/orchestrator/fact_feed.h"
#include "services/orchestrator/fact_merge.h"
#include "services/orchestrator/key_feed.h"
#include "services/orchestrator/key_merge.h"
#include "services/orchestrator/receipt_head_feed.h"
#include "services/orchestrator/receipt_head_merge.h"
#include "services/orchestrator/request_feed.h"
#include "services/orchestrator/request_merge.h"
#include "services/orchestrator/wrapped_key_feed.h"
#include "services/orchestrator/wrapped_key_merge.h"

const struct kw_feed_table kw_orch_feed_tables[] = {
    {.kind = &kw_store_record, .disables = kw_store_record_fences},
    {.kind = &kw_batch_record, .check = kw_batch_check, .project = kw_batch_project},
    {.kind = &kw_device_record, .check = kw_device_check, .project = kw_device_project},
    {.kind = &kw_key_record, .check = kw_key_check, .project = kw_key_project},
    {.kind = &kw_fact_record,
     .check = kw_fact_check,
     .disables = kw_fact_disables,
     .project = kw_fact_project},
    {.kind = &kw_wrapped_key_record,
     .check = kw_wrapped_key_check,
     .disables = kw_wrapped_key_disables,
     .prove = kw_wrapped_key_prove,
     .project = kw_wrapped_key_project},
    {.kind = &kw_orch_request_record, .check = kw_request_check, .project = kw_request_project},
    {.kind = &kw_receipt_head_record, .check = kw_receipt_head_check},
};

const size_t kw_orch_feed_table_count =
    sizeof(kw_orch_feed_tables) / sizeof(kw_orch_feed_tables[0]);
