/* Heads of receipt chains: a fork that was seen once stays known. */
#include "services/orchestrator/receipt_head_merge.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

Test(receipt_head_merge, laws_hold)
{
    struct laws laws = laws_new(&kw_receipt_head_record);

    laws.dead = kw_receipt_head_record_forked;
    LAWS_AXIS(&laws, KW_RECEIPT_HEAD_FIELD_HEADS, value_set("x"), value_set("y"), value_set("z"),
              value_set("xy"), value_set("xz"), value_set("yz"), value_set("xyz"));
    LAWS_AXIS(&laws, KW_RECEIPT_HEAD_FIELD_SIGNED, value_set("x"), value_set("y"), value_set("xy"));
    LAWS_UNKNOWN(&laws, 40, KW_RULE_MAX, value_u64(1), value_u64(2));
    laws_hold(&laws);
}

static struct kw_record head_of(const char *head, const char *signatures)
{
    struct kw_record record = {.table = kw_receipt_head_record.table, .key = kw_bytes_str("key")};

    MUST(kw_record_set(&record, &kw_receipt_head_record, KW_RECEIPT_HEAD_FIELD_HEADS,
                       value_set(head), err));
    MUST(kw_record_set(&record, &kw_receipt_head_record, KW_RECEIPT_HEAD_FIELD_SIGNED,
                       value_set(signatures), err));
    return record;
}

Test(receipt_head_merge, one_head_signed_twice_is_no_fork_two_heads_are)
{
    struct kw_record here = head_of("x", "s");
    struct kw_record again = head_of("x", "t");
    struct kw_record other = head_of("y", "u");
    struct kw_conflicts conflicts = {0};
    struct kw_record merged;

    MUST(kw_record_merge(&here, &again, values_arena(), &conflicts, &merged, err));
    cr_assert_not(kw_receipt_head_record_forked(&merged));
    cr_assert_eq(conflicts.count, 0);
    MUST(kw_record_merge(&merged, &other, values_arena(), &conflicts, &merged, err));
    cr_assert(kw_receipt_head_record_forked(&merged));
    cr_assert_eq(conflicts.count, 1);
    cr_assert(
        kw_bytes_equal(kw_record_value(&merged, KW_RECEIPT_HEAD_FIELD_SIGNED), value_set("stu")));
}
