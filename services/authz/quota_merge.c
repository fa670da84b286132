/* Quotas: a grow-only counter. Each store counts what it let through itself; hearing of it twice
 * must not count twice, which is why the sum is made on reading and never stored. */
#include "services/authz/quota_merge.h"

#include "common/sync/version_vector.h"

static const struct kw_field_kind fields[KW_QUOTA_FIELD_END_] = {
    [KW_QUOTA_FIELD_USED] = {"used", KW_RULE_VECTOR},
};

const struct kw_record_kind kw_quota_record = {
    .table = KW_TABLE_QUOTAS, .name = "quotas", KW_RECORD_FIELDS(fields)};

uint64_t kw_quota_record_used(const struct kw_record *record)
{
    return kw_vector_sum(kw_record_value(record, KW_QUOTA_FIELD_USED));
}
