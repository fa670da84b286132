/* The list, by table number. */
#include "services/orchestrator/record_kinds.h"

#include "common/sync/store_record.h"
#include "services/orchestrator/batch_merge.h"
#include "services/orchestrator/device_merge.h"
#include "services/orchestrator/fact_merge.h"
#include "services/orchestrator/key_merge.h"
#include "services/orchestrator/receipt_head_merge.h"
#include "services/orchestrator/request_merge.h"
#include "services/orchestrator/wrapped_key_merge.h"

const struct kw_record_kind *const kw_orch_record_kinds[] = {
    &kw_store_record,       &kw_device_record,       &kw_key_record,          &kw_fact_record,
    &kw_wrapped_key_record, &kw_orch_request_record, &kw_receipt_head_record, &kw_batch_record,
};

const size_t kw_orch_record_kind_count =
    sizeof(kw_orch_record_kinds) / sizeof(kw_orch_record_kinds[0]);
