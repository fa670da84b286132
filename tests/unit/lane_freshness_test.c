/* How old is what is known of other regions: whose promises count, and which of them. Now is 10,000 ms. */
#include "common/feed/freshness.h"
#include "common/sync/store_record.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define NOW 10000U

static const struct kw_id ours = {{1}};
static const struct kw_id theirs = {{2}};
static const struct kw_id other = {{3}};
static const struct kw_id life = {{10}};
static const struct kw_id next_life = {{11}};

static uint64_t at_ms(uint64_t ms)
{
    return ms << 16 | 7;
}

static struct kw_freshness_store store(struct kw_id id, const char *region, uint64_t state)
{
    return (struct kw_freshness_store){
        .id = id, .region = kw_bytes_str(region), .state = state, .life = life};
}

static struct kw_freshness look(const struct kw_freshness_store *stores, size_t store_count,
                                const struct kw_freshness_lane *lanes, size_t lane_count)
{
    const struct kw_freshness_mesh mesh = {.region = kw_bytes_str("eu"),
                                           .store = ours,
                                           .stores = stores,
                                           .store_count = store_count,
                                           .lanes = lanes,
                                           .lane_count = lane_count};

    return kw_freshness(&mesh, NOW);
}

/* Of one store with one lane that promised so. */
static uint64_t age(struct kw_freshness_store of, uint64_t closed)
{
    const struct kw_freshness_lane lane = {of.id, life, closed, NOW};

    return look(&of, 1, &lane, 1).age_ms;
}

Test(lane_freshness, a_promise_is_as_old_as_it_says)
{
    cr_assert_eq(age(store(theirs, "us", KW_STORE_ACTIVE), at_ms(NOW - 300)), 300);
    cr_assert_eq(age(store(theirs, "us", KW_STORE_ACTIVE), at_ms(NOW)), 0);
}

Test(lane_freshness, a_clock_ahead_promises_nothing_that_is_to_come)
{
    cr_assert_eq(age(store(theirs, "us", KW_STORE_ACTIVE), at_ms(NOW + 300)), 0);
}

Test(lane_freshness, a_promise_is_as_old_as_when_it_came_if_not_older)
{
    const struct kw_freshness_store of = store(theirs, "us", KW_STORE_ACTIVE);
    const struct kw_freshness_lane ahead = {theirs, life, at_ms(NOW + 5000), NOW - 700};
    const struct kw_freshness_lane late = {theirs, life, at_ms(NOW - 900), NOW - 700};

    cr_assert_eq(look(&of, 1, &ahead, 1).age_ms, 700, "its clock was ahead");
    cr_assert_eq(look(&of, 1, &late, 1).age_ms, 900, "it was on its way");
}

Test(lane_freshness, who_promised_nothing_is_as_old_as_can_be)
{
    const struct kw_freshness_store silent = store(theirs, "us", KW_STORE_ACTIVE);

    cr_assert_eq(age(silent, 0), KW_FRESHNESS_NEVER);
    cr_assert_eq(look(&silent, 1, NULL, 0).age_ms, KW_FRESHNESS_NEVER);
}

Test(lane_freshness, only_those_that_may_revoke_are_waited_for)
{
    cr_assert_eq(age(store(theirs, "us", KW_STORE_JOINING), at_ms(1)), 0);
    cr_assert_eq(age(store(theirs, "us", 0), at_ms(1)), 0);
    cr_assert_eq(age(store(theirs, "us", KW_STORE_DRAINING), at_ms(1)), NOW - 1, "it is there");
    cr_assert_eq(age(store(theirs, "us", KW_STORE_FENCED), at_ms(1)), 0);
    cr_assert_eq(age(store(theirs, "us", KW_STORE_FENCED + 1), at_ms(1)), NOW - 1,
                 "what is not understood is");
}

Test(lane_freshness, our_region_goes_on_without_any_of_its_cells)
{
    cr_assert_eq(age(store(theirs, "eu", KW_STORE_ACTIVE), at_ms(1)), 0);
    cr_assert_eq(age(store(ours, "us", KW_STORE_ACTIVE), at_ms(1)), 0, "nor for ourselves");
    cr_assert_eq(age(store(theirs, "", KW_STORE_ACTIVE), at_ms(1)), NOW - 1,
                 "of an unknown region it is waited for");
}

Test(lane_freshness, who_knows_no_region_waits_for_all)
{
    const struct kw_freshness_store stores[] = {store(theirs, "", KW_STORE_ACTIVE)};
    const struct kw_freshness_lane lane = {theirs, life, at_ms(1), NOW};
    const struct kw_freshness_mesh mesh = {
        .store = ours, .stores = stores, .store_count = 1, .lanes = &lane, .lane_count = 1};

    cr_assert_eq(kw_freshness(&mesh, NOW).age_ms, NOW - 1);
}

Test(lane_freshness, the_oldest_of_all_is_told_and_whose_it_is)
{
    const struct kw_freshness_store stores[] = {store(theirs, "us", KW_STORE_ACTIVE),
                                                store(other, "ap", KW_STORE_ACTIVE)};
    const struct kw_freshness_lane lanes[] = {{theirs, life, at_ms(NOW - 10), NOW},
                                              {other, life, at_ms(NOW - 20), NOW}};
    struct kw_freshness found = look(stores, 2, lanes, 2);

    cr_assert_eq(found.age_ms, 20);
    cr_assert(kw_id_equal(found.store, other));
    found = look(stores, 0, lanes, 2);
    cr_assert_eq(found.age_ms, 0);
    cr_assert(kw_id_is_none(found.store));
}

Test(lane_freshness, each_of_its_lanes_is_asked_but_not_those_of_earlier_lives)
{
    struct kw_freshness_store of = store(theirs, "us", KW_STORE_ACTIVE);
    const struct kw_freshness_lane lanes[] = {{theirs, life, at_ms(NOW - 900), NOW},
                                              {theirs, next_life, at_ms(NOW - 20), NOW},
                                              {theirs, next_life, at_ms(NOW - 30), NOW}};

    of.life = next_life;
    cr_assert_eq(look(&of, 1, lanes, 3).age_ms, 30);
    of.life = life;
    cr_assert_eq(look(&of, 1, lanes, 3).age_ms, 900);
    of.life = other;
    cr_assert_eq(look(&of, 1, lanes, 3).age_ms, KW_FRESHNESS_NEVER, "a life of which nothing came");
    of.life = KW_ID_NONE;
    cr_assert_eq(look(&of, 1, lanes, 3).age_ms, 30, "that of the newest promise");
}

/* Of both lives. */
static const uint8_t *both(void)
{
    static uint8_t lives[2 * (1 + KW_ID_LEN)];

    for (size_t i = 0; i < 2; i++) {
        lives[i * (1 + KW_ID_LEN)] = KW_ID_LEN;
        memcpy(lives + i * (1 + KW_ID_LEN) + 1, i == 0 ? life.bytes : next_life.bytes, KW_ID_LEN);
    }
    return lives;
}

/* What was said in an earlier life may be held by one who is away: by the new one nobody knows it. */
Test(lane_freshness, a_life_whose_past_is_open_promises_nothing)
{
    const uint8_t *lives = both();
    struct kw_freshness_store of = store(theirs, "us", KW_STORE_ACTIVE);

    of.lives = KW_BYTES(lives, 2 * (1 + KW_ID_LEN));
    cr_assert_eq(age(of, at_ms(NOW)), KW_FRESHNESS_NEVER);
    of.settled = KW_BYTES(lives + 1 + KW_ID_LEN, 1 + KW_ID_LEN);
    cr_assert_eq(age(of, at_ms(NOW)), KW_FRESHNESS_NEVER, "another one's is settled");
    of.settled = KW_BYTES(lives, 1 + KW_ID_LEN);
    cr_assert_eq(age(of, at_ms(NOW)), 0);
}

/* We were set back, and others may know what we revoked before. */
Test(lane_freshness, who_has_not_settled_its_own_past_knows_nothing)
{
    const uint8_t *lives = both();
    struct kw_freshness_store of = store(ours, "eu", KW_STORE_ACTIVE);

    of.lives = KW_BYTES(lives, 2 * (1 + KW_ID_LEN));
    cr_assert_eq(age(of, at_ms(NOW)), KW_FRESHNESS_NEVER);
    of.settled = KW_BYTES(lives, 1 + KW_ID_LEN);
    cr_assert_eq(age(of, at_ms(NOW)), 0);
    of.lives = KW_BYTES(lives, 1 + KW_ID_LEN);
    of.settled = KW_BYTES_NONE;
    cr_assert_eq(age(of, at_ms(NOW)), 0, "there was no other");
}
