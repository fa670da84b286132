/* A replicator that is wrong, slow, or not ours: what it can't do to an owner. */
#include "common/feed_service/feed_service_internal.h"
#include "tests/support/faults.h"
#include "tests/support/feed_service_fixture.h"
#include "tests/support/must.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define BATCH      KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_BATCH
#define URGENT     KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_URGENT
#define NO_KIND    KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_UNSPECIFIED
#define VERDICT(v) KEYWARD__INTERNAL__V1__FEED_VERDICT__FEED_VERDICT_##v

static struct feed_house house;
static struct house_owner *owner;
static struct lane_owner origin;
static struct kw_id lane; /* its */
static uint8_t filler[KW_FEED_PIECE_LEN_MAX];
static bool store_is_full;

struct kw_result __real_kw_store_room(struct kw_store *store, struct kw_error *err);
struct kw_result __wrap_kw_store_room(struct kw_store *store, struct kw_error *err);

struct kw_result __wrap_kw_store_room(struct kw_store *store, struct kw_error *err)
{
    KW_ENSURE(!store_is_full, err, STORE_FULL, "as the test has it");
    return __real_kw_store_room(store, err);
}

static void set_up(void)
{
    house_init(&house, 1);
    owner = &house.owners[0];
    origin = lane_owner_new(5);
    house_put_store(owner, &origin.row);
    MUST(kw_lane_id(&origin.lane, &lane, err));
}

static void tear_down(void)
{
    house_done(&house);
}

TestSuite(feed_service_abuse, .init = set_up, .fini = tear_down, .timeout = 60);

/* --- who may connect --- */

static void cannot_connect_as(const char *service)
{
    char credentials[128];

    (void)snprintf(credentials, sizeof(credentials), "%s/%s", owner->dir, service);
    house_certify(owner, credentials, service);
    house_disconnect(owner);
    house_connect(owner, credentials);
    HOUSE_EVENTUALLY(&house, kw_hop_client_stats(owner->client).failed_connects > 0);
    cr_assert(not(kw_hop_client_connected(owner->client)), "%s", service);
}

Test(feed_service_abuse, no_other_service_of_the_cell_may_connect)
{
    cannot_connect_as("gateway");
    cannot_connect_as("authz");
    cannot_connect_as("orchestrator");
}

Test(feed_service_abuse, nor_another_cells_replicator)
{
    struct house_owner other = *owner;
    char credentials[128];

    MUST(kw_spiffe_service("test", "eu", "b", "authz", &other.self, err));
    (void)snprintf(credentials, sizeof(credentials), "%s/other", owner->dir);
    house_certify(&other, credentials, "replicator");
    house_disconnect(owner);
    house_connect(owner, credentials);
    HOUSE_EVENTUALLY(&house, kw_hop_client_stats(owner->client).failed_connects > 0);
    cr_assert(not(kw_hop_client_connected(owner->client)));
}

/* --- what it may ask --- */

Test(feed_service_abuse, what_is_no_request_is_refused_and_nothing_ends)
{
    static const uint8_t short_id[] = {0x0a, 3, 1, 2, 3};
    static const uint8_t garbage[] = {0xff, 0xff, 0xff};
    static const struct {
        uint32_t method;
        struct kw_bytes request;
        enum kw_reason reason;
    } asked[] = {
        {KW_METHOD_FEED_READ, {garbage, 3}, KW_E_ENCODING_INVALID},
        {KW_METHOD_FEED_READ, {short_id, 5}, KW_E_ARGUMENT_INVALID},
        {KW_METHOD_FEED_READ, {NULL, 0}, KW_E_ENCODING_INVALID},
        {KW_METHOD_FEED_ACK, {garbage, 3}, KW_E_ENCODING_INVALID},
        {KW_METHOD_FEED_ACK, {short_id, 5}, KW_E_ARGUMENT_INVALID},
        {KW_METHOD_FEED_ACK, {NULL, 0}, KW_E_ENCODING_INVALID},
        {KW_METHOD_FEED_APPLY, {garbage, 3}, KW_E_ENCODING_INVALID},
        {KW_METHOD_FEED_APPLY, {NULL, 0}, KW_E_ARGUMENT_INVALID},
        {KW_METHOD_LINK, {garbage, 3}, KW_E_PERMISSION_DENIED},
        {KW_METHOD_RENEW_SERVICE, {garbage, 3}, KW_E_PERMISSION_DENIED},
    };

    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        cr_assert(eq(int, house_raw(owner, asked[i].method, asked[i].request), asked[i].reason),
                  "request %zu", i);
    }
    cr_assert(eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&origin, 0, 1)), VERDICT(NEWS)));
}

static enum kw_reason pieces_of(Keyward__Internal__V1__FeedRecord first,
                                Keyward__Internal__V1__FeedRecord second)
{
    struct asking asking = {0};

    house_apply_begin(owner, &asking);
    (void)house_apply_piece(&asking, first, KW_BYTES(filler, 10));
    (void)house_apply_piece(&asking, second, KW_BYTES(filler, 10));
    kw_hop_end(asking.call);
    HOUSE_EVENTUALLY(&house, asking.call == NULL);
    return asking.reason;
}

Test(feed_service_abuse, the_first_piece_says_what_it_is_and_no_other)
{
    cr_assert(eq(int, pieces_of(NO_KIND, NO_KIND), KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, pieces_of(BATCH, BATCH), KW_E_ARGUMENT_INVALID));
    cr_assert(
        eq(int, pieces_of((Keyward__Internal__V1__FeedRecord)9, NO_KIND), KW_E_ARGUMENT_INVALID));
    cr_assert(eq(int, pieces_of(BATCH, NO_KIND), KW_E_NONE));
}

Test(feed_service_abuse, a_record_ends_at_its_limit)
{
    struct asking asking = {0};

    house_apply_begin(owner, &asking);
    for (unsigned i = 0; asking.call != NULL; i++) {
        cr_assert(lt(uint, i, 1000));
        if (!house_apply_piece(&asking, i == 0 ? BATCH : NO_KIND, KW_BYTES_OF(filler))) {
            HOUSE_EVENTUALLY(&house, asking.writable || asking.call == NULL);
            i -= i == 0 ? 0 : 1;
        }
        hop_turn(&house.hop);
    }
    cr_assert(eq(int, asking.reason, KW_E_BODY_TOO_LARGE));
    cr_assert(eq(sz, owner->service->applyings_len, 0));
}

/* --- what was begun --- */

Test(feed_service_abuse, half_a_record_and_a_lost_stream_leave_nothing)
{
    struct kw_bytes batch = lane_batch_bytes(&origin, 0, 5);
    struct asking asking = {0};

    house_apply_begin(owner, &asking);
    cr_assert(house_apply_piece(&asking, BATCH, KW_BYTES(batch.data, batch.len / 2)));
    HOUSE_EVENTUALLY(&house, owner->service->applyings_len == batch.len / 2);
    house_disconnect(owner);
    HOUSE_EVENTUALLY(&house, owner->service->applyings_len == 0);
    cr_assert(eq(u64, house_lane(owner, lane).point.seq, 0));
    house_connect(owner, owner->replicator);
    HOUSE_EVENTUALLY(&house, kw_hop_client_connected(owner->client));
    cr_assert(eq(int, house_verdict(owner, BATCH, batch), VERDICT(NEWS)));
}

Test(feed_service_abuse, a_record_that_is_whole_is_judged_though_nobody_waits)
{
    struct asking asking = {0};

    house_apply_begin(owner, &asking);
    cr_assert(house_apply_piece(&asking, BATCH, lane_batch_bytes(&origin, 0, 5)));
    kw_hop_end(asking.call);
    kw_hop_cancel(asking.call); /* which comes behind the end */
    HOUSE_EVENTUALLY(&house, house_lane(owner, lane).point.seq == 5);
    cr_assert(
        eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&origin, 0, 5)), VERDICT(KNOWN)));
}

/* Its stream is cancelled, too, but what is sent before that arrives is still served. */
Test(feed_service_abuse, a_record_that_ends_while_the_service_closes_is_no_success)
{
    struct kw_bytes batch = lane_batch_bytes(&origin, 0, 5);
    struct asking asking = {0};

    house_apply_begin(owner, &asking);
    cr_assert(house_apply_piece(&asking, BATCH, batch));
    HOUSE_EVENTUALLY(&house, owner->service->applyings_len == batch.len);
    owner->service->closing = true;
    kw_hop_end(asking.call);
    HOUSE_EVENTUALLY(&house, asking.call == NULL);
    owner->service->closing = false;
    cr_assert(eq(int, asking.reason, KW_E_DRAINING));
    cr_assert(eq(sz, owner->service->applyings_len, 0));
    cr_assert(eq(u64, house_lane(owner, lane).point.seq, 0));
    asking_done(&asking);
}

/* --- memory --- */

/* Calls that bring almost a whole record, and do not end it. */
static void hoard(struct asking *askings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        house_apply_begin(owner, &askings[i]);
    }
    for (size_t piece = 0; piece < 3; piece++) {
        for (size_t i = 0; i < count; i++) {
            if (askings[i].call == NULL) {
                continue;
            }
            while (!house_apply_piece(&askings[i], piece == 0 ? BATCH : NO_KIND,
                                      KW_BYTES_OF(filler))) {
                HOUSE_EVENTUALLY(&house, askings[i].writable || askings[i].call == NULL);
            }
        }
        hop_turn(&house.hop);
    }
}

static size_t refused(const struct asking *askings, size_t count)
{
    size_t over = 0;

    for (size_t i = 0; i < count; i++) {
        over += askings[i].call == NULL && askings[i].reason == KW_E_LIMIT_REACHED;
    }
    return over;
}

Test(feed_service_abuse, what_is_brought_and_not_judged_is_bounded)
{
    static struct asking askings[KW_FEED_APPLIES_LEN_MAX / (3 * KW_FEED_PIECE_LEN_MAX) + 10];
    const size_t count = sizeof(askings) / sizeof(askings[0]);

    hoard(askings, count);
    HOUSE_EVENTUALLY(&house, refused(askings, count) >= 5);
    cr_assert(le(sz, owner->service->applyings_len, KW_FEED_APPLIES_LEN_MAX));
    for (size_t i = 0; i < count; i++) {
        if (askings[i].call != NULL) {
            kw_hop_cancel(askings[i].call);
        }
    }
    HOUSE_EVENTUALLY(&house, owner->service->applyings_len == 0);
    cr_assert(eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&origin, 0, 1)), VERDICT(NEWS)));
}

static void write_long_note(const char *key, size_t len)
{
    struct kw_record record = note(key);
    char *text = kw_arena_alloc(values_arena(), len + 1);

    memset(text, 'x', len);
    note_set(&record, NOTE_TEXT, value_lww(1, owner->feed.options.store, text));
    house_note(owner, &record);
}

Test(feed_service_abuse, batches_that_nobody_takes_are_bounded_and_others_wait)
{
    static struct asking deaf[KW_FEED_READS_MAX];
    struct asking waits = {0};
    uint64_t before = house_lane(owner, owner->lane).point.seq;

    /* More than the credit of a call, and one item. */
    write_long_note("first", KW_BATCH_LEN_SOFT - 1024);
    write_long_note("second", KW_RECORD_VALUE_LEN_MAX - 1024);
    for (size_t i = 0; i < KW_FEED_READS_MAX; i++) {
        deaf[i].deaf = true;
        house_read_begin(owner, &deaf[i], owner->lane, before);
    }
    for (size_t i = 0; i < KW_FEED_READS_MAX; i++) {
        HOUSE_EVENTUALLY(&house, deaf[i].items > 0);
    }
    house_read_begin(owner, &waits, owner->lane, 0);
    cr_assert(eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&origin, 0, 1)), VERDICT(NEWS)));
    cr_assert(eq(sz, owner->service->readings_running, KW_FEED_READS_MAX));
    cr_assert(eq(uint, waits.items, 0));
    kw_hop_cancel(deaf[7].call);
    HOUSE_EVENTUALLY(&house, waits.call == NULL);
    cr_assert(eq(int, waits.reason, KW_E_NONE));
    house_disconnect(owner);
    HOUSE_EVENTUALLY(&house, owner->service->readings_running == 0);
    for (size_t i = 0; i < KW_FEED_READS_MAX; i++) {
        asking_done(&deaf[i]);
    }
    asking_done(&waits);
}

/* An urgent change of 15 KiB. */
static void remove_long_note(unsigned number)
{
    size_t len = 15U * 1024U;
    char *text = kw_arena_alloc(values_arena(), len + 1);
    char key[8];
    struct kw_record record;

    (void)snprintf(key, sizeof(key), "r%u", number);
    record = note(key);
    memset(text, 'x', len);
    note_set(&record, NOTE_TEXT, value_lww(1, owner->feed.options.store, text));
    note_set(&record, NOTE_REMOVED, value_first(1, owner->feed.options.store, "gone"));
    house_note(owner, &record);
}

Test(feed_service_abuse, a_subscriber_that_takes_nothing_costs_one_look)
{
    struct listening listening = {.deaf = true};
    unsigned messages;

    house_listen(owner, &listening);
    for (unsigned i = 0; i < 48; i++) { /* the credit of a call is 512 KiB */
        remove_long_note(i);
    }
    HOUSE_EVENTUALLY(&house, listening.urgents >= 32);
    messages = listening.messages;
    cr_assert(eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&origin, 0, 1)), VERDICT(NEWS)));
    cr_assert(le(uint, listening.urgents, 40));
    cr_assert(le(uint, listening.messages, messages + 2));
    kw_hop_consume(listening.call, 512 * 1024);
    HOUSE_EVENTUALLY(&house, listening.urgents == 48);
    house_hang_up(&listening);
}

/* --- a store that has no room, or fails --- */

Test(feed_service_abuse, a_full_store_takes_only_what_disables)
{
    store_is_full = true;
    {
        struct asking asking = {0};

        house_apply(owner, &asking, BATCH, lane_batch_bytes(&origin, 0, 1));
        cr_assert(eq(int, asking.reason, KW_E_STORE_FULL));
        asking_done(&asking);
    }
    cr_assert(eq(int, house_ack(owner, owner, origin.lane.store, owner->lane, 1), KW_E_STORE_FULL));
    cr_assert(eq(int, house_verdict(owner, URGENT, lane_urgent_bytes(&origin, 4)), VERDICT(NEWS)));
    store_is_full = false;
    cr_assert(eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&origin, 0, 1)), VERDICT(NEWS)));
}

#ifdef KW_FAULTS_PLANTED
/* --- every place fails once --- */

/* All that a replicator does. What failed is done again. */
static void go_round(void)
{
    struct listening listening = {0};
    struct asking asking;

    house_listen(owner, &listening);
    do {
        asking = (struct asking){0};
        house_read(owner, &asking, owner->lane, 0);
        asking_done(&asking);
    } while (asking.reason != KW_E_NONE);
    do {
        asking = (struct asking){0};
        house_apply(owner, &asking, BATCH, lane_batch_bytes(&origin, 0, 5));
        asking_done(&asking);
    } while (asking.reason != KW_E_NONE);
    do {
        asking = (struct asking){0};
        house_apply(owner, &asking, URGENT, lane_urgent_bytes(&origin, 4));
        asking_done(&asking);
    } while (asking.reason != KW_E_NONE);
    while (house_ack(owner, owner, origin.lane.store, owner->lane, 1) != KW_E_NONE) {
    }
    while (listening.call != NULL && house_told(&listening, owner->lane)->seq == 0) {
        hop_turn(&house.hop);
    }
    house_hang_up(&listening);
}

Test(feed_service_abuse, every_place_fails_once_and_is_made_up_for, .timeout = 120)
{
    unsigned rounds = 0;
    bool fired = true;

    while (fired) {
        faults_arm_at("common/feed_service/");
        go_round();
        fired = faults_disarm();
        rounds += fired;
    }
    cr_assert(lt(uint, 15, rounds), "%u places have failed", rounds);
    cr_assert(eq(sz, owner->service->applyings_len, 0));
    cr_assert(eq(u64, house_lane(owner, lane).point.seq, 5));
}
#endif
