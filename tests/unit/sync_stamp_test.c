/* The hybrid clock and its limits. */
#include "common/base/limits.h"
#include "common/sync/stamp_limits.h"
#include "tests/support/must.h"

static const struct kw_id here = {{1}};
static const struct kw_id there = {{2}};

static struct kw_stamp stamp_at(uint64_t ms)
{
    return (struct kw_stamp){.hlc = ms << 16, .store = there};
}

Test(stamp, stamps_rise_when_the_wall_clock_stands_still_or_goes_back)
{
    struct kw_stamp_clock clock = {.store = here};
    struct kw_stamp first = kw_stamp_next(&clock, 1000);
    struct kw_stamp second = kw_stamp_next(&clock, 1000);
    struct kw_stamp third = kw_stamp_next(&clock, 10);

    cr_assert(first.hlc < second.hlc && second.hlc < third.hlc);
    cr_assert_eq(kw_stamp_ms(&third), 1000);
}

Test(stamp, what_is_written_after_hearing_a_stamp_is_later_than_it)
{
    struct kw_stamp_clock clock = {.store = here};
    struct kw_stamp heard = stamp_at(1000 + KW_STAMP_AHEAD_MS_MAX);

    cr_assert(kw_stamp_receive(&clock, &heard, 1000));
    cr_assert_gt(kw_stamp_next(&clock, 1000).hlc, heard.hlc);
}

Test(stamp, a_stamp_too_far_ahead_does_not_move_the_clock)
{
    struct kw_stamp_clock clock = {.last = 77, .store = here};
    struct kw_stamp ahead = stamp_at(1001 + KW_STAMP_AHEAD_MS_MAX);
    struct kw_stamp last = {.hlc = UINT64_MAX, .store = there};

    cr_assert(kw_stamp_ahead(&ahead, 1000));
    cr_assert_not(kw_stamp_ahead(&ahead, 1001));
    cr_assert_not(kw_stamp_receive(&clock, &ahead, 1000));
    cr_assert_not(kw_stamp_receive(&clock, &last, 1000));
    cr_assert_eq(clock.last, 77);
    cr_assert(kw_stamp_receive(&clock, &ahead, 1001));
}

Test(stamp, an_old_stamp_is_taken_and_moves_nothing)
{
    struct kw_stamp_clock clock = {.last = 5000ULL << 16, .store = here};
    struct kw_stamp old = stamp_at(10);

    cr_assert(kw_stamp_receive(&clock, &old, 1000));
    cr_assert_eq(clock.last, 5000ULL << 16);
}
