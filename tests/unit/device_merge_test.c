/* Devices: two pens that claim to be one are both kept, and noticed. */
#include "services/orchestrator/device_merge.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

Test(device_merge, laws_hold)
{
    struct laws laws = laws_new(&kw_device_record);

    laws.dead = kw_device_record_disputed;
    LAWS_AXIS(&laws, KW_DEVICE_FIELD_BATCH, value_text("batch"), value_text("fault"));
    LAWS_AXIS(&laws, KW_DEVICE_FIELD_BINDINGS, value_set("x"), value_set("y"), value_set("xy"));
    LAWS_AXIS(&laws, KW_DEVICE_FIELD_CONFIRMED, value_first(1, store_a, ""),
              value_first(1, store_b, ""));
    LAWS_AXIS(&laws, KW_DEVICE_FIELD_RELEASED, value_first(2, store_a, ""));
    LAWS_UNKNOWN(&laws, 40, KW_RULE_OR, KW_BYTES_NONE);
    laws_hold(&laws);
}

static struct kw_record confirmed_as(const char *binding, struct kw_id store)
{
    struct kw_record record = {.table = kw_device_record.table, .key = kw_bytes_str("key")};

    MUST(kw_record_set(&record, &kw_device_record, KW_DEVICE_FIELD_BINDINGS, value_set(binding),
                       err));
    MUST(kw_record_set(&record, &kw_device_record, KW_DEVICE_FIELD_CONFIRMED,
                       value_first(1, store, ""), err));
    return record;
}

Test(device_merge, one_pen_confirmed_in_two_cells_is_no_dispute_two_pens_are)
{
    struct kw_record here = confirmed_as("x", store_a);
    struct kw_record same = confirmed_as("x", store_b);
    struct kw_record other = confirmed_as("y", store_b);
    struct kw_conflicts conflicts = {0};
    struct kw_record merged;

    MUST(kw_record_merge(&here, &same, values_arena(), &conflicts, &merged, err));
    cr_assert_not(kw_device_record_disputed(&merged));
    cr_assert_eq(conflicts.count, 0);
    MUST(kw_record_merge(&merged, &other, values_arena(), &conflicts, &merged, err));
    cr_assert(kw_device_record_disputed(&merged));
    cr_assert_eq(conflicts.count, 1);
}
