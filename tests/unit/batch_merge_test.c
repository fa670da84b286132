/* Batches: each is made once, and released once. */
#include "services/orchestrator/batch_merge.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

static bool released(const struct kw_record *record)
{
    return kw_record_has(record, KW_BATCH_FIELD_RELEASED);
}

Test(batch_merge, laws_hold)
{
    struct laws laws = laws_new(&kw_batch_record);

    laws.dead = released;
    LAWS_AXIS(&laws, KW_BATCH_FIELD_STATION, value_text("station"), value_text("fault"));
    LAWS_AXIS(&laws, KW_BATCH_FIELD_LOT, value_text("lot"));
    LAWS_AXIS(&laws, KW_BATCH_FIELD_COUNT, value_text("3"), value_text("4"));
    LAWS_AXIS(&laws, KW_BATCH_FIELD_RELEASED, value_first(1, store_a, ""),
              value_first(1, store_b, ""));
    LAWS_UNKNOWN(&laws, 40, KW_RULE_MAX, value_u64(1), value_u64(2));
    laws_hold(&laws);
}
