/* The values that merge: what is one, what it says, and what a full one means. */
#include "common/base/limits.h"
#include "common/sync/first.h"
#include "common/sync/grow_set.h"
#include "common/sync/lww.h"
#include "common/sync/order.h"
#include "common/sync/suspension_set.h"
#include "common/sync/version_vector.h"
#include "tests/support/merge_values.h"
#include "tests/support/must.h"

static struct kw_id id_of(size_t n)
{
    return (struct kw_id){{(uint8_t)(n >> 8), (uint8_t)n}};
}

/* --- order --- */

Test(order, a_prefix_is_lower_and_nothing_is_lowest)
{
    cr_assert_lt(kw_bytes_order(value_text("ab"), value_text("abc")), 0);
    cr_assert_gt(kw_bytes_order(value_text("b"), value_text("abc")), 0);
    cr_assert_lt(kw_bytes_order(KW_BYTES_NONE, value_text("a")), 0);
    cr_assert_eq(kw_bytes_order(value_text("a"), value_text("a")), 0);
    cr_assert_eq(kw_bytes_order(KW_BYTES_NONE, KW_BYTES_NONE), 0);
}

/* --- version vectors --- */

static struct kw_bytes vector_of(size_t stores)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    for (size_t i = 0; i < stores; i++) {
        kw_put_vector_entry(&w, id_of(i + 1), 1);
    }
    return value_keep(&buf);
}

Test(version_vector, it_covers_what_it_has_reached_in_every_component)
{
    cr_assert(kw_vector_covers(value_vector(2, 1), value_vector(2, 1)));
    cr_assert(kw_vector_covers(value_vector(2, 1), value_vector(0, 1)));
    cr_assert(kw_vector_covers(value_vector(0, 0), value_vector(0, 0)));
    cr_assert_not(kw_vector_covers(value_vector(9, 0), value_vector(1, 1)));
    cr_assert_not(kw_vector_covers(value_vector(0, 0), value_vector(1, 0)));
}

Test(version_vector, what_is_none_is_told)
{
    struct kw_bytes vector = value_vector(1, 1);
    uint8_t entries[2 * KW_VECTOR_ENTRY_LEN];

    cr_assert(kw_vector_valid(vector));
    cr_assert_not(kw_vector_valid(KW_BYTES_NONE));
    cr_assert_not(kw_vector_valid(KW_BYTES(vector.data, vector.len - 1)));
    kw_copy(entries, vector.data + KW_VECTOR_ENTRY_LEN, KW_VECTOR_ENTRY_LEN);
    kw_copy(entries + KW_VECTOR_ENTRY_LEN, vector.data, KW_VECTOR_ENTRY_LEN);
    cr_assert_not(kw_vector_valid(KW_BYTES_OF(entries)), "entries out of order");
    kw_copy(entries, vector.data, KW_VECTOR_ENTRY_LEN);
    cr_assert_not(kw_vector_valid(KW_BYTES_OF(entries)), "one store twice");
}

Test(version_vector, an_entry_that_counts_nothing_is_refused)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_vector_entry(&w, store_a, 0);
    cr_assert_not(kw_vector_valid(value_keep(&buf)));
}

Test(version_vector, a_full_one_covers_nothing_is_covered_by_nothing_and_its_sum_is_the_most)
{
    struct kw_bytes full = vector_of(KW_VECTOR_STORES_MAX);
    struct kw_bytes nearly = vector_of(KW_VECTOR_STORES_MAX - 1);

    cr_assert(kw_vector_valid(full));
    cr_assert_not(kw_vector_valid(vector_of(KW_VECTOR_STORES_MAX + 1)));
    cr_assert(kw_vector_covers(nearly, nearly));
    cr_assert_not(kw_vector_covers(full, nearly));
    cr_assert_not(kw_vector_covers(full, full));
    cr_assert_eq(kw_vector_sum(nearly), KW_VECTOR_STORES_MAX - 1);
    cr_assert_eq(kw_vector_sum(full), UINT64_MAX);
}

/* --- suspension sets --- */

static struct kw_bytes lifted_suspensions(size_t count)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    for (size_t i = 0; i < count; i++) {
        kw_put_suspension(&w, id_of(i + 1), KW_SUSPENSION_SET | KW_SUSPENSION_LIFTED);
    }
    return value_keep(&buf);
}

Test(suspension_set, it_is_in_force_while_one_is_set_and_not_lifted)
{
    for (unsigned first = 0; first <= 3; first++) {
        for (unsigned second = 0; second <= 3; second++) {
            bool expected = first == KW_SUSPENSION_SET || second == KW_SUSPENSION_SET;

            cr_assert_eq(kw_suspensions_in_force(value_suspensions(first, second)), expected,
                         "%u and %u", first, second);
        }
    }
}

Test(suspension_set, a_full_one_is_in_force_whatever_is_lifted)
{
    cr_assert_not(kw_suspensions_in_force(lifted_suspensions(KW_SUSPENSIONS_MAX - 1)));
    cr_assert(kw_suspensions_in_force(lifted_suspensions(KW_SUSPENSIONS_MAX)));
}

Test(suspension_set, marks_that_are_none_are_refused)
{
    struct kw_bytes set = value_suspensions(0, 3);
    uint8_t entry[KW_SUSPENSION_ENTRY_LEN];

    kw_copy(entry, set.data, sizeof(entry));
    cr_assert(kw_suspensions_valid(KW_BYTES_OF(entry)));
    entry[KW_ID_LEN] = 4;
    cr_assert_not(kw_suspensions_valid(KW_BYTES_OF(entry)));
    entry[KW_ID_LEN] = 0;
    cr_assert_not(kw_suspensions_valid(KW_BYTES_OF(entry)));
}

/* --- grow-only sets --- */

Test(grow_set, it_has_what_was_put_in)
{
    struct kw_bytes set = value_set("xz");

    cr_assert(kw_set_has(set, value_text("x")) && kw_set_has(set, value_text("z")));
    cr_assert_not(kw_set_has(set, value_text("y")));
    cr_assert_not(kw_set_has(set, value_text("xz")));
    cr_assert_eq(kw_set_count(set), 2);
    cr_assert_eq(kw_set_count(KW_BYTES_NONE), 0);
}

Test(grow_set, out_of_order_twice_cut_short_or_too_many_is_none)
{
    struct kw_bytes set = value_set("xyz");

    cr_assert(kw_set_valid(set, 3));
    cr_assert_not(kw_set_valid(set, 2));
    cr_assert_not(kw_set_valid(KW_BYTES_NONE, 3));
    cr_assert_not(kw_set_valid(value_set("yx"), 3));
    cr_assert_not(kw_set_valid(value_set("xx"), 3));
    cr_assert_not(kw_set_valid(KW_BYTES(set.data, set.len - 1), 3));
    cr_assert_not(kw_set_valid(KW_BYTES("\0x", 2), 3), "an empty element");
}

Test(grow_set, an_element_that_is_empty_or_too_long_is_not_written)
{
    static const uint8_t long_one[KW_SET_ELEMENT_LEN_MAX + 1];
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer fits = KW_WRITER(&buf);
    struct kw_writer longer = KW_WRITER(&buf);
    struct kw_writer empty = KW_WRITER(&buf);

    kw_put_set_element(&fits, KW_BYTES(long_one, KW_SET_ELEMENT_LEN_MAX));
    kw_put_set_element(&longer, KW_BYTES_OF(long_one));
    kw_put_set_element(&empty, KW_BYTES_NONE);
    cr_assert_not(fits.failed);
    cr_assert(longer.failed);
    cr_assert(empty.failed);
}

/* --- last writer wins --- */

Test(lww, a_value_is_overwritten_unread_unless_its_writer_had_seen_the_other)
{
    struct kw_bytes theirs = value_lww(5, store_b, "theirs");

    cr_assert(kw_lww_concurrent(value_lww(6, store_a, "ours"), theirs));
    cr_assert(kw_lww_concurrent(value_lww_after_b(6, store_a, 4, "ours"), theirs));
    cr_assert_not(kw_lww_concurrent(value_lww_after_b(6, store_a, 5, "ours"), theirs));
    cr_assert_not(kw_lww_concurrent(theirs, value_lww_after_b(6, store_a, 5, "ours")));
    cr_assert_not(kw_lww_concurrent(value_lww(9, store_b, "its own"), theirs));
    cr_assert_not(kw_lww_concurrent(theirs, theirs));
    cr_assert(kw_lww_concurrent(value_lww(5, store_b, "one stamp, two values"), theirs));
}

Test(lww, later_wins_then_store_then_bytes)
{
    struct kw_bytes low = value_lww(5, store_a, "z");
    struct kw_bytes store = value_lww(5, store_b, "a");
    struct kw_bytes bytes = value_lww(5, store_b, "b");
    struct kw_bytes later = value_lww(6, store_a, "a");

    cr_assert(kw_bytes_equal(kw_lww_join(low, store), store));
    cr_assert(kw_bytes_equal(kw_lww_join(bytes, store), bytes));
    cr_assert(kw_bytes_equal(kw_lww_join(later, bytes), later));
}

Test(lww, without_time_store_or_a_whole_vector_it_is_none)
{
    struct kw_bytes good = value_lww_after_b(5, store_a, 3, "");
    struct kw_lww parts;

    cr_assert(kw_lww_read(good, &parts));
    cr_assert_eq(parts.value.len, 0);
    cr_assert_eq(kw_vector_get(parts.seen, store_b), 3);
    cr_assert_not(kw_lww_read(KW_BYTES(good.data, good.len - 1), &parts));
    cr_assert_not(kw_lww_read(value_lww(0, store_a, "x"), &parts));
    cr_assert_not(kw_lww_read(value_lww(5, KW_ID_NONE, "x"), &parts));
}

Test(lww, what_its_writer_had_seen_is_a_vector)
{
    struct kw_bytes good = value_lww_after_b(5, store_a, 3, "");
    uint8_t changed[128] = {0};
    struct kw_lww parts;

    kw_copy(changed, good.data, good.len);
    changed[good.len - 1] = 0;
    cr_assert_not(kw_lww_read(KW_BYTES(changed, good.len), &parts), "a count of nothing");
}

/* --- first writer wins --- */

Test(first, without_a_store_or_cut_short_it_is_none)
{
    struct kw_bytes good = value_first(5, store_a, "");
    struct kw_first parts;

    cr_assert(kw_first_read(good, &parts));
    cr_assert_eq(parts.time_ms, 5);
    cr_assert(kw_id_equal(parts.store, store_a));
    cr_assert_eq(parts.detail.len, 0);
    cr_assert_not(kw_first_read(KW_BYTES(good.data, good.len - 1), &parts));
    cr_assert_not(kw_first_read(value_first(5, KW_ID_NONE, "x"), &parts));
}
