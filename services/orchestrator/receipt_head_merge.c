/* Heads of receipt chains. One row for each number, not one for the newest: a fork must stay known
 * when later heads have come, and with the signatures that prove it. The same head signed twice is
 * no fork. */
#include "services/orchestrator/receipt_head_merge.h"

#include "common/sync/grow_set.h"

static const struct kw_field_kind fields[KW_RECEIPT_HEAD_FIELD_END_] = {
    [KW_RECEIPT_HEAD_FIELD_HEADS] = {"heads", KW_RULE_RIVALS},
    [KW_RECEIPT_HEAD_FIELD_SIGNED] = {"signed", KW_RULE_SET},
};

const struct kw_record_kind kw_receipt_head_record = {
    .table = KW_TABLE_RECEIPT_HEADS, .name = "receipt heads", KW_RECORD_FIELDS(fields)};

bool kw_receipt_head_record_forked(const struct kw_record *record)
{
    return kw_set_count(kw_record_value(record, KW_RECEIPT_HEAD_FIELD_HEADS)) > 1;
}
