/* The laws can fail: merges that are wrong, each a mistake that people make, run through the check
 * that the product's merge passes. Each breaks the law that it should. */
#include "common/sync/lww.h"
#include "common/sync/order.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

enum field {
    REVOKED = 1,
    USED,
    PROFILE,
    BLOB,
    UNKNOWN = 40
};

static const struct kw_field_kind fields[] = {
    [REVOKED] = {"revoked", KW_RULE_FIRST},
    [USED] = {"used", KW_RULE_MAX},
    [PROFILE] = {"profile", KW_RULE_LWW},
    [BLOB] = {"blob", KW_RULE_ERASABLE},
};

static const struct kw_record_kind kind = {
    .table = 999, .name = "mistakes", KW_RECORD_FIELDS(fields)};

static bool over(const struct kw_record *record)
{
    return kw_record_has(record, REVOKED) ||
           (kw_record_has(record, BLOB) && kw_record_value(record, BLOB).len == 0);
}

static struct laws mistakes(void)
{
    struct laws laws = laws_new(&kind);

    laws.dead = over;
    LAWS_AXIS(&laws, REVOKED, value_first(1, store_a, ""));
    LAWS_AXIS(&laws, USED, value_u64(1), value_u64(2));
    LAWS_AXIS(&laws, PROFILE, value_lww(1, store_b, "x"), value_lww(2, store_a, "x"),
              value_lww(2, store_a, "y"), value_lww(3, store_a, "a"));
    LAWS_AXIS(&laws, BLOB, KW_BYTES_NONE, value_text("blob"));
    return laws;
}

/* The product's merge, but for one field, for which `theirs` or `ours` is taken. */
static struct kw_result but_for(uint8_t field, bool take_theirs, const struct kw_record *ours,
                                const struct kw_record *theirs, struct kw_arena *arena,
                                struct kw_record *ret_record, struct kw_error *err)
{
    const struct kw_record_field *from = kw_record_find(take_theirs ? theirs : ours, field);

    KW_TRY(kw_record_merge(ours, theirs, arena, NULL, ret_record, err));
    for (size_t i = 0; i < ret_record->count; i++) {
        if (ret_record->fields[i].number == field && from != NULL) {
            ret_record->fields[i] = *from;
        }
    }
    return KW_OK;
}

static uint64_t hlc_of(const struct kw_record *record)
{
    struct kw_lww lww = {0};

    (void)kw_lww_read(kw_record_value(record, PROFILE), &lww);
    return lww.stamp.hlc;
}

Test(mistakes, the_domain_itself_breaks_no_law)
{
    struct laws laws = mistakes();

    laws_hold(&laws);
}

/* --- of two values at one time, the one that was there stays --- */

static struct kw_result no_tie_break(const struct kw_record *ours, const struct kw_record *theirs,
                                     struct kw_arena *arena, struct kw_record *ret_record,
                                     struct kw_error *err)
{
    return but_for(PROFILE, hlc_of(theirs) > hlc_of(ours), ours, theirs, arena, ret_record, err);
}

Test(mistakes, last_writer_wins_without_a_tie_break_is_not_commutative)
{
    struct laws laws = mistakes();

    cr_assert_gt(laws_check(&laws, no_tie_break).commutative, 0);
}

/* --- times that are nearly the same are the same --- */

static struct kw_result with_tolerance(const struct kw_record *ours, const struct kw_record *theirs,
                                       struct kw_arena *arena, struct kw_record *ret_record,
                                       struct kw_error *err)
{
    uint64_t mine = hlc_of(ours);
    uint64_t other = hlc_of(theirs);
    uint64_t apart = mine > other ? mine - other : other - mine;
    struct kw_bytes ours_but_time = kw_record_value(ours, PROFILE);
    struct kw_bytes theirs_but_time = kw_record_value(theirs, PROFILE);
    bool take_theirs = other > mine;

    if (apart <= 1 && mine > 0 && other > 0) {
        ours_but_time = KW_BYTES(ours_but_time.data + 8, ours_but_time.len - 8);
        theirs_but_time = KW_BYTES(theirs_but_time.data + 8, theirs_but_time.len - 8);
        take_theirs = kw_bytes_order(theirs_but_time, ours_but_time) > 0;
    }
    return but_for(PROFILE, take_theirs, ours, theirs, arena, ret_record, err);
}

Test(mistakes, last_writer_wins_with_a_tolerance_is_not_associative)
{
    struct laws laws = mistakes();
    struct laws_report report = laws_check(&laws, with_tolerance);

    cr_assert_eq(report.commutative, 0);
    cr_assert_gt(report.associative, 0);
}

/* --- the row that was written last wins, whole --- */

static struct kw_result by_row(const struct kw_record *ours, const struct kw_record *theirs,
                               struct kw_arena *arena, struct kw_record *ret_record,
                               struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf mine = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf other = {0};
    int order = kw_bytes_order(kw_record_value(ours, PROFILE), kw_record_value(theirs, PROFILE));

    (void)arena;
    KW_TRY(kw_record_encode(ours, &mine, err));
    KW_TRY(kw_record_encode(theirs, &other, err));
    order = order != 0 ? order : kw_bytes_order(kw_buf_bytes(&mine), kw_buf_bytes(&other));
    *ret_record = order >= 0 ? *ours : *theirs;
    return KW_OK;
}

Test(mistakes, last_writer_wins_by_row_is_as_regular_as_can_be_and_loses_revocations)
{
    struct laws laws = mistakes();
    struct laws_report report = laws_check(&laws, by_row);

    cr_assert_eq(report.commutative + report.associative + report.idempotent, 0);
    cr_assert_gt(report.monotone, 0);
    cr_assert_gt(report.absorbing, 0);
    cr_assert_gt(report.resurrection, 0);
}

/* --- who has the key gives it to who has erased it --- */

static struct kw_result repaired(const struct kw_record *ours, const struct kw_record *theirs,
                                 struct kw_arena *arena, struct kw_record *ret_record,
                                 struct kw_error *err)
{
    bool theirs_is_more = kw_record_value(theirs, BLOB).len > kw_record_value(ours, BLOB).len;

    return but_for(BLOB, theirs_is_more, ours, theirs, arena, ret_record, err);
}

Test(mistakes, to_repair_what_is_missing_brings_back_what_was_destroyed)
{
    struct laws laws = mistakes();
    struct laws_report report = laws_check(&laws, repaired);

    cr_assert_eq(report.commutative + report.associative + report.idempotent, 0);
    cr_assert_gt(report.absorbing, 0);
}

/* --- counts are added --- */

static struct kw_result added(const struct kw_record *ours, const struct kw_record *theirs,
                              struct kw_arena *arena, struct kw_record *ret_record,
                              struct kw_error *err)
{
    uint64_t sum = kw_record_u64(ours, USED) + kw_record_u64(theirs, USED);
    uint8_t *encoded = kw_arena_alloc(arena, 8);

    KW_TRY(kw_record_merge(ours, theirs, arena, NULL, ret_record, err));
    KW_ENSURE(encoded != NULL, err, MEMORY, "a sum");
    kw_be64_store(encoded, sum);
    return sum == 0 ? KW_OK : kw_record_set(ret_record, &kind, USED, KW_BYTES(encoded, 8), err);
}

Test(mistakes, adding_up_counts_what_is_heard_twice_twice)
{
    struct laws laws = mistakes();
    struct laws_report report = laws_check(&laws, added);

    cr_assert_eq(report.commutative, 0);
    cr_assert_gt(report.idempotent, 0);
    cr_assert_gt(report.least, 0);
    cr_assert_gt(report.open, 0);
}

/* --- what is new here is dropped, or left to whoever has it --- */

static bool is_known(const struct kw_record_field *field)
{
    return field->number < UNKNOWN;
}

static struct kw_result forgets(const struct kw_record *ours, const struct kw_record *theirs,
                                struct kw_arena *arena, struct kw_record *ret_record,
                                struct kw_error *err)
{
    KW_TRY(kw_record_merge(ours, theirs, arena, NULL, ret_record, err));
    while (ret_record->count > 0 && !is_known(&ret_record->fields[ret_record->count - 1])) {
        ret_record->count--;
    }
    return KW_OK;
}

Test(mistakes, a_release_that_drops_what_it_does_not_know_says_less)
{
    struct laws laws = mistakes();
    struct laws_report report;

    LAWS_UNKNOWN(&laws, UNKNOWN, KW_RULE_MAX, value_u64(7));
    report = laws_check(&laws, forgets);
    cr_assert_gt(report.monotone, 0);
    cr_assert_gt(report.idempotent, 0);
}

/* The release before knew no blob, and kept its own bytes of whatever it did not know. */
static struct kw_result keeps_its_own(const struct kw_record *ours, const struct kw_record *theirs,
                                      struct kw_arena *arena, struct kw_record *ret_record,
                                      struct kw_error *err)
{
    return but_for(BLOB, false, ours, theirs, arena, ret_record, err);
}

Test(mistakes, a_release_that_keeps_what_it_does_not_know_unmerged_gets_something_else)
{
    struct laws laws = mistakes();

    laws.older = keeps_its_own;
    cr_assert_gt(laws_check(&laws, laws_product).unknown, 0);
}

/* --- a merge that looks at something else than its two records --- */

static struct kw_result notes_when(const struct kw_record *ours, const struct kw_record *theirs,
                                   struct kw_arena *arena, struct kw_record *ret_record,
                                   struct kw_error *err)
{
    static unsigned calls;

    return but_for(USED, ++calls % 2 == 0, ours, theirs, arena, ret_record, err);
}

Test(mistakes, a_merge_with_a_clock_is_not_the_same_twice)
{
    struct laws laws = mistakes();

    cr_assert_gt(laws_check(&laws, notes_when).impure, 0);
}
