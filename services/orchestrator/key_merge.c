/* Key versions. The delivery is forgotten at release or destruction; a cell that has not heard of
 * that must not bring it back. */
#include "services/orchestrator/key_merge.h"

static const struct kw_field_kind fields[KW_KEY_FIELD_END_] = {
    [KW_KEY_FIELD_DEVICE] = {"device", KW_RULE_ONCE},
    [KW_KEY_FIELD_VERSION] = {"version", KW_RULE_ONCE},
    [KW_KEY_FIELD_CREATED] = {"created", KW_RULE_ONCE},
    [KW_KEY_FIELD_CHECK_VALUE] = {"check_value", KW_RULE_ONCE},
    [KW_KEY_FIELD_DELIVERY] = {"delivery", KW_RULE_ERASABLE},
};

const struct kw_record_kind kw_key_record = {
    .table = KW_TABLE_KEY_VERSIONS, .name = "key versions", KW_RECORD_FIELDS(fields)};

bool kw_key_record_deliverable(const struct kw_record *record)
{
    return kw_record_value(record, KW_KEY_FIELD_DELIVERY).len > 0;
}
