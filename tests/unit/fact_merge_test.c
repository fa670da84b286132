/* Facts, in both owners: one that is stated stays, with the earliest statement. */
#include "services/authz/disabled_merge.h"
#include "services/orchestrator/fact_merge.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

static bool stated(const struct kw_record *record)
{
    return kw_record_has(record, KW_FACT_FIELD_STATEMENT);
}

static void check(const struct kw_record_kind *kind, uint8_t field)
{
    struct laws laws = laws_new(kind);

    laws.dead = stated;
    LAWS_AXIS(&laws, field, value_first(1, store_a, "record"), value_first(1, store_a, "recorD"),
              value_first(1, store_b, "record"), value_first(2, store_a, ""));
    LAWS_UNKNOWN(&laws, 40, KW_RULE_LWW, value_lww(1, store_a, "x"), value_lww(1, store_b, "x"),
                 value_lww(2, store_a, "y"));
    laws_hold(&laws);
}

Test(fact_merge, laws_hold)
{
    cr_assert_eq((int)KW_FACT_FIELD_STATEMENT, (int)KW_DISABLED_FIELD_STATEMENT);
    check(&kw_fact_record, KW_FACT_FIELD_STATEMENT);
    check(&kw_disabled_record, KW_DISABLED_FIELD_STATEMENT);
}

Test(fact_merge, two_cells_that_state_the_same_fact_agree_and_it_is_no_conflict)
{
    struct kw_record here = {.table = kw_fact_record.table, .key = kw_bytes_str("key")};
    struct kw_record there = here;
    struct kw_conflicts conflicts = {0};
    struct kw_record merged;

    MUST(kw_record_set(&here, &kw_fact_record, KW_FACT_FIELD_STATEMENT,
                       value_first(9, store_a, "record and MAC of A"), err));
    MUST(kw_record_set(&there, &kw_fact_record, KW_FACT_FIELD_STATEMENT,
                       value_first(8, store_b, "record and MAC of B"), err));
    MUST(kw_record_merge(&here, &there, values_arena(), &conflicts, &merged, err));
    cr_assert(kw_bytes_equal(kw_record_value(&merged, KW_FACT_FIELD_STATEMENT),
                             value_first(8, store_b, "record and MAC of B")));
    cr_assert_eq(conflicts.count, 0);
}
