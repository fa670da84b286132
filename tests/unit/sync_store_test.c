/* Stores of the mesh: fenced is final, and honoured as far as the fence says. */
#include "common/sync/store_record.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

static bool fenced(const struct kw_record *record)
{
    return kw_store_record_state(record) == KW_STORE_FENCED;
}

static bool active(const struct kw_record *record)
{
    return kw_store_record_state(record) == KW_STORE_ACTIVE;
}

Test(sync_store, laws_hold)
{
    struct laws laws = laws_new(&kw_store_record);

    laws.dead = fenced;
    laws.usable = active;
    LAWS_AXIS(&laws, KW_STORE_FIELD_STATE, value_u64(KW_STORE_JOINING), value_u64(KW_STORE_ACTIVE),
              value_u64(KW_STORE_DRAINING), value_u64(KW_STORE_FENCED));
    LAWS_AXIS(&laws, KW_STORE_FIELD_INCARNATIONS, value_set("x"), value_set("y"), value_set("xy"));
    LAWS_AXIS(&laws, KW_STORE_FIELD_FENCE, value_vector(1, 0), value_vector(0, 1),
              value_vector(1, 1));
    LAWS_UNKNOWN(&laws, 40, KW_RULE_ONCE, value_text("new"));
    laws_hold(&laws);
}

Test(sync_store, laws_hold_of_orders)
{
    struct laws laws = laws_new(&kw_store_record);

    laws.dead = fenced;
    laws.usable = active;
    LAWS_AXIS(&laws, KW_STORE_FIELD_STATE, value_u64(KW_STORE_ACTIVE), value_u64(KW_STORE_FENCED));
    LAWS_AXIS(&laws, KW_STORE_FIELD_FENCE_ORDER, value_lww(1, store_a, "x"),
              value_lww(2, store_a, "x"), value_lww(2, store_b, "y"));
    LAWS_AXIS(&laws, KW_STORE_FIELD_DRAIN_ORDER, value_lww(1, store_a, "x"),
              value_lww(2, store_b, "y"));
    LAWS_AXIS(&laws, KW_STORE_FIELD_CUT_ORDER, value_lww(1, store_a, "x"),
              value_lww(2, store_b, "y"));
    laws_hold(&laws);
}

static struct kw_record store_in(uint64_t state)
{
    struct kw_record record = {.table = kw_store_record.table, .key = kw_bytes_str("key")};

    MUST(kw_record_set(&record, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(state), err));
    return record;
}

Test(sync_store, a_fenced_stores_lanes_are_honoured_up_to_the_fence)
{
    struct kw_record record = store_in(KW_STORE_ACTIVE);

    cr_assert(kw_store_record_honours(&record, store_a, 1000));
    record = store_in(KW_STORE_FENCED);
    MUST(kw_record_set(&record, &kw_store_record, KW_STORE_FIELD_FENCE, value_vector(5, 0), err));
    cr_assert(kw_store_record_honours(&record, store_a, 5));
    cr_assert_not(kw_store_record_honours(&record, store_a, 6));
    cr_assert_not(kw_store_record_honours(&record, store_b, 1));
}

Test(sync_store, one_that_is_cut_off_is_taken_as_far_as_it_is_held_until_it_is_fenced)
{
    struct kw_record record = store_in(KW_STORE_ACTIVE);

    cr_assert(kw_store_record_takes(&record, store_a, 6, 5));
    cr_assert_not(kw_store_record_is_out(&record));
    MUST(kw_record_set(&record, &kw_store_record, KW_STORE_FIELD_CUT_ORDER,
                       value_lww(1, store_a, "x"), err));
    cr_assert(kw_store_record_is_out(&record));
    cr_assert(kw_store_record_takes(&record, store_a, 5, 5));
    cr_assert_not(kw_store_record_takes(&record, store_a, 6, 5));
    MUST(kw_record_set(&record, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_FENCED),
                       err));
    MUST(kw_record_set(&record, &kw_store_record, KW_STORE_FIELD_FENCE, value_vector(6, 0), err));
    cr_assert(kw_store_record_takes(&record, store_a, 6, 5));
    cr_assert_not(kw_store_record_takes(&record, store_a, 7, 7));
}

Test(sync_store, only_an_order_to_cut_off_or_to_fence_goes_ahead)
{
    struct kw_record record = store_in(KW_STORE_FENCED);

    cr_assert_not(kw_store_record_fences(&record));
    MUST(kw_record_set(&record, &kw_store_record, KW_STORE_FIELD_DRAIN_ORDER,
                       value_lww(1, store_a, "x"), err));
    cr_assert_not(kw_store_record_fences(&record));
    MUST(kw_record_set(&record, &kw_store_record, KW_STORE_FIELD_FENCE_ORDER,
                       value_lww(1, store_a, "x"), err));
    cr_assert(kw_store_record_fences(&record));
    record = store_in(KW_STORE_ACTIVE);
    MUST(kw_record_set(&record, &kw_store_record, KW_STORE_FIELD_CUT_ORDER,
                       value_lww(1, store_a, "x"), err));
    cr_assert(kw_store_record_fences(&record));
}

Test(sync_store, a_state_of_a_later_release_is_taken_as_fenced_and_none_as_joining)
{
    struct kw_record record = store_in(99);

    cr_assert(fenced(&record));
    cr_assert_not(kw_store_record_honours(&record, store_a, 1));
    record.count = 0;
    cr_assert_eq(kw_store_record_state(&record), KW_STORE_JOINING);
}
