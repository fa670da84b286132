/* An owner and its replicator: what is told, read, applied and acknowledged. */
#include "tests/support/feed_service_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct feed_house house;
static struct house_owner *eu;
static struct house_owner *us;

static void set_up(void)
{
    house_init(&house, HOUSE_OWNERS);
    eu = &house.owners[0];
    us = &house.owners[1];
}

static void tear_down(void)
{
    house_done(&house);
}

TestSuite(feed_service, .init = set_up, .fini = tear_down, .timeout = 60);

static void write_note(struct house_owner *owner, const char *key, const char *tags)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set(tags));
    house_note(owner, &record);
}

Test(feed_service, a_subscriber_is_told_who_the_owner_is_and_what_it_holds)
{
    struct listening listening = {0};
    struct kw_voucher voucher;

    house_listen(eu, &listening);
    HOUSE_EVENTUALLY(&house, listening.vouchers > 0 && house_told(&listening, eu->lane)->seq > 0);
    cr_assert(eq(uint, listening.owners, 1));
    cr_assert(kw_id_equal(listening.mesh, house.mesh));
    cr_assert(kw_id_equal(listening.store, eu->feed.options.store));
    cr_assert(eq(str, (char *)house_told(&listening, eu->lane)->region, "eu"));
    cr_assert(eq(str, (char *)house_told(&listening, eu->lane)->cell, "a"));
    cr_assert(kw_ok(kw_voucher_decode(kw_buf_bytes(&listening.voucher), &voucher, NULL)));
    cr_assert(kw_id_equal(voucher.store, listening.store));
    house_hang_up(&listening);
}

Test(feed_service, what_one_owner_writes_is_read_and_applied_by_another)
{
    struct asking read = {0};
    struct asking applied = {0};

    house_introduce(&house);
    write_note(eu, "n", "xy");
    house_read(eu, &read, eu->lane, 0);
    cr_assert(eq(int, read.reason, KW_E_NONE));
    cr_assert(eq(int, read.read, KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_BATCH));
    cr_assert(eq(u64, read.seq, house_lane(eu, eu->lane).point.seq));
    house_apply(us, &applied, KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_BATCH,
                kw_buf_bytes(&read.record));
    cr_assert(eq(int, applied.reason, KW_E_NONE));
    cr_assert(eq(int, applied.verdict, KEYWARD__INTERNAL__V1__FEED_VERDICT__FEED_VERDICT_NEWS));
    cr_assert(kw_id_equal(applied.lane, eu->lane));
    cr_assert(eq(u64, applied.seq, read.seq));
    cr_assert(eq(u64, house_lane(us, eu->lane).point.seq, read.seq));
    cr_assert(eq(uint, us->applied, 2)); /* the voucher, too */
    asking_done(&read);
    asking_done(&applied);
}
