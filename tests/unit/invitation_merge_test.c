/* Invitations: one that two enrolments claimed, in whatever cells, is held. */
#include "services/authz/invitation_merge.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

Test(invitation_merge, laws_hold)
{
    struct laws laws = laws_new(&kw_invitation_record);

    laws.dead = kw_invitation_record_over;
    LAWS_AXIS(&laws, KW_INVITATION_FIELD_ENROLMENTS, value_set("x"), value_set("y"),
              value_set("xy"));
    LAWS_AXIS(&laws, KW_INVITATION_FIELD_ANSWER, value_first(2, store_a, "certificate"),
              value_first(2, store_b, "another"));
    LAWS_AXIS(&laws, KW_INVITATION_FIELD_HELD, value_first(1, store_a, ""));
    LAWS_AXIS(&laws, KW_INVITATION_FIELD_ENDED, value_first(1, store_a, ""),
              value_first(1, store_b, ""));
    LAWS_UNKNOWN(&laws, 40, KW_RULE_ONCE, value_text("new"));
    laws_hold(&laws);
}

static struct kw_record claimed_by(const char *enrolments)
{
    struct kw_record record = {.table = kw_invitation_record.table, .key = kw_bytes_str("key")};

    MUST(kw_record_set(&record, &kw_invitation_record, KW_INVITATION_FIELD_ENROLMENTS,
                       value_set(enrolments), err));
    return record;
}

Test(invitation_merge, two_cells_that_let_in_different_enrolments_both_hold_it)
{
    struct kw_record here = claimed_by("x");
    struct kw_record there = claimed_by("y");
    struct kw_conflict conflict;
    struct kw_conflicts conflicts = {.items = &conflict, .max = 1};
    struct kw_record merged;

    cr_assert_not(kw_invitation_record_held(&here));
    MUST(kw_record_merge(&here, &there, values_arena(), &conflicts, &merged, err));
    cr_assert(kw_invitation_record_held(&merged) && kw_invitation_record_over(&merged));
    cr_assert_eq(conflicts.count, 1);
    cr_assert_eq(conflict.field, KW_INVITATION_FIELD_ENROLMENTS);
}

Test(invitation_merge, one_enrolment_that_reached_two_cells_is_one)
{
    struct kw_record here = claimed_by("x");
    struct kw_record merged;

    MUST(kw_record_merge(&here, &here, values_arena(), NULL, &merged, err));
    cr_assert_not(kw_invitation_record_over(&merged));
    MUST(kw_record_set(&merged, &kw_invitation_record, KW_INVITATION_FIELD_ENDED,
                       value_first(5, store_a, ""), err));
    cr_assert(kw_invitation_record_over(&merged));
    cr_assert_not(kw_invitation_record_held(&merged));
}

Test(invitation_merge, one_that_was_held_in_one_cell_is_held_in_both)
{
    struct kw_record here = claimed_by("x");
    struct kw_record there = {.table = kw_invitation_record.table, .key = kw_bytes_str("key")};
    struct kw_record merged;

    MUST(kw_record_set(&there, &kw_invitation_record, KW_INVITATION_FIELD_HELD,
                       value_first(5, store_b, ""), err));
    MUST(kw_record_merge(&here, &there, values_arena(), NULL, &merged, err));
    cr_assert(kw_invitation_record_held(&merged));
}
