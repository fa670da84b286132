/* Quotas: what each store used adds up, however often it is heard. */
#include "services/authz/quota_merge.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

Test(quota_merge, laws_hold)
{
    struct laws laws = laws_new(&kw_quota_record);

    LAWS_AXIS(&laws, KW_QUOTA_FIELD_USED, value_vector(0, 1), value_vector(0, 2),
              value_vector(1, 0), value_vector(1, 1), value_vector(1, 2), value_vector(2, 0),
              value_vector(2, 1), value_vector(2, 2));
    LAWS_UNKNOWN(&laws, 40, KW_RULE_VECTOR, value_vector(1, 0), value_vector(0, 1),
                 value_vector(1, 1));
    laws_hold(&laws);
}

Test(quota_merge, uses_in_two_cells_add_up_and_are_not_counted_twice)
{
    struct kw_record here = {.table = kw_quota_record.table, .key = kw_bytes_str("key")};
    struct kw_record there = here;
    struct kw_record merged;

    MUST(kw_record_set(&here, &kw_quota_record, KW_QUOTA_FIELD_USED, value_vector(3, 1), err));
    MUST(kw_record_set(&there, &kw_quota_record, KW_QUOTA_FIELD_USED, value_vector(2, 4), err));
    MUST(kw_record_merge(&here, &there, values_arena(), NULL, &merged, err));
    cr_assert_eq(kw_quota_record_used(&merged), 7);
    MUST(kw_record_merge(&merged, &there, values_arena(), NULL, &merged, err));
    cr_assert_eq(kw_quota_record_used(&merged), 7);
}

Test(quota_merge, a_count_beyond_what_fits_is_the_most_there_is)
{
    struct kw_record record = {.table = kw_quota_record.table, .key = kw_bytes_str("key")};

    cr_assert_eq(kw_quota_record_used(&record), 0);
    MUST(kw_record_set(&record, &kw_quota_record, KW_QUOTA_FIELD_USED, value_vector(UINT64_MAX, 1),
                       err));
    cr_assert_eq(kw_quota_record_used(&record), UINT64_MAX);
}
