/* Facts. That a fact is there is all it says, and nothing takes one away: the rows are a grow-only
 * set, and a key's state, their fold (common/lifecycle/state.h), is the same wherever the same
 * facts are. Two cells that state the same one agree on the earlier statement, which is taken with
 * the MAC that goes with it. */
#include "services/orchestrator/fact_merge.h"

static const struct kw_field_kind fields[KW_FACT_FIELD_END_] = {
    [KW_FACT_FIELD_STATEMENT] = {"statement", KW_RULE_FIRST},
};

const struct kw_record_kind kw_fact_record = {
    .table = KW_TABLE_FACTS, .name = "facts", KW_RECORD_FIELDS(fields)};
