/* An owner and its replicator: what is told, read, applied and acknowledged. */
#include "common/base/metrics.h"
#include "common/feed_service/feed_service_internal.h"
#include "tests/support/feed_service_fixture.h"
#include "tests/support/must.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define BATCH      KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_BATCH
#define URGENT     KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_URGENT
#define VERDICT(v) KEYWARD__INTERNAL__V1__FEED_VERDICT__FEED_VERDICT_##v
#define READ(r)    KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_##r

static struct feed_house house;
static struct house_owner *eu;
static struct house_owner *us;
static bool no_beats; /* our lane is not sealed */
static unsigned beats;

void __real_kw_feed_upkeep_beat(struct kw_timer *timer);
void __wrap_kw_feed_upkeep_beat(struct kw_timer *timer);

void __wrap_kw_feed_upkeep_beat(struct kw_timer *timer)
{
    beats++;
    if (!no_beats) {
        __real_kw_feed_upkeep_beat(timer);
    }
}

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

static void remove_note(struct house_owner *owner, const char *key)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_REMOVED, value_first(1, owner->feed.options.store, "gone"));
    house_note(owner, &record);
}

/* A text of so many bytes. */
static void write_long_note(struct house_owner *owner, const char *key, size_t len)
{
    struct kw_record record = note(key);
    char *text = kw_arena_alloc(values_arena(), len + 1);

    memset(text, 'x', len);
    note_set(&record, NOTE_TEXT, value_lww(1, owner->feed.options.store, text));
    house_note(owner, &record);
}

static uint64_t own_seq(struct house_owner *owner)
{
    return house_lane(owner, owner->lane).point.seq;
}

/* All that `from` has of its own lane. */
static void carry(struct house_owner *to, struct house_owner *from)
{
    struct asking read = {0};

    house_read(from, &read, from->lane, house_lane(to, from->lane).point.seq);
    cr_assert(eq(int, house_verdict(to, BATCH, kw_buf_bytes(&read.record)), VERDICT(NEWS)));
    asking_done(&read);
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
    cr_assert(eq(int, read.read, READ(BATCH)));
    cr_assert(eq(u64, read.seq, house_lane(eu, eu->lane).point.seq));
    house_apply(us, &applied, BATCH, kw_buf_bytes(&read.record));
    cr_assert(eq(int, applied.reason, KW_E_NONE));
    cr_assert(eq(int, applied.verdict, VERDICT(NEWS)));
    cr_assert(kw_id_equal(applied.lane, eu->lane));
    cr_assert(eq(u64, applied.seq, read.seq));
    cr_assert(eq(u64, house_lane(us, eu->lane).point.seq, read.seq));
    cr_assert(eq(i64, house_number(us, "SELECT count(*) FROM notes"), 1));
    asking_done(&read);
    asking_done(&applied);
}

/* --- telling --- */

Test(feed_service, a_change_is_told_when_it_is_durable_and_not_with_the_next_beat)
{
    struct listening listening = {0};
    uint64_t seq;

    no_beats = true;
    house_listen(eu, &listening);
    HOUSE_EVENTUALLY(&house, house_told(&listening, eu->lane)->seq > 0);
    seq = house_told(&listening, eu->lane)->seq;
    for (unsigned i = 0; i < 5; i++) {
        char key[8];

        (void)snprintf(key, sizeof(key), "n%u", i);
        write_note(eu, key, "x");
        HOUSE_EVENTUALLY(&house, house_told(&listening, eu->lane)->seq == seq + i + 1);
    }
    house_hang_up(&listening);
}

Test(feed_service, what_was_applied_is_told_with_where_it_is_from)
{
    struct listening listening = {0};

    no_beats = true;
    house_introduce(&house);
    house_listen(us, &listening);
    HOUSE_EVENTUALLY(&house, house_told(&listening, us->lane)->seq > 0);
    cr_assert(eq(u64, house_told(&listening, eu->lane)->seq, 0));
    write_note(eu, "n", "x");
    carry(us, eu);
    HOUSE_EVENTUALLY(&house, house_told(&listening, eu->lane)->seq == own_seq(eu));
    cr_assert(eq(str, (char *)house_told(&listening, eu->lane)->region, "eu"));
    cr_assert(eq(str, (char *)house_told(&listening, us->lane)->region, "us"));
    house_hang_up(&listening);
}

Test(feed_service, our_promise_is_sealed_while_somebody_listens)
{
    struct listening listening = {0};
    uint64_t closed;

    cr_assert(eq(uint, beats, 0));
    house_listen(eu, &listening);
    HOUSE_EVENTUALLY(&house, house_told(&listening, eu->lane)->seq > 0);
    closed = house_told(&listening, eu->lane)->closed;
    HOUSE_EVENTUALLY(&house, house_told(&listening, eu->lane)->closed > closed);
    house_hang_up(&listening);
    HOUSE_EVENTUALLY(&house, eu->service->subscription == NULL);
    cr_assert(not(uv_is_active((const uv_handle_t *)&eu->service->beat.uv)));
}

Test(feed_service, a_lane_whose_place_is_not_known_is_told_once_it_is)
{
    struct lane_owner origin = lane_owner_new(2);
    struct listening listening = {0};
    struct kw_record placed = lane_row_with(&origin, KW_STORE_FIELD_PLACE, kw_bytes_str("ap/b"));
    struct kw_id lane;

    MUST(kw_lane_id(&origin.lane, &lane, err));
    house_put_store(eu, &origin.row);
    house_listen(eu, &listening);
    cr_assert(eq(int, house_verdict(eu, BATCH, lane_batch_bytes(&origin, 0, 2)), VERDICT(NEWS)));
    HOUSE_EVENTUALLY(&house, house_told(&listening, eu->lane)->seq > 0);
    cr_assert(eq(u64, house_told(&listening, lane)->seq, 0));
    house_put_store(eu, &placed);
    HOUSE_EVENTUALLY(&house, house_told(&listening, lane)->seq == 2);
    cr_assert(eq(str, (char *)house_told(&listening, lane)->region, "ap"));
    cr_assert(eq(str, (char *)house_told(&listening, lane)->cell, "b"));
    house_hang_up(&listening);
}

/* --- urgent --- */

Test(feed_service, what_disables_is_told_at_once_and_again_to_who_comes_later)
{
    struct listening listening = {0};
    struct kw_urgent urgent;

    no_beats = true;
    house_listen(eu, &listening);
    HOUSE_EVENTUALLY(&house, house_told(&listening, eu->lane)->seq > 0);
    write_note(eu, "n", "x");
    remove_note(eu, "n");
    HOUSE_EVENTUALLY(&house, listening.urgents == 1);
    cr_assert(kw_ok(kw_urgent_decode(kw_buf_bytes(&listening.urgent), &urgent, NULL)));
    cr_assert(eq(u64, urgent.point.seq, own_seq(eu)));
    house_hang_up(&listening);
    for (unsigned i = 0; i < 2 * KW_FEED_TOLD_URGENTS; i++) {
        char key[8];

        (void)snprintf(key, sizeof(key), "m%u", i);
        remove_note(eu, key);
    }
    listening = (struct listening){0};
    house_listen(eu, &listening);
    HOUSE_EVENTUALLY(&house, listening.urgents == 1 + 2 * KW_FEED_TOLD_URGENTS);
    house_hang_up(&listening);
}

Test(feed_service, anothers_urgent_change_is_told_to_who_comes_later_until_its_lane_is_here)
{
    struct lane_owner origin = lane_owner_new(5);
    struct listening listening = {0};

    house_put_store(eu, &origin.row);
    cr_assert(eq(int, house_verdict(eu, URGENT, lane_urgent_bytes(&origin, 4)), VERDICT(NEWS)));
    house_listen(eu, &listening);
    HOUSE_EVENTUALLY(&house, listening.urgents == 0 && listening.lane_count > 0);
    house_hang_up(&listening);
    cr_assert(eq(int, house_verdict(eu, BATCH, lane_batch_bytes(&origin, 0, 2)), VERDICT(NEWS)));
    listening = (struct listening){0};
    house_listen(eu, &listening);
    HOUSE_EVENTUALLY(&house, listening.urgents == 1);
    house_hang_up(&listening);
}

/* --- reading and applying --- */

Test(feed_service, a_batch_of_almost_a_mebibyte_travels_in_pieces)
{
    struct asking read = {0};
    struct asking applied = {0};
    uint64_t before;

    house_introduce(&house);
    before = own_seq(eu);
    write_long_note(eu, "first", KW_BATCH_LEN_SOFT - 1024);
    write_long_note(eu, "second", KW_RECORD_VALUE_LEN_MAX - 1024);
    house_read(eu, &read, eu->lane, before);
    cr_assert(eq(u64, read.seq, before + 2));
    cr_assert(lt(sz, 3 * KW_FEED_PIECE_LEN_MAX, read.record.len));
    cr_assert(eq(uint, read.items, 4));
    cr_assert(le(sz, read.largest, KW_BODY_LEN_MAX));
    house_read(eu, &applied, eu->lane, 0);
    cr_assert(eq(int, house_verdict(us, BATCH, kw_buf_bytes(&applied.record)), VERDICT(NEWS)));
    asking_done(&applied);
    applied = (struct asking){0};
    house_apply(us, &applied, BATCH, kw_buf_bytes(&read.record));
    cr_assert(ne(int, applied.verdict, VERDICT(GAP)));
    cr_assert(eq(u64, own_seq(eu), house_lane(us, eu->lane).point.seq));
    asking_done(&read);
    asking_done(&applied);
}

Test(feed_service, nothing_new_is_a_heartbeat_that_is_good)
{
    struct listening listening = {0};
    struct asking read = {0};
    uint64_t closed;

    house_introduce(&house);
    carry(us, eu);
    house_listen(eu, &listening);
    HOUSE_EVENTUALLY(&house, house_told(&listening, eu->lane)->closed > 0);
    house_read(eu, &read, eu->lane, own_seq(eu));
    cr_assert(eq(int, read.read, READ(HEARTBEAT)));
    cr_assert(eq(u64, read.seq, own_seq(eu)));
    closed = house_lane(us, eu->lane).closed;
    cr_assert(lt(u64, closed, read.closed));
    cr_assert(eq(int, house_verdict(us, BATCH, kw_buf_bytes(&read.record)), VERDICT(KNOWN)));
    cr_assert(eq(u64, house_lane(us, eu->lane).closed, read.closed));
    asking_done(&read);
    house_hang_up(&listening);
}

Test(feed_service, of_a_lane_that_nobody_knows_there_is_nothing)
{
    struct asking read = {0};

    house_read(eu, &read, (struct kw_id){{1, 2, 3}}, 0);
    cr_assert(eq(int, read.reason, KW_E_NONE));
    cr_assert(eq(int, read.read, READ(NOTHING)));
    cr_assert(not(read.has_extent));
    cr_assert(eq(sz, read.record.len, 0));
    asking_done(&read);
}

/* --- acknowledging --- */

Test(feed_service, what_all_have_acknowledged_is_trimmed_and_who_is_behind_is_told_so)
{
    struct listening listening = {0};
    struct asking read = {0};
    uint64_t seq;

    house_introduce(&house);
    write_note(eu, "n", "x");
    carry(us, eu);
    seq = own_seq(eu);
    house_listen(eu, &listening);
    cr_assert(eq(int, house_ack(eu, us, us->feed.options.store, eu->lane, seq), KW_E_NONE));
    HOUSE_EVENTUALLY(&house, house_told(&listening, eu->lane)->floor == seq);
    house_read(eu, &read, eu->lane, seq - 1);
    cr_assert(eq(int, read.read, READ(TRIMMED)));
    cr_assert(eq(u64, read.seq, seq));
    asking_done(&read);
    house_hang_up(&listening);
}

/* It is looked after what may be deleted, now. */
static void look_after(struct house_owner *owner)
{
    HOUSE_EVENTUALLY(&house, owner->service->chores == 0);
    kw_feed_upkeep_fire(&owner->service->upkeep);
    HOUSE_EVENTUALLY(&house, owner->service->chores == 0);
}

Test(feed_service, what_all_have_acknowledged_is_kept_while_others_may_begin)
{
    struct asking read = {0};
    uint64_t seq;

    eu->service->trims_from_ns = UINT64_MAX;
    house_introduce(&house);
    write_note(eu, "n", "x");
    carry(us, eu);
    seq = own_seq(eu);
    cr_assert(eq(int, house_ack(eu, us, us->feed.options.store, eu->lane, seq), KW_E_NONE));
    cr_expect(lt(i64, 0, kw_metric_value(KW_M_RPC_HANDLED, "ok")));
    cr_expect(eq(i64, kw_metric_value(KW_M_RPC_HANDLED, "internal"), 0));
    look_after(eu);
    house_read(eu, &read, eu->lane, seq - 1);
    cr_expect(eq(int, read.read, READ(BATCH)), "too soon");
    asking_done(&read);
    eu->service->trims_from_ns = 0;
    look_after(eu);
    read = (struct asking){0};
    house_read(eu, &read, eu->lane, seq - 1);
    cr_expect(eq(int, read.read, READ(TRIMMED)), "and then it goes");
    asking_done(&read);
}

/* us is not linked with eu: its replicator tells eu nothing. */
Test(feed_service, who_is_not_linked_acknowledges_in_its_lane)
{
    struct listening here = {0};
    struct listening there = {0};
    uint64_t seq;

    house_introduce(&house);
    write_note(eu, "n", "x");
    carry(us, eu);
    seq = own_seq(eu);
    house_listen(eu, &here);
    house_listen(us, &there);
    HOUSE_EVENTUALLY(&house, here.lane_count > 0 && there.lane_count > 0);
    us->service->holdings_looked_ns = 0;
    look_after(us);
    carry(eu, us);
    eu->service->holdings_looked_ns = 0;
    look_after(eu);
    HOUSE_EVENTUALLY(&house, house_told(&here, eu->lane)->floor == seq);
    seq = own_seq(us);
    us->service->holdings_looked_ns = 0;
    look_after(us);
    cr_expect(eq(u64, own_seq(us), seq), "nothing new");
    cr_expect(lt(i64, 0, kw_metric_value(KW_M_FEED_KEPT, NULL)));
    house_hang_up(&here);
    house_hang_up(&there);
}

Test(feed_service, acknowledgements_that_wait_share_a_job)
{
    struct asking asks[50] = {0};
    struct kw_store_stats before;
    struct kw_store_stats after;
    Keyward__Internal__V1__FeedAckRequest request = KEYWARD__INTERNAL__V1__FEED_ACK_REQUEST__INIT;
    uint8_t bytes[128];
    size_t over = 0;

    request.store = (ProtobufCBinaryData){KW_ID_LEN, us->feed.options.store.bytes};
    request.lane = (ProtobufCBinaryData){KW_ID_LEN, eu->lane.bytes};
    request.seq = 1;
    kw_store_stats(eu->store, &before);
    for (size_t i = 0; i < 50; i++) {
        house_raw_begin(
            eu, &asks[i], KW_METHOD_FEED_ACK,
            KW_BYTES(bytes, keyward__internal__v1__feed_ack_request__pack(&request, bytes)));
    }
    for (size_t i = 0; i < 50; i++) {
        HOUSE_EVENTUALLY(&house, asks[i].call == NULL);
        over += asks[i].reason == KW_E_NONE;
    }
    kw_store_stats(eu->store, &after);
    cr_assert(eq(sz, over, 50));
    cr_assert(lt(u64, after.writes - before.writes, 25));
}

/* --- a disk that changes what is stored --- */

static struct kw_result run_damage(struct house_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;

    KW_TRY(kw_sql(tx, "UPDATE feed_changes SET hlc = hlc + 1 WHERE urgent = 1", &stmt, err));
    return kw_exec(stmt, job->out, err);
}

Test(feed_service, a_damaged_urgent_change_is_not_told_and_lanes_are)
{
    struct listening listening = {0};
    int64_t changed = 0;

    remove_note(eu, "n");
    cr_assert(kw_ok(house_write_job(eu, run_damage, NULL, &changed)));
    cr_assert(eq(i64, changed, 1));
    house_listen(eu, &listening);
    HOUSE_EVENTUALLY(&house, house_told(&listening, eu->lane)->seq == own_seq(eu));
    write_note(eu, "m", "x");
    HOUSE_EVENTUALLY(&house, house_told(&listening, eu->lane)->seq == own_seq(eu));
    cr_assert(eq(uint, listening.urgents, 0));
    house_hang_up(&listening);
}
