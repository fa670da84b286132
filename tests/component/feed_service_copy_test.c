/* Second copies: an answer waits until another cell has what it says, and not for ever. */
#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "common/feed/ack_table.h"
#include "common/feed_service/feed_service_internal.h"
#include "common/feed_service/second_copy.h"
#include "common/sync/lww.h"
#include "tests/support/feed_service_fixture.h"
#include "tests/support/lane_order.h"
#include "tests/support/must.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct feed_house house;
static struct house_owner *eu;
static struct house_owner *us;
static bool time_stands; /* nobody's time is over */

void __real_kw_feed_copies_tick(struct kw_timer *timer);
void __wrap_kw_feed_copies_tick(struct kw_timer *timer);

void __wrap_kw_feed_copies_tick(struct kw_timer *timer)
{
    if (!time_stands) {
        __real_kw_feed_copies_tick(timer);
    }
}

static void set_up(void)
{
    time_stands = false;
    house_init(&house, HOUSE_OWNERS);
    eu = &house.owners[0];
    us = &house.owners[1];
}

static void tear_down(void)
{
    house_done(&house);
}

TestSuite(feed_service_copy, .init = set_up, .fini = tear_down, .timeout = 60);

struct caller {
    struct kw_second_copy copy; /* first */
    unsigned told;
};

static void on_copied(struct kw_second_copy *copy)
{
    ((struct caller *)copy)->told++;
}

static struct kw_result run_write(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_arena *arena = values_arena();
    const struct kw_feed_tx feed_tx = {&job->owner->feed, tx, arena, kw_clock_wall_ms()};
    struct kw_second_copy *copy = job->out;

    kw_second_copy_begin(copy, feed_tx.feed);
    KW_TRY(kw_feed_change(&feed_tx, job->in, NULL, err));
    return kw_second_copy_note(copy, &feed_tx, err);
}

static void write_as(struct caller *caller, const char *tags)
{
    struct kw_record record = note("n");

    note_set(&record, NOTE_TAGS, value_set(tags));
    cr_assert(kw_ok(house_write_job(eu, run_write, &record, &caller->copy)));
}

static bool waits(struct caller *caller)
{
    return kw_second_copy_await(&caller->copy, eu->service, on_copied);
}

/* Each knows the other, and eu's service that it does. */
static void introduce(void)
{
    house_introduce(&house);
    HOUSE_EVENTUALLY(&house, !eu->service->members_read);
    kw_feed_copies_look(eu->service);
    HOUSE_EVENTUALLY(&house, eu->service->copies.count == 1);
}

Test(feed_service_copy, who_is_alone_waits_for_nobody)
{
    struct caller caller = {0};

    HOUSE_EVENTUALLY(&house, eu->service->copies.known);
    write_as(&caller, "x");
    cr_assert(not(waits(&caller)));
    cr_assert(not(caller.copy.missing));
}

/* It is to go: what it holds is not what anybody may count on. */
Test(feed_service_copy, who_drains_is_no_second_copy)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&us->feed.options.store)};
    struct caller caller = {0};
    struct kw_buf value = {0};
    struct kw_writer w = KW_WRITER(&value);
    struct kw_id life = {{1}};

    introduce();
    kw_put_lww(&w, &(struct kw_lww){.stamp = {1, life},
                                    .value = order_drain(eu->feed.options.mesh,
                                                         us->feed.options.store, life, 1)});
    MUST(kw_writer_end(&w, err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_ACTIVE),
                       err));
    MUST(
        kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_DRAIN_ORDER, value_keep(&value), err));
    house_put_store(eu, &row);
    kw_feed_copies_look(eu->service);
    HOUSE_EVENTUALLY(&house, eu->service->copies.holders[0].leaves);
    write_as(&caller, "x");
    cr_assert(not(waits(&caller)));
    caller.copy = (struct kw_second_copy){.asked = KW_COPY_ALL, .until_ns = UINT64_MAX};
    write_as(&caller, "y");
    cr_assert(waits(&caller), "it answers as long as it is there");
    kw_second_copy_give_up(&caller.copy);
}

Test(feed_service_copy, without_a_feed_nobody_waits)
{
    struct caller caller = {0};

    introduce();
    write_as(&caller, "x");
    cr_assert(not(kw_second_copy_await(&caller.copy, NULL, on_copied)));
    cr_assert(not(caller.copy.missing));
}

Test(feed_service_copy, an_acknowledgement_ends_the_wait)
{
    struct caller caller = {0};

    introduce();
    time_stands = true;
    write_as(&caller, "x");
    cr_assert(waits(&caller));
    cr_assert(eq(int, house_ack(eu, us, us->feed.options.store, eu->lane, caller.copy.wait.seq - 1),
                 KW_E_NONE));
    cr_assert(eq(uint, caller.told, 0));
    cr_assert(eq(int, house_ack(eu, us, us->feed.options.store, eu->lane, caller.copy.wait.seq),
                 KW_E_NONE));
    cr_assert(eq(uint, caller.told, 1));
    cr_assert(not(caller.copy.missing));
}

Test(feed_service_copy, neither_another_cell_nor_what_is_to_come_ends_a_wait)
{
    struct caller caller = {0};
    struct caller later = {0};

    introduce();
    time_stands = true;
    write_as(&caller, "x");
    cr_assert(waits(&caller));
    cr_assert(eq(int, house_ack(eu, eu, us->feed.options.store, eu->lane, INT64_MAX), KW_E_NONE));
    cr_assert(eq(uint, caller.told, 0), "it is us who is not there");
    cr_assert(eq(int, house_ack(eu, us, us->feed.options.store, eu->lane, INT64_MAX), KW_E_NONE));
    cr_assert(eq(uint, caller.told, 1));
    write_as(&later, "y");
    cr_assert(waits(&later), "nobody has it yet");
    kw_copies_forget(&later.copy.wait);
}

Test(feed_service_copy, what_is_held_already_is_not_waited_for_nor_what_says_nothing)
{
    struct caller caller = {0};

    introduce();
    write_as(&caller, "x");
    cr_assert(eq(int, house_ack(eu, us, us->feed.options.store, eu->lane, caller.copy.wait.seq),
                 KW_E_NONE));
    cr_assert(not(waits(&caller)));
    cr_assert(not(caller.copy.missing));
    write_as(&caller, "x");
    cr_assert(not(waits(&caller)), "the same again");
    write_as(&caller, "y");
    cr_assert(waits(&caller));
    HOUSE_EVENTUALLY(&house, caller.told == 1);
}

Test(feed_service_copy, a_member_that_is_silent_is_waited_for_a_moment_and_it_is_told)
{
    struct caller caller = {0};
    int64_t before = kw_metric_value(KW_M_LOCAL_ONLY, NULL);

    introduce();
    write_as(&caller, "x");
    cr_assert(waits(&caller));
    HOUSE_EVENTUALLY(&house, caller.told == 1);
    cr_assert(caller.copy.missing);
    cr_assert(eq(i64, kw_metric_value(KW_M_LOCAL_ONLY, NULL), before + 1));
    cr_assert(not(waits(&caller)), "nobody waits twice");
    cr_assert(caller.copy.missing, "and it stays known");
}

Test(feed_service_copy, while_the_members_are_not_known_there_may_be_some)
{
    struct caller caller = {0};

    HOUSE_EVENTUALLY(&house, eu->service->copies.known);
    eu->service->copies.known = false;
    write_as(&caller, "x");
    cr_assert(waits(&caller));
    HOUSE_EVENTUALLY(&house, caller.told == 1);
}

/* --- who asks for more, and waits longer --- */

#define SOON_NS 50000000ULL
#define LONG_NS 60000000000ULL

static void ask_for(struct caller *caller, enum kw_copy_level level, uint64_t wait_ns)
{
    caller->copy.asked = level;
    caller->copy.until_ns = kw_clock_mono_ns() + wait_ns;
}

Test(feed_service_copy, who_asks_for_all_waits_until_all_hold_it)
{
    struct caller caller = {0};

    introduce();
    ask_for(&caller, KW_COPY_ALL, LONG_NS);
    write_as(&caller, "x");
    cr_assert(waits(&caller));
    cr_assert(eq(int, house_ack(eu, us, us->feed.options.store, eu->lane, caller.copy.wait.seq),
                 KW_E_NONE));
    cr_assert(eq(uint, caller.told, 1));
    cr_assert(caller.copy.reached == KW_COPY_ALL);
    cr_assert(le(int, caller.copy.asked, caller.copy.reached));
}

static struct kw_result run_raise(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct caller *caller = job->in;

    return kw_ack_raise(tx, caller->copy.wait.lane, us->feed.options.store, caller->copy.wait.seq,
                        err);
}

Test(feed_service_copy, what_the_table_says_counts_whoever_was_told)
{
    struct caller caller = {0};

    introduce();
    ask_for(&caller, KW_COPY_ALL, LONG_NS);
    write_as(&caller, "x");
    cr_assert(waits(&caller));
    cr_assert(kw_ok(house_write_job(eu, run_raise, &caller, NULL)));
    HOUSE_EVENTUALLY(&house, caller.told == 1);
    cr_assert(caller.copy.reached == KW_COPY_ALL);
}

Test(feed_service_copy, who_asks_for_all_is_told_in_time_how_far_it_got)
{
    struct caller caller = {0};
    int64_t before = kw_metric_value(KW_M_WAITS_IN_VAIN, NULL);

    introduce();
    ask_for(&caller, KW_COPY_ALL, SOON_NS);
    write_as(&caller, "x");
    cr_assert(waits(&caller));
    HOUSE_EVENTUALLY(&house, caller.told == 1);
    cr_assert(caller.copy.reached == KW_COPY_LOCAL);
    cr_assert(caller.copy.missing && caller.copy.reached < caller.copy.asked);
    cr_assert(kw_clock_mono_ns() >= caller.copy.until_ns);
    cr_assert(eq(i64, kw_metric_value(KW_M_WAITS_IN_VAIN, NULL), before + 1));
}

Test(feed_service_copy, who_is_alone_or_without_a_feed_has_reached_all_there_is)
{
    struct caller caller = {0};
    struct caller other = {0};

    HOUSE_EVENTUALLY(&house, eu->service->copies.known);
    ask_for(&caller, KW_COPY_ALL, LONG_NS);
    write_as(&caller, "x");
    cr_assert(not(waits(&caller)));
    cr_assert(caller.copy.said && caller.copy.reached == KW_COPY_ALL);
    ask_for(&other, KW_COPY_ALL, LONG_NS);
    write_as(&other, "y");
    cr_assert(not(kw_second_copy_await(&other.copy, NULL, on_copied)));
    cr_assert(other.copy.reached == KW_COPY_ALL);
    cr_assert(le(int, other.copy.asked, other.copy.reached));
}

Test(feed_service_copy, who_is_not_interested_any_more_waits_no_longer)
{
    struct caller caller = {0};

    introduce();
    ask_for(&caller, KW_COPY_ALL, LONG_NS);
    kw_second_copy_give_up(&caller.copy);
    cr_assert(eq(uint, caller.told, 0), "there was no wait");
    write_as(&caller, "x");
    cr_assert(waits(&caller));
    kw_second_copy_give_up(&caller.copy);
    kw_second_copy_give_up(&caller.copy);
    cr_assert(eq(uint, caller.told, 1));
    cr_assert(eq(int, house_ack(eu, us, us->feed.options.store, eu->lane, caller.copy.wait.seq),
                 KW_E_NONE));
    cr_assert(eq(uint, caller.told, 1));
}

Test(feed_service_copy, while_its_owner_drains_nobody_waits_long)
{
    struct caller first = {0};
    struct caller late = {0};

    introduce();
    ask_for(&first, KW_COPY_ALL, LONG_NS);
    ask_for(&late, KW_COPY_ALL, LONG_NS);
    write_as(&first, "x");
    write_as(&late, "y");
    cr_assert(waits(&first));
    kw_feed_service_hurry(NULL);
    kw_feed_service_hurry(eu->service);
    cr_assert(waits(&late), "as long as any change");
    HOUSE_EVENTUALLY(&house, first.told == 1 && late.told == 1);
    cr_assert(first.copy.reached < first.copy.asked && late.copy.reached < late.copy.asked);
}

Test(feed_service_copy, of_several_waits_of_a_call_the_least_is_told)
{
    struct caller caller = {0};

    introduce();
    ask_for(&caller, KW_COPY_ALL, SOON_NS);
    write_as(&caller, "x");
    cr_assert(waits(&caller));
    HOUSE_EVENTUALLY(&house, caller.told == 1);
    ask_for(&caller, KW_COPY_ALL, LONG_NS);
    write_as(&caller, "y");
    cr_assert(waits(&caller));
    cr_assert(eq(int, house_ack(eu, us, us->feed.options.store, eu->lane, caller.copy.wait.seq),
                 KW_E_NONE));
    cr_assert(eq(uint, caller.told, 2));
    cr_assert(caller.copy.missing && caller.copy.reached == KW_COPY_LOCAL);
}

/* --- how old what is known of other regions is --- */

static uint64_t age_ms(void)
{
    return kw_feed_service_age_ms(eu->service, kw_clock_wall_ms());
}

/* The figures are made anew. */
static void look(void)
{
    HOUSE_EVENTUALLY(&house, eu->service->chores == 0); /* else there is no look */
    eu->service->promised_ms = 7;
    kw_timer_start(&eu->service->upkeep, 0, 0);
    HOUSE_EVENTUALLY(&house, eu->service->promised_ms != 7);
}

Test(feed_service_copy, before_it_was_looked_nothing_is_known_of_other_regions)
{
    cr_assert(eq(u64, kw_feed_service_age_ms(NULL, 1), 0), "nothing is replicated");
    eu->service->promised_ms = KW_PROMISED_UNKNOWN;
    cr_assert(eq(u64, age_ms(), KW_FRESHNESS_NEVER));
    look();
    cr_assert(eq(u64, age_ms(), 0), "there is no other region");
}

static struct kw_result run_damage(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;

    (void)job;
    KW_TRY(kw_sql(tx, "UPDATE feed_records SET record = $1", &stmt, err));
    kw_bind_blob(stmt, 1, kw_bytes_str("rotten"));
    return kw_exec(stmt, NULL, err);
}

Test(feed_service_copy, who_can_not_look_any_more_knows_nothing)
{
    look();
    cr_assert(eq(u64, age_ms(), 0));
    cr_assert(kw_ok(house_write_job(eu, run_damage, NULL, NULL)));
    look();
    cr_assert(eq(u64, age_ms(), KW_FRESHNESS_NEVER));
}

Test(feed_service_copy, another_region_that_promised_nothing_yet_is_unknown)
{
    introduce();
    look();
    cr_assert(eq(u64, age_ms(), KW_FRESHNESS_NEVER));
}

Test(feed_service_copy, the_end_of_the_service_ends_all_waits)
{
    struct caller first = {0};
    struct caller late = {0};

    introduce();
    time_stands = true;
    write_as(&first, "x");
    write_as(&late, "y");
    cr_assert(waits(&first));
    house_owner_close_service(eu);
    cr_assert(eq(uint, first.told, 1));
    cr_assert(first.copy.missing);
    cr_assert(not(kw_second_copy_await(&late.copy, eu->ended, on_copied)));
    cr_assert(late.copy.missing);
}

/* --- who is not linked with us --- */

#define BATCH KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_BATCH
#define NEWS  KEYWARD__INTERNAL__V1__FEED_VERDICT__FEED_VERDICT_NEWS
#define SAID_HOLDINGS                                                                              \
    "SELECT count(*) FROM feed_changes JOIN feed_lanes ON lane = id"                               \
    " WHERE role = 2 AND hex(substr(record, 5, 2)) = '0002'"

static void remove_as(struct caller *caller)
{
    struct kw_record record = note("n");

    note_set(&record, NOTE_REMOVED, value_first(1, eu->feed.options.store, "gone"));
    cr_assert(kw_ok(house_write_job(eu, run_write, &record, &caller->copy)));
}

/* All of a lane, from one to the other. */
static void carry(struct house_owner *from, struct house_owner *to, struct kw_id lane)
{
    struct asking read = {0};

    house_read(from, &read, lane, 0);
    cr_assert(eq(int, house_verdict(to, BATCH, kw_buf_bytes(&read.record)), NEWS));
    asking_done(&read);
}

Test(feed_service_copy, what_disables_is_owed_a_word_to_who_is_not_linked)
{
    struct caller caller = {0};

    introduce();
    write_as(&caller, "x");
    carry(eu, us, eu->lane);
    cr_assert(not(us->service->holdings_owed), "nobody is in a hurry");
    remove_as(&caller);
    carry(eu, us, eu->lane);
    cr_assert(us->service->holdings_owed);
}

Test(feed_service_copy, who_is_linked_hears_it_from_the_link)
{
    struct caller caller = {0};

    introduce();
    us->service->neighbours.list[0].store = eu->feed.options.store;
    us->service->neighbours.count = 1;
    remove_as(&caller);
    carry(eu, us, eu->lane);
    cr_assert(not(us->service->holdings_owed));
}

/* Whose usual time for that has just been, and comes in ten seconds. */
static bool says_holdings(struct house_owner *owner)
{
    owner->service->holdings_looked_ns = kw_clock_mono_ns();
    return house_number(owner, SAID_HOLDINGS) > 0;
}

Test(feed_service_copy, who_asks_for_all_hears_soon_of_who_is_not_linked)
{
    struct caller caller = {0};
    struct listening listening = {0};

    introduce();
    us->service->holdings_looked_ns = kw_clock_mono_ns();
    house_listen(us, &listening);
    ask_for(&caller, KW_COPY_ALL, LONG_NS);
    remove_as(&caller);
    cr_assert(waits(&caller));
    carry(eu, us, eu->lane);
    HOUSE_EVENTUALLY(&house, says_holdings(us));
    cr_assert(eq(uint, caller.told, 0));
    carry(us, eu, us->lane);
    HOUSE_EVENTUALLY(&house, caller.told == 1);
    cr_assert(caller.copy.reached == KW_COPY_ALL);
    house_hang_up(&listening);
}
