/* Disabling facts. That a fact is there is all it says, and nothing takes one away: the rows are a
 * grow-only set. Two cells that state the same one agree on the earlier statement. */
#include "services/authz/disabled_merge.h"

static const struct kw_field_kind fields[KW_DISABLED_FIELD_END_] = {
    [KW_DISABLED_FIELD_STATEMENT] = {"statement", KW_RULE_FIRST},
};

const struct kw_record_kind kw_disabled_record = {
    .table = KW_TABLE_DISABLING_FACTS, .name = "disabling facts", KW_RECORD_FIELDS(fields)};
