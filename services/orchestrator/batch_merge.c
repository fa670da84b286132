/* Batches. */
#include "services/orchestrator/batch_merge.h"

static const struct kw_field_kind fields[KW_BATCH_FIELD_END_] = {
    [KW_BATCH_FIELD_STATION] = {"station", KW_RULE_ONCE},
    [KW_BATCH_FIELD_REQUEST] = {"request", KW_RULE_ONCE},
    [KW_BATCH_FIELD_PRODUCT] = {"product", KW_RULE_ONCE},
    [KW_BATCH_FIELD_LOT] = {"lot", KW_RULE_ONCE},
    [KW_BATCH_FIELD_COUNT] = {"count", KW_RULE_ONCE},
    [KW_BATCH_FIELD_CREATED] = {"created", KW_RULE_ONCE},
    [KW_BATCH_FIELD_RELEASED] = {"released", KW_RULE_FIRST},
};

const struct kw_record_kind kw_batch_record = {
    .table = KW_TABLE_BATCHES, .name = "batches", KW_RECORD_FIELDS(fields)};
