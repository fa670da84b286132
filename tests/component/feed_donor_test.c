/* What those that an owner asks can do to it: nobody keeps it joining, and nobody makes it join by a word that others could
 * give. */
#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "common/feed/feed_join.h"
#include "common/feed_service/feed_service_internal.h"
#include "tests/support/faults.h"
#include "tests/support/feed_neighbours.h"
#include "tests/support/must.h"

static const struct kw_id ids[] = {{"first"}, {"second"}, {"third"}};

static struct feed_house house;
static struct house_owner *owner;
static struct neighbours near;
static struct neighbour *const a = &near.list[0];
static struct neighbour *const b = &near.list[1];
static bool takes_fail;

struct kw_result __real_kw_feed_join_take(struct kw_feed *feed, struct kw_tx *tx,
                                          const struct kw_answer *answer, uint64_t wall_ms,
                                          enum kw_answer_verdict *ret_verdict, bool *ret_done,
                                          struct kw_error *err);
struct kw_result __wrap_kw_feed_join_take(struct kw_feed *feed, struct kw_tx *tx,
                                          const struct kw_answer *answer, uint64_t wall_ms,
                                          enum kw_answer_verdict *ret_verdict, bool *ret_done,
                                          struct kw_error *err);

/* As an answer of node a that can't be stored, whatever is wrong with it. */
struct kw_result __wrap_kw_feed_join_take(struct kw_feed *feed, struct kw_tx *tx,
                                          const struct kw_answer *answer, uint64_t wall_ms,
                                          enum kw_answer_verdict *ret_verdict, bool *ret_done,
                                          struct kw_error *err)
{
    KW_ENSURE(!takes_fail || !kw_id_equal(answer->to.store, ids[0]), err, INTERNAL,
              "as the test has it");
    return __real_kw_feed_join_take(feed, tx, answer, wall_ms, ret_verdict, ret_done, err);
}

static void set_up(void)
{
    house_init(&house, 1);
    owner = &house.owners[0];
    takes_fail = false;
    near = (struct neighbours){0};
    for (unsigned i = 0; i < 2; i++) {
        near.list[i].as = lane_owner_of(ids[i], i, 20);
    }
}

static void tear_down(void)
{
    neighbours_end(&near);
    house_done(&house);
}

TestSuite(feed_donor, .init = set_up, .fini = tear_down, .timeout = 60);

static void begin(size_t count)
{
    near.count = count;
    neighbours_begin(&near, owner);
}

static struct kw_feed_errands *errands(void)
{
    return &owner->service->errands;
}

static bool joins(void)
{
    return kw_feed_service_joins(owner->service);
}

static void join_by(const struct neighbour *donor, bool again)
{
    NEIGHBOURS_EVENTUALLY(&near, errands()->now == NULL && !errands()->at_store);
    kw_feed_joining_begin(owner->service, donor->as.lane.store, again);
    NEIGHBOURS_EVENTUALLY(&near, joins());
}

/* --- donors --- */

/* It has nothing, and says so at once. */
static bool has_ended(struct neighbour *neighbour, const struct kw_question *question,
                      struct kw_answer *answer)
{
    (void)neighbour;
    (void)question;
    answer->next = (struct kw_answer_place){.section = KW_SECTION_END};
    return true;
}

/* Always further, and never done. */
static bool goes_on(struct neighbour *neighbour, const struct kw_question *question,
                    struct kw_answer *answer)
{
    static uint8_t key[4];

    (void)question;
    key[0] = (uint8_t)(neighbour->asked[KW_ASK_SNAPSHOT] >> 24);
    key[1] = (uint8_t)(neighbour->asked[KW_ASK_SNAPSHOT] >> 16);
    key[2] = (uint8_t)(neighbour->asked[KW_ASK_SNAPSHOT] >> 8);
    key[3] = (uint8_t)neighbour->asked[KW_ASK_SNAPSHOT];
    answer->next =
        (struct kw_answer_place){.section = KW_SECTION_ROWS, .table = 900, .key = KW_BYTES_OF(key)};
    return true;
}

/* So much of its share is used by now. */
static void used(uint64_t ns, unsigned answers)
{
    errands()->donors.used_ns = ns;
    errands()->donors.answers = answers;
}

static int64_t donors(const char *outcome)
{
    return kw_metric_value(KW_M_FEED_DONORS, outcome);
}

Test(feed_donor, a_donor_that_never_ends_is_left_for_another)
{
    a->snapshot = goes_on;
    b->snapshot = has_ended;
    begin(2);
    join_by(a, true);
    NEIGHBOURS_EVENTUALLY(&near, a->asked[KW_ASK_SNAPSHOT] >= 5);
    used(0, KW_JOIN_ANSWERS_MAX - 3);
    NEIGHBOURS_EVENTUALLY(&near, !joins());
    cr_assert_eq(b->asked[KW_ASK_SNAPSHOT], 1);
    cr_assert_leq(a->asked[KW_ASK_SNAPSHOT], 10);
    cr_assert(donors("endless") == 1 && donors("whole") == 1 && donors("none") == 0);
    cr_assert_eq(kw_metric_value(KW_M_FEED_JOINED, NULL), 1);
}

Test(feed_donor, one_that_takes_too_long_is_left_too)
{
    a->snapshot = goes_on;
    b->snapshot = has_ended;
    begin(2);
    join_by(a, true);
    used((uint64_t)KW_JOIN_DONOR_MS * 1000000U - 1, 0);
    NEIGHBOURS_EVENTUALLY(&near, !joins());
    cr_assert(donors("late") == 1 && donors("whole") == 1);
}

Test(feed_donor, and_one_that_says_nothing)
{
    b->snapshot = has_ended;
    begin(2);
    join_by(a, true);
    NEIGHBOURS_EVENTUALLY(&near, !joins());
    cr_assert_eq(a->asked[KW_ASK_SNAPSHOT], KW_JOIN_FAILURES_MAX);
    cr_assert(donors("failed") == 1 && donors("whole") == 1);
}

Test(feed_donor, and_one_whose_answer_can_not_be_stored)
{
    takes_fail = true;
    a->snapshot = b->snapshot = has_ended;
    begin(2);
    join_by(a, true);
    NEIGHBOURS_EVENTUALLY(&near, !joins());
    cr_assert_eq(a->asked[KW_ASK_SNAPSHOT], KW_JOIN_FAILURES_MAX);
    cr_assert(donors("failed") == 1 && donors("whole") == 1);
}

Test(feed_donor, a_new_store_has_more_patience)
{
    a->snapshot = goes_on;
    begin(1);
    join_by(a, false);
    used((uint64_t)KW_JOIN_DONOR_MS * 1000000U, 0);
    NEIGHBOURS_EVENTUALLY(&near, a->asked[KW_ASK_SNAPSHOT] >= 20);
    cr_assert_eq(donors("late"), 0);
    used((uint64_t)KW_JOIN_NEW_MS * 1000000U, 0);
    NEIGHBOURS_EVENTUALLY(&near, donors("late") == 1);
}

/* --- when nobody is left --- */

static struct kw_result run_note(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = {&job->owner->feed, tx, values_arena(), kw_clock_wall_ms()};
    struct kw_record record = note("n");

    note_set(&record, NOTE_TAGS, value_set("x"));
    return kw_feed_change(&feed_tx, &record, NULL, err);
}

Test(feed_donor, who_held_something_goes_on_without)
{
    a->snapshot = goes_on;
    begin(1);
    join_by(a, true);
    cr_assert(not(kw_ok(house_write_job(owner, run_note, NULL, NULL))), "it joins");
    used(0, KW_JOIN_ANSWERS_MAX - 3);
    NEIGHBOURS_EVENTUALLY(&near, !joins());
    cr_assert(donors("endless") == 1 && donors("none") == 1);
    cr_assert_eq(kw_metric_value(KW_M_FEED_JOINED, NULL), 0);
    cr_assert(kw_ok(house_write_job(owner, run_note, NULL, NULL)));
    cr_assert_eq(house_number(owner, "SELECT count(*) FROM feed_joins"), 0);
    errands()->joined_ns = 0; /* there is no pause */
    neighbour_says(a, 20, lane_head(&a->as, 20, lane_closed(20)));
    a->asked[KW_ASK_LANES] = 0;
    NEIGHBOURS_EVENTUALLY(&near, a->asked[KW_ASK_LANES] >= 20);
    cr_assert(not(joins()), "who failed does not make it join again");
}

Test(feed_donor, who_is_new_has_no_choice)
{
    begin(2);
    join_by(a, false);
    NEIGHBOURS_EVENTUALLY(&near, donors("failed") >= 4);
    cr_assert(joins());
    cr_assert(a->asked[KW_ASK_SNAPSHOT] >= KW_JOIN_FAILURES_MAX &&
              b->asked[KW_ASK_SNAPSHOT] >= KW_JOIN_FAILURES_MAX);
    b->snapshot = has_ended;
    NEIGHBOURS_EVENTUALLY(&near, !joins());
}

Test(feed_donor, what_may_be_given_up_is_known_after_a_restart)
{
    begin(1);
    join_by(a, true);
    neighbours_end(&near);
    house_disconnect(owner);
    house_owner_close(owner);
    house_owner_open(owner);
    MUST(house_owner_serve(owner, err));
    house_connect(owner, owner->replicator);
    HOUSE_EVENTUALLY(&house, kw_hop_client_connected(owner->client));
    near.listening = (struct listening){0};
    near.answered = 0;
    cr_assert(joins());
    begin(1);
    NEIGHBOURS_EVENTUALLY(&near, !joins());
    cr_assert_eq(donors("none"), 1);
}

#ifdef KW_FAULTS_PLANTED
static void join_to_the_end(neighbour_answers *snapshot)
{
    errands()->donors = (struct kw_feed_donors){0};
    a->snapshot = snapshot;
    NEIGHBOURS_EVENTUALLY(&near, errands()->now == NULL && !errands()->at_store);
    kw_feed_joining_begin(owner->service, a->as.lane.store, true);
    NEIGHBOURS_EVENTUALLY(&near, errands()->now == NULL && !errands()->at_store && !joins());
}

Test(feed_donor, every_place_of_a_join_fails_once_and_is_made_up_for)
{
    unsigned rounds = 0;
    bool fired = true;

    begin(1);
    while (fired) {
        faults_arm_at("common/feed_service/joining.c");
        join_to_the_end(has_ended);
        join_to_the_end(NULL); /* it is given up */
        fired = faults_disarm();
        rounds += fired;
    }
    cr_assert_geq(rounds, 5, "%u places have failed", rounds);
    join_to_the_end(has_ended);
}
#endif

/* --- lacks --- */

static struct kw_bytes head_of(const struct neighbour *neighbour, size_t seq)
{
    return lane_head(&neighbour->as, seq, lane_closed(seq));
}

/* The owner holds so much of its lane. */
static void hold(const struct neighbour *neighbour, size_t seq)
{
    house_put_store(owner, &neighbour->as.row);
    cr_assert_eq(house_verdict(owner, KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_BATCH,
                               lane_batch_bytes(&neighbour->as, 0, seq)),
                 KEYWARD__INTERNAL__V1__FEED_VERDICT__FEED_VERDICT_NEWS);
}

static int64_t lacks(const char *kind)
{
    return kw_metric_value(KW_M_FEED_LACKS, kind);
}

/* So often is everybody asked, and nothing comes of it. */
static void expect_no_join(void)
{
    a->asked[KW_ASK_LANES] = 0;
    NEIGHBOURS_EVENTUALLY(&near, a->asked[KW_ASK_LANES] >= 20 || joins());
    cr_assert(not(joins()));
}

static void expect_join(bool may_end)
{
    NEIGHBOURS_EVENTUALLY(&near, joins());
    cr_assert_eq(house_number(owner, "SELECT again FROM feed_joins"), may_end);
}

Test(feed_donor, what_another_store_has_signed_and_everybody_deleted_is_a_reason_to_join)
{
    hold(b, 5);
    neighbour_says(a, 9, head_of(b, 9));
    a->snapshot = goes_on;
    begin(1);
    expect_join(true);
    cr_assert_gt(lacks("deleted"), 0);
}

Test(feed_donor, what_nobody_signed_is_none)
{
    struct lane_owner false_b = lane_owner_of(ids[1], 0, 20); /* by the key of a */

    hold(b, 5);
    neighbour_says(a, 9, lane_head(&false_b, 9, lane_closed(9)));
    begin(1);
    expect_no_join();
    cr_assert_gt(lacks("stranger"), 0);
}

Test(feed_donor, nor_what_was_altered)
{
    struct kw_bytes head = head_of(b, 9);

    hold(b, 5);
    ((uint8_t *)head.data)[4 + 3 * KW_ID_LEN + 4 + 7] = 99; /* its number */
    neighbour_says(a, 99, head);
    begin(1);
    expect_no_join();
    cr_assert_gt(lacks("unsigned"), 0);
}

Test(feed_donor, what_is_held_already_is_not_lacked)
{
    hold(b, 9);
    neighbour_says(a, 9, head_of(b, 9));
    begin(1);
    expect_no_join();
    cr_assert_eq(lacks("deleted"), 0);
}

static void one_of_two_has_it(void)
{
    hold(a, 5);
    neighbour_says(a, 0, head_of(a, 9));
    neighbour_says(b, 9, head_of(a, 9));
    begin(2);
}

static void after_long(void)
{
    NEIGHBOURS_EVENTUALLY(&near, errands()->behind_count == 1);
    errands()->behind[0].since_ns -= (uint64_t)KW_FEED_WORD_MS * 1000000U;
}

Test(feed_donor, what_somebody_has_is_waited_for)
{
    one_of_two_has_it();
    expect_no_join();
    cr_assert(lacks("there") > 0 && lacks("deleted") > 0);
}

Test(feed_donor, but_not_for_ever)
{
    one_of_two_has_it();
    after_long();
    expect_join(true);
}

/* --- of its own lane --- */

static void a_deleted_its_own(unsigned neighbours)
{
    hold(a, 5);
    neighbour_says(a, 9, head_of(a, 9));
    begin(neighbours);
}

Test(feed_donor, a_store_that_deleted_its_own_changes_makes_nobody_join)
{
    a_deleted_its_own(2);
    expect_no_join();
    cr_assert_gt(lacks("own"), 0);
}

Test(feed_donor, but_when_it_is_so_for_long)
{
    a_deleted_its_own(2);
    after_long();
    expect_join(true);
}

Test(feed_donor, or_when_nobody_else_can_be_asked)
{
    a_deleted_its_own(1);
    expect_join(true);
}

/* Whoever of the two it is that is new. */
Test(feed_donor, or_when_nothing_was_ever_here_of_that_store)
{
    neighbour_says(a, 9, head_of(a, 9));
    begin(2);
    expect_join(true);
}

Test(feed_donor, who_is_new_to_what_others_deleted_does_not_give_up)
{
    house_put_store(owner, &b->as.row);
    neighbour_says(a, 9, head_of(b, 9));
    begin(1);
    expect_join(false);
}

Test(feed_donor, nor_who_has_forgotten_its_own)
{
    const struct kw_lane_head head = {
        .lane = {owner->house->mesh, owner->feed.options.store, {"lost"}, 0}, .point.seq = 9};
    struct kw_buf record = {0};

    MUST(kw_lane_head_sign(&head, &owner->identity.key, &record, err));
    neighbour_says(a, 9, value_keep(&record));
    begin(1);
    expect_join(false);
}

/* The place of a, whose stores a and b are; c is elsewhere. */
static void one_place(void)
{
    near.list[2].as = lane_owner_of(ids[2], 2, 0);
    a->as.row = lane_row_with(&a->as, KW_STORE_FIELD_PLACE, kw_bytes_str("ap/a"));
    b->as.row = lane_row_with(&b->as, KW_STORE_FIELD_PLACE, kw_bytes_str("ap/a"));
}

Test(feed_donor, one_place_is_one_however_many_stores_it_has)
{
    one_place();
    hold(b, 5);
    neighbour_says(a, 9, head_of(b, 9));
    near.list[1] = near.list[2];
    begin(2);
    expect_no_join();
    cr_assert_gt(lacks("own"), 0);
}

Test(feed_donor, it_does_not_crowd_out_what_others_have_signed)
{
    struct lane_owner lives = a->as;

    near.list[2].as = lane_owner_of(ids[2], 2, 0);
    hold(a, 5);
    hold(b, 5);
    for (uint8_t i = 0; i < KW_FEED_BEHIND_MAX; i++) {
        lives.lane.incarnation.bytes[1] = i + 1U;
        neighbour_says(a, 9, lane_head(&lives, 9, lane_closed(9)));
    }
    neighbour_says(a, 9, head_of(b, 9));
    near.list[1] = near.list[2];
    begin(2);
    expect_join(true);
}

/* --- without end --- */

static bool has_more(struct neighbour *neighbour, const struct kw_question *question,
                     struct kw_answer *answer)
{
    static struct kw_id key;

    (void)question;
    key.bytes[0] = (uint8_t)(neighbour->asked[KW_ASK_LANES] >> 8);
    key.bytes[1] = (uint8_t)neighbour->asked[KW_ASK_LANES];
    answer->next = (struct kw_answer_place){.section = KW_SECTION_LANES, .key = kw_id_bytes(&key)};
    return true;
}

Test(feed_donor, a_list_of_lanes_without_end_ends)
{
    a->lanes = has_more;
    begin(2);
    NEIGHBOURS_EVENTUALLY(&near, b->asked[KW_ASK_LANES] > 0);
    cr_assert_eq(a->asked[KW_ASK_LANES], KW_LACKS_ANSWERS_MAX);
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "feed_lacks"), 1);
}

/* All that it has is other than what is here. */
static bool differs(struct neighbour *neighbour, const struct kw_question *question,
                    struct kw_answer *answer)
{
    static const uint8_t root[2 + KW_SHA256_LEN] = {900 >> 8, 900 & 0xff};
    static struct kw_bytes items[KW_DIGEST_FAN];
    bool is_root = question->ask.from.key.len == 0;

    (void)neighbour;
    for (size_t i = 0; i < KW_DIGEST_FAN; i++) {
        items[i] = is_root ? KW_BYTES_OF(root) : KW_BYTES(root + 2, KW_SHA256_LEN);
    }
    answer->items = items;
    answer->count = is_root ? 1 : KW_DIGEST_FAN;
    return question->ask.from.key.len == 0 || question->ask.from.key.data[0] < KW_DIGEST_LEVELS;
}

Test(feed_donor, a_comparison_ends_wherever_it_is)
{
    a->digests = differs;
    cr_assert(kw_ok(house_write_job(owner, run_note, NULL, NULL)));
    errands()->apart_due_ns = 1; /* now also where lanes are apart */
    begin(1);
    NEIGHBOURS_EVENTUALLY(&near, a->asked[KW_ASK_DIGESTS] >= 1);
    errands()->until_ns = 0;
    NEIGHBOURS_EVENTUALLY(&near, kw_metric_value(KW_M_FEED_COMPARED, "differs") == 1);
    cr_assert_leq(a->asked[KW_ASK_DIGESTS], 3);
}

/* --- shares and bars --- */

Test(donors, who_failed_waits_longer_each_time_and_has_more_time_then)
{
    struct kw_feed_neighbours neighbours = {.count = 1};
    struct kw_feed_donors donors = {0};
    uint64_t now_ns = 1;

    neighbours.list[0].store = ids[0];
    for (unsigned i = 0; i < 8; i++) {
        unsigned times = i < KW_JOIN_BAR_TIMES ? i : KW_JOIN_BAR_TIMES;
        uint64_t bar_ns = ((uint64_t)KW_JOIN_BAR_MS << 2 * times) * 1000000U;

        cr_assert(kw_id_equal(kw_feed_donor_next(&donors, &neighbours, false, now_ns), ids[0]));
        kw_feed_donor_begin(&donors, ids[0], false);
        cr_assert_eq(donors.share_ns, ((uint64_t)KW_JOIN_DONOR_MS << times) * 1000000U);
        kw_feed_donor_bar(&donors, now_ns);
        cr_assert(kw_feed_donor_barred(&donors, ids[0], now_ns + bar_ns - 1));
        cr_assert(kw_id_is_none(kw_feed_donor_next(&donors, &neighbours, false, now_ns)));
        cr_assert(kw_id_equal(kw_feed_donor_next(&donors, &neighbours, true, now_ns), ids[0]));
        now_ns += bar_ns;
        cr_assert(not(kw_feed_donor_barred(&donors, ids[0], now_ns)));
    }
}

/* Who goes away and comes back does not begin anew. */
Test(donors, a_share_goes_on_where_another_was_asked_in_between)
{
    struct kw_feed_donors donors = {0};

    kw_feed_donor_begin(&donors, ids[0], false);
    kw_feed_donor_asked(&donors, 1);
    kw_feed_donor_gave(&donors, 1001);
    kw_feed_donor_begin(&donors, ids[1], false);
    cr_assert(donors.used_ns == 0 && donors.answers == 0);
    kw_feed_donor_begin(&donors, ids[0], false);
    cr_assert(donors.used_ns == 1000 && donors.answers == 1);
    cr_assert(not(kw_feed_donor_barred(&donors, ids[0], 1)), "it has not failed");
    cr_assert_eq(donors.share_ns, (uint64_t)KW_JOIN_DONOR_MS * 1000000U);
    kw_feed_donor_asked(&donors, 1);
    kw_feed_donor_gave(&donors, 1 + donors.share_ns - 1000);
    cr_assert_str_eq(kw_feed_donor_over(&donors), "late");
    kw_feed_donor_bar(&donors, 1);
    kw_feed_donor_begin(&donors, ids[0], false);
    cr_assert(donors.used_ns == 0 && donors.answers == 0, "the next share is twice that");
}

Test(donors, another_join_is_another_share)
{
    struct kw_feed_donors donors = {0};

    kw_feed_donor_begin(&donors, ids[0], false);
    kw_feed_donor_asked(&donors, 1);
    kw_feed_donor_gave(&donors, 1001);
    kw_feed_donor_begin(&donors, ids[1], false);
    kw_feed_donor_done(&donors);
    kw_feed_donor_begin(&donors, ids[0], false);
    cr_assert(donors.used_ns == 0 && donors.answers == 0);
}

Test(donors, only_so_many_are_remembered)
{
    struct kw_feed_donors donors = {0};

    for (uint8_t i = 0; i <= KW_PEERS_MAX; i++) {
        kw_feed_donor_begin(&donors, (struct kw_id){{1, i}}, false);
        kw_feed_donor_bar(&donors, 1);
    }
    cr_assert(not(kw_feed_donor_barred(&donors, (struct kw_id){{1, 0}}, 2)));
    cr_assert(kw_feed_donor_barred(&donors, (struct kw_id){{1, 1}}, 2));
    cr_assert(kw_feed_donor_barred(&donors, (struct kw_id){{1, KW_PEERS_MAX}}, 2));
}
