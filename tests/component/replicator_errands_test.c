/* What owners of two cells ask one another, by real replicators: what a disk lost comes back, and a store that is
 * new joins, though what it lacks was deleted. */
#include "common/base/metrics.h"
#include "common/feed_service/feed_service_internal.h"
#include "services/replicator/service_internal.h"
#include "tests/support/faults.h"
#include "tests/support/must.h"
#include "tests/support/real_cells.h"

enum {
    NOTES = 30,
    PACE_MS = 50,
};

static void hurry(struct house_owner *owner)
{
    owner->service->options.pace_ms = PACE_MS;
    owner->service->errands.due_ns = 0;
    owner->service->scrubbing.due_ns = 0;
}

static void hurry_all(void)
{
    for (size_t i = 0; i < HOUSE_OWNERS_MAX; i++) {
        hurry(&real_house.owners[i]);
    }
}

static void setup(void)
{
    real_cells_init();
    hurry_all();
    for (int i = 0; i < NOTES; i++) {
        real_note(real_authz(EU), "eu", i);
        real_note(real_authz(US), "us", i);
    }
    HOUSE_EVENTUALLY(&real_house, real_notes(real_authz(EU)) == 2 * NOTES &&
                                      real_notes(real_authz(US)) == 2 * NOTES);
}

TestSuite(replicator_errands, .init = setup, .fini = real_cells_done, .timeout = 120);

static bool is_equal(struct house_owner *owner)
{
    int64_t before = kw_metric_value(KW_M_FEED_COMPARED, "equal");

    owner->service->errands.due_ns = 0;
    HOUSE_EVENTUALLY(&real_house, kw_metric_value(KW_M_FEED_COMPARED, "equal") > before);
    return true;
}

/* Looks at that bucket of notes next. */
static void scrub_from(struct house_owner *owner, int64_t bucket)
{
    const struct kw_feed_options *options = &owner->feed.options;
    struct kw_scrub_place place = {.bucket = (uint16_t)bucket};

    while (options->tables[place.table].kind->table != 900) {
        place.table++;
    }
    HOUSE_EVENTUALLY(&real_house, !owner->service->scrubbing.running);
    owner->service->scrubbing.place = place;
    owner->service->scrubbing.due_ns = 0;
}

#define ONE "(SELECT key FROM feed_records WHERE kind = 900 ORDER BY key LIMIT 1)"

Test(replicator_errands, a_row_that_a_disk_lost_comes_back)
{
    struct house_owner *owner = real_authz(US);

    cr_assert(is_equal(owner));
    cr_assert_eq(kw_metric_value(KW_M_FEED_REPAIRED, "equal"), 0);
    scrub_from(owner, house_number(owner, "DELETE FROM feed_records WHERE kind = 900 AND key = " ONE
                                          " RETURNING bucket"));
    HOUSE_EVENTUALLY(&real_house, kw_metric_value(KW_M_FEED_REPAIRED, "equal") == 1);
    cr_assert_eq(house_number(owner, "SELECT count(*) FROM feed_records WHERE kind = 900"),
                 2 * NOTES);
    cr_assert(is_equal(owner));
}

Test(replicator_errands, a_row_that_a_disk_damaged_is_set_right)
{
    struct house_owner *owner = real_authz(EU);

    scrub_from(owner, house_number(owner, "UPDATE feed_records SET record = digest WHERE kind = 900"
                                          " AND key = " ONE " RETURNING bucket"));
    HOUSE_EVENTUALLY(&real_house, kw_metric_value(KW_M_FEED_REPAIRED, "equal") == 1);
    cr_assert_eq(kw_metric_value(KW_M_FEED_DAMAGED, NULL), 1);
    cr_assert_eq(house_number(owner, "SELECT count(*) FROM feed_records WHERE record = digest"), 0);
    cr_assert(is_equal(owner));
}

/* What it said it said itself: nobody waits for it, so all of it is deleted, and all that it had acknowledged. */
static void wait_for_trimming(void)
{
    HOUSE_EVENTUALLY(&real_house,
                     house_number(real_authz(EU), "SELECT count(*) FROM feed_changes") == 0);
}

Test(replicator_errands, a_store_that_is_new_joins_where_what_it_lacks_was_deleted)
{
    struct house_owner *owner = real_authz(US);

    wait_for_trimming();
    real_cell_stop(US);
    real_owner_lose(owner);
    hurry(owner);
    cr_assert_eq(real_notes(owner), 0);
    real_note(owner, "new", 0);
    real_cell_begin(US);
    HOUSE_EVENTUALLY(&real_house, real_notes(owner) == 2 * NOTES + 1);
    HOUSE_EVENTUALLY(&real_house, kw_metric_value(KW_M_FEED_JOINED, NULL) == 1);
    cr_assert(not(kw_feed_service_joins(owner->service)));
    real_note(real_authz(EU), "after", 0);
    real_note(owner, "after", 1);
    HOUSE_EVENTUALLY(&real_house, real_notes(owner) == 2 * NOTES + 3 &&
                                      real_notes(real_authz(EU)) == 2 * NOTES + 3);
    cr_assert(is_equal(owner));
    cr_assert_eq(kw_metric_value(KW_M_FEED_REPAIRED, "equal"), 0);
}

/* As one whose second has only begun, and who has asked so often. */
Test(replicator_errands, who_asks_too_often_waits_for_its_answer)
{
    struct kw_question_slot *slot = &real_cells[EU].service->questions.slots[0][KW_OWNER_AUTHZ];
    struct house_owner *owner = real_authz(US);

    HOUSE_EVENTUALLY(&real_house, owner->service->errands.now == NULL && !slot->answering);
    slot->second_ns = UINT64_MAX / 2;
    slot->answered = KW_LINK_QUESTIONS_PER_S;
    owner->service->errands.due_ns = 0;
    HOUSE_EVENTUALLY(&real_house, slot->waits);
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "link_questions_per_s"), 1);
    cr_assert(not(slot->answering));
    slot->second_ns = 0;
    HOUSE_EVENTUALLY(&real_house, !slot->waits);
    cr_assert(is_equal(owner));
    cr_assert_eq(kw_metric_value(KW_M_FEED_COMPARED, "unanswered"), 0);
}

#ifdef KW_FAULTS_PLANTED
/* All errands that are due in every round, however they end. */
static void go_round(struct house_owner *owner)
{
    int64_t before = kw_metric_value(KW_M_FEED_COMPARED, "equal");

    owner->service->showing.due_ns = 0;
    owner->service->scrubbing.due_ns = 0;
    kw_feed_showing_tend(owner->service);
    kw_feed_scrubbing_tend(owner->service);
    while (kw_metric_value(KW_M_FEED_COMPARED, "equal") == before ||
           owner->service->showing.running || owner->service->scrubbing.running) {
        owner->service->errands.due_ns = 0;
        kw_feed_errands_tend(owner->service);
        hop_turn(&real_house.hop);
    }
}

Test(replicator_errands, every_place_fails_once_and_is_made_up_for)
{
    unsigned rounds = 0;
    bool fired = true;

    HOUSE_EVENTUALLY(&real_house, real_authz(EU)->service->neighbours.count == 1);
    while (fired) {
        faults_arm_at("common/feed_service/");
        go_round(real_authz(EU));
        fired = faults_disarm();
        rounds += fired;
    }
    cr_assert(lt(uint, 20, rounds), "%u places have failed", rounds);
    cr_assert(is_equal(real_authz(EU)));
}
#endif
