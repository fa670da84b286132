/* Key versions and wrapped keys: what is erased stays erased. */
#include "services/orchestrator/key_merge.h"
#include "services/orchestrator/wrapped_key_merge.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

static bool delivery_erased(const struct kw_record *record)
{
    return kw_record_has(record, KW_KEY_FIELD_DELIVERY) && !kw_key_record_deliverable(record);
}

Test(key_merge, laws_hold)
{
    struct laws laws = laws_new(&kw_key_record);

    laws.dead = delivery_erased;
    laws.usable = kw_key_record_deliverable;
    LAWS_AXIS(&laws, KW_KEY_FIELD_CHECK_VALUE, value_text("123"), value_text("456"));
    LAWS_AXIS(&laws, KW_KEY_FIELD_DELIVERY, KW_BYTES_NONE, value_text("key"), value_text("other"));
    LAWS_UNKNOWN(&laws, 40, KW_RULE_RIVALS, value_set("x"), value_set("y"), value_set("xy"));
    laws_hold(&laws);
}

Test(key_merge, a_delivery_is_given_while_it_is_there_and_not_erased)
{
    struct kw_record record = {.table = kw_key_record.table, .key = kw_bytes_str("key")};

    cr_assert_not(kw_key_record_deliverable(&record));
    MUST(kw_record_set(&record, &kw_key_record, KW_KEY_FIELD_DELIVERY, value_text("key"), err));
    cr_assert(kw_key_record_deliverable(&record));
    MUST(kw_record_set(&record, &kw_key_record, KW_KEY_FIELD_DELIVERY, KW_BYTES_NONE, err));
    cr_assert_not(kw_key_record_deliverable(&record));
}

Test(wrapped_key_merge, laws_hold)
{
    struct laws laws = laws_new(&kw_wrapped_key_record);

    laws.dead = kw_wrapped_key_record_erased;
    laws.usable = kw_wrapped_key_record_usable;
    LAWS_AXIS(&laws, KW_WRAPPED_KEY_FIELD_WRAPPED, KW_BYTES_NONE, value_text("blob"));
    LAWS_AXIS(&laws, KW_WRAPPED_KEY_FIELD_MAC, value_text("mac"), value_text("fault"));
    LAWS_AXIS(&laws, KW_WRAPPED_KEY_FIELD_CONFIRMED, value_first(1, store_a, ""),
              value_first(1, store_b, ""));
    LAWS_UNKNOWN(&laws, 40, KW_RULE_SUSPENSIONS, value_suspensions(1, 0), value_suspensions(2, 0),
                 value_suspensions(3, 0));
    laws_hold(&laws);
}

Test(wrapped_key_merge, laws_hold_of_orders)
{
    struct laws laws = laws_new(&kw_wrapped_key_record);

    laws.dead = kw_wrapped_key_record_erased;
    laws.usable = kw_wrapped_key_record_usable;
    LAWS_AXIS(&laws, KW_WRAPPED_KEY_FIELD_WRAPPED, KW_BYTES_NONE, value_text("blob"));
    LAWS_AXIS(&laws, KW_WRAPPED_KEY_FIELD_ORDER, value_first(1, store_a, "one officer's"),
              value_first(2, store_a, "another's"), value_first(1, store_b, "another's"));
    laws_hold(&laws);
}

static struct kw_record wrapped(struct kw_bytes blob)
{
    struct kw_record record = {.table = kw_wrapped_key_record.table, .key = kw_bytes_str("key")};

    MUST(kw_record_set(&record, &kw_wrapped_key_record, KW_WRAPPED_KEY_FIELD_WRAPPED, blob, err));
    return record;
}

Test(wrapped_key_merge, a_destroyed_key_does_not_come_back_from_a_cell_that_has_it_and_is_no_fault)
{
    struct kw_record erased = wrapped(KW_BYTES_NONE);
    struct kw_record there = wrapped(value_text("blob"));
    struct kw_conflicts conflicts = {0};
    struct kw_record merged;

    MUST(kw_record_merge(&there, &erased, values_arena(), &conflicts, &merged, err));
    cr_assert(kw_wrapped_key_record_erased(&merged));
    cr_assert_not(kw_wrapped_key_record_usable(&merged));
    cr_assert_eq(conflicts.count, 0);
    MUST(kw_record_merge(&merged, &there, values_arena(), &conflicts, &merged, err));
    cr_assert(kw_wrapped_key_record_erased(&merged));
}

Test(wrapped_key_merge, one_that_was_never_heard_of_is_neither_erased_nor_usable)
{
    struct kw_record record = {.table = kw_wrapped_key_record.table, .key = kw_bytes_str("key")};

    cr_assert_not(kw_wrapped_key_record_erased(&record));
    cr_assert_not(kw_wrapped_key_record_usable(&record));
}
