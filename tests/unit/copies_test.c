/* Second copies: who counts, who waits, and for how long. */
#include "common/feed/copies.h"

#include <criterion/criterion.h>

static const struct kw_id lane = {.bytes = {7}};

static struct kw_id store(uint8_t number)
{
    return (struct kw_id){.bytes = {number}};
}

static struct kw_copy_holder member(uint8_t number, bool far)
{
    return (struct kw_copy_holder){.store = store(number), .far = far};
}

struct asker {
    struct kw_copy_wait wait;
    unsigned told;
    bool reached;
    struct kw_copy_wait *forgets; /* when told */
};

static void done(struct kw_copy_wait *wait, bool reached)
{
    struct asker *asker = (struct asker *)wait; /* its first member */

    asker->told++;
    asker->reached = reached;
    if (asker->forgets != NULL) {
        kw_copies_forget(asker->forgets);
    }
}

static void ask(struct kw_copies *copies, struct asker *asker, uint64_t seq,
                enum kw_copy_level level)
{
    *asker = (struct asker){
        .wait = {.lane = lane, .seq = seq, .level = level, .deadline_ns = 100, .done = done},
        .forgets = asker->forgets};
    kw_copies_wait(copies, &asker->wait);
}

static struct kw_copies copies_of(const struct kw_copy_holder *members, size_t count)
{
    struct kw_copies copies = {.lane = lane};

    kw_copies_members(&copies, members, count);
    return copies;
}

Test(copies, who_is_alone_waits_for_nobody_but_must_know)
{
    struct kw_copies copies = {0};

    cr_assert(!kw_copies_reached(&copies, lane, 5, KW_COPY_CELL));
    cr_assert_eq(kw_copies_level(&copies, lane, 5), KW_COPY_LOCAL);
    kw_copies_members(&copies, NULL, 0);
    cr_assert_eq(kw_copies_level(&copies, lane, 5), KW_COPY_ALL, "all that there are");
    cr_assert(kw_copies_reached(&copies, lane, 5, KW_COPY_CELL));
    cr_assert(kw_copies_reached(&copies, lane, 5, KW_COPY_FAR));
}

Test(copies, another_cell_is_one_wherever_it_is)
{
    const struct kw_copy_holder members[] = {member(1, false), member(2, true)};
    struct kw_copies copies = copies_of(members, 2);

    cr_assert(!kw_copies_reached(&copies, lane, 5, KW_COPY_CELL));
    kw_copies_held(&copies, store(2), lane, 4);
    cr_assert(!kw_copies_reached(&copies, lane, 5, KW_COPY_CELL));
    kw_copies_held(&copies, store(2), lane, 5);
    cr_assert(kw_copies_reached(&copies, lane, 5, KW_COPY_CELL));
    cr_assert(kw_copies_reached(&copies, lane, 5, KW_COPY_FAR));
}

Test(copies, a_neighbour_is_no_other_region)
{
    const struct kw_copy_holder members[] = {member(1, false), member(2, true)};
    struct kw_copies copies = copies_of(members, 2);

    kw_copies_held(&copies, store(1), lane, 5);
    cr_assert(kw_copies_reached(&copies, lane, 5, KW_COPY_CELL));
    cr_assert(!kw_copies_reached(&copies, lane, 5, KW_COPY_FAR));
}

Test(copies, where_there_is_no_other_region_a_cell_is_enough)
{
    const struct kw_copy_holder members[] = {member(1, false)};
    struct kw_copies copies = copies_of(members, 1);

    cr_assert(!kw_copies_reached(&copies, lane, 5, KW_COPY_FAR));
    kw_copies_held(&copies, store(1), lane, 5);
    cr_assert(kw_copies_reached(&copies, lane, 5, KW_COPY_FAR));
}

Test(copies, a_region_is_all_its_cells_and_all_is_everybody)
{
    const struct kw_copy_holder members[] = {member(1, false), member(2, false), member(3, true),
                                             member(4, true)};
    struct kw_copies copies = copies_of(members, 4);
    static const struct {
        uint8_t holds;
        enum kw_copy_level then;
    } steps[] = {{3, KW_COPY_CELL}, {1, KW_COPY_CELL}, {2, KW_COPY_REGION}, {4, KW_COPY_ALL}};

    cr_assert_eq(kw_copies_level(&copies, lane, 5), KW_COPY_LOCAL);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        kw_copies_held(&copies, store(steps[i].holds), lane, 5);
        cr_assert_eq(kw_copies_level(&copies, lane, 5), steps[i].then, "%zu", i);
        cr_assert_eq(kw_copies_level(&copies, lane, 6), KW_COPY_LOCAL, "of what comes later");
    }
}

Test(copies, a_region_of_one_cell_asks_for_a_second_copy_all_the_same)
{
    const struct kw_copy_holder members[] = {member(1, true)};
    struct kw_copies copies = copies_of(members, 1);

    cr_assert(!kw_copies_reached(&copies, lane, 5, KW_COPY_REGION), "it is here alone");
    kw_copies_held(&copies, store(1), lane, 5);
    cr_assert(kw_copies_reached(&copies, lane, 5, KW_COPY_REGION));
}

Test(copies, of_another_lane_of_ours_nobody_holds_anything_yet)
{
    const struct kw_copy_holder members[] = {member(1, false)};
    struct kw_copies copies = copies_of(members, 1);
    const struct kw_id other = {.bytes = {8}};

    kw_copies_held(&copies, store(1), lane, 5);
    kw_copies_held(&copies, store(1), other, 9);
    cr_assert(kw_copies_reached(&copies, lane, 5, KW_COPY_CELL), "another lane is passed over");
    kw_copies_lane(&copies, lane);
    cr_assert(kw_copies_reached(&copies, lane, 5, KW_COPY_CELL), "the same as before");
    kw_copies_lane(&copies, other);
    cr_assert(!kw_copies_reached(&copies, other, 1, KW_COPY_CELL));
    cr_assert(!kw_copies_reached(&copies, lane, 1, KW_COPY_CELL));
    kw_copies_held(&copies, store(1), other, 9);
    cr_assert(kw_copies_reached(&copies, other, 9, KW_COPY_CELL));
}

Test(copies, who_is_hurried_waits_until_then_and_not_longer_than_before)
{
    const struct kw_copy_holder members[] = {member(1, false)};
    struct kw_copies copies = copies_of(members, 1);
    struct asker one = {0};

    ask(&copies, &one, 4, KW_COPY_ALL);
    kw_copies_hurry(&copies, 150);
    kw_copies_hurry(&copies, 50);
    cr_assert(kw_copies_tick(&copies, 49));
    cr_assert(!kw_copies_tick(&copies, 50));
    cr_assert(one.told == 1 && !one.reached);
}

Test(copies, neither_a_stranger_nor_another_lane_nor_less_counts)
{
    const struct kw_copy_holder members[] = {member(1, false)};
    struct kw_copies copies = copies_of(members, 1);
    const struct kw_id other = {.bytes = {8}};

    kw_copies_held(&copies, store(9), lane, 5);
    cr_assert(!kw_copies_reached(&copies, lane, 5, KW_COPY_CELL));
    kw_copies_held(&copies, store(1), other, 5);
    cr_assert(!kw_copies_reached(&copies, lane, 5, KW_COPY_CELL));
    kw_copies_held(&copies, store(1), lane, 5);
    kw_copies_held(&copies, store(1), lane, 3);
    cr_assert(kw_copies_reached(&copies, lane, 5, KW_COPY_CELL), "it never falls");
}

Test(copies, those_who_wait_are_told_once_and_only_for_what_is_held)
{
    const struct kw_copy_holder members[] = {member(1, false)};
    struct kw_copies copies = copies_of(members, 1);
    struct asker four = {0};
    struct asker six = {0};

    ask(&copies, &four, 4, KW_COPY_CELL);
    ask(&copies, &six, 6, KW_COPY_CELL);
    kw_copies_held(&copies, store(1), lane, 5);
    cr_assert_eq(four.told, 1);
    cr_assert(four.reached);
    cr_assert_eq(six.told, 0);
    cr_assert(kw_copies_tick(&copies, 99));
    cr_assert_eq(six.told, 0);
    cr_assert(!kw_copies_tick(&copies, 100));
    cr_assert_eq(six.told, 1);
    cr_assert(!six.reached);
    kw_copies_held(&copies, store(1), lane, 6);
    cr_assert_eq(four.told + six.told, 2);
}

Test(copies, what_was_reached_before_it_was_asked_is_told_with_the_next_tick)
{
    struct kw_copies copies = copies_of(NULL, 0);
    struct asker one = {0};

    ask(&copies, &one, 4, KW_COPY_CELL);
    cr_assert_eq(one.told, 0);
    cr_assert(!kw_copies_tick(&copies, 500));
    cr_assert(one.told == 1 && one.reached, "late, but true");
}

Test(copies, a_wait_that_was_given_up_is_not_told_not_even_by_one_that_is)
{
    const struct kw_copy_holder members[] = {member(1, false)};
    struct kw_copies copies = copies_of(members, 1);
    struct asker gone = {0};
    struct asker first = {0};
    struct asker second = {0};

    ask(&copies, &gone, 1, KW_COPY_CELL);
    kw_copies_forget(&gone.wait);
    first.forgets = &second.wait;
    second.forgets = &first.wait;
    ask(&copies, &first, 1, KW_COPY_CELL);
    ask(&copies, &second, 1, KW_COPY_CELL);
    kw_copies_forget(&gone.wait);
    kw_copies_held(&copies, store(1), lane, 1);
    cr_assert_eq(first.told + second.told, 1);
    cr_assert_eq(gone.told, 0);
    cr_assert(!kw_copies_tick(&copies, 500));
}

Test(copies, who_is_fenced_is_waited_for_no_more)
{
    const struct kw_copy_holder members[] = {member(1, false), member(2, false)};
    struct kw_copies copies = copies_of(members, 2);
    struct asker one = {0};

    kw_copies_held(&copies, store(2), lane, 3);
    ask(&copies, &one, 4, KW_COPY_CELL);
    kw_copies_members(&copies, members + 1, 1);
    cr_assert_eq(one.told, 0, "there is another one");
    cr_assert(kw_copies_reached(&copies, lane, 3, KW_COPY_CELL), "what it holds is still known");
    kw_copies_members(&copies, NULL, 0);
    cr_assert(one.told == 1 && one.reached);
}

Test(copies, of_too_many_members_the_first_count)
{
    struct kw_copy_holder members[KW_COPY_HOLDERS_MAX + 1];
    struct kw_copies copies;

    for (size_t i = 0; i <= KW_COPY_HOLDERS_MAX; i++) {
        members[i] = member((uint8_t)(i + 1), false);
    }
    copies = copies_of(members, KW_COPY_HOLDERS_MAX + 1);
    kw_copies_held(&copies, store(KW_COPY_HOLDERS_MAX + 1), lane, 5);
    cr_assert(!kw_copies_reached(&copies, lane, 5, KW_COPY_CELL));
    kw_copies_held(&copies, store(KW_COPY_HOLDERS_MAX), lane, 5);
    cr_assert(kw_copies_reached(&copies, lane, 5, KW_COPY_CELL));
}

Test(copies, at_the_end_everybody_is_told)
{
    const struct kw_copy_holder members[] = {member(1, false)};
    struct kw_copies copies = copies_of(members, 1);
    struct asker one = {0};
    struct asker two = {0};

    ask(&copies, &one, 1, KW_COPY_CELL);
    ask(&copies, &two, 2, KW_COPY_FAR);
    kw_copies_end(&copies);
    cr_assert(one.told == 1 && two.told == 1 && !one.reached && !two.reached);
    cr_assert(!kw_copies_tick(&copies, 0));
}
