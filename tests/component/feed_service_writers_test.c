/* Several writers of one database: who listens to one of them is told of all. */
#include "tests/support/feed_service_fixture.h"
#include "tests/support/must.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct feed_house house;
static struct house_owner *serves;
static struct house_owner *other;

static void set_up(void)
{
    house_init(&house, 1);
    serves = &house.owners[0];
    other = &house.owners[1];
    house_owner_join(other, serves, 1);
}

static void tear_down(void)
{
    house_done(&house);
}

TestSuite(feed_service_writers, .init = set_up, .fini = tear_down, .timeout = 60);

static void write_note(struct house_owner *owner, const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_REMOVED, value_first(1, owner->feed.options.store, "gone"));
    house_note(owner, &record);
}

Test(feed_service_writers, the_changes_of_all_are_told_and_read)
{
    struct listening listening = {0};
    struct asking read = {0};

    cr_assert(not(kw_id_equal(serves->lane, other->lane)));
    house_listen(serves, &listening);
    HOUSE_EVENTUALLY(&house, house_told(&listening, serves->lane)->seq > 0);
    write_note(other, "n");
    HOUSE_EVENTUALLY(&house,
                     house_told(&listening, other->lane)->seq > 0 && listening.urgents == 1);
    cr_assert(eq(str, (char *)house_told(&listening, other->lane)->region, "eu"));
    house_read(serves, &read, other->lane, 0);
    cr_assert(eq(u64, read.seq, house_told(&listening, other->lane)->seq));
    asking_done(&read);
    house_hang_up(&listening);
}

Test(feed_service_writers, the_promise_of_one_that_is_idle_grows)
{
    struct listening listening = {0};
    uint64_t closed;

    house_listen(serves, &listening);
    write_note(other, "n");
    HOUSE_EVENTUALLY(&house, house_told(&listening, other->lane)->seq > 0);
    closed = house_told(&listening, other->lane)->closed;
    HOUSE_EVENTUALLY(&house, house_told(&listening, other->lane)->closed > closed);
    house_hang_up(&listening);
}
