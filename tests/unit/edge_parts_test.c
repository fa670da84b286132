/* The edge's pure parts: what is decided without a socket. */
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "services/gateway/edge/address.h"
#include "services/gateway/edge/budget.h"
#include "services/gateway/edge/fields.h"
#include "services/gateway/edge/grpc_message.h"
#include "services/gateway/edge/metadata.h"
#include "services/gateway/edge/timeout.h"
#include "services/gateway/edge/timers.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* --- grpc-timeout --- */

static bool timeout_is(const char *text, uint64_t ns)
{
    uint64_t got = 1;

    return kw_ok(kw_edge_timeout_parse(kw_bytes_str(text), &got, NULL)) && got == ns;
}

static bool timeout_refused(const char *text)
{
    uint64_t untouched = 77;

    return kw_edge_timeout_parse(kw_bytes_str(text), &untouched, NULL).reason ==
           KW_E_METADATA_INVALID;
}

Test(edge_timeout, reads_every_unit)
{
    cr_assert(timeout_is("1H", 3600U * KW_NS_PER_S));
    cr_assert(timeout_is("2M", 120U * KW_NS_PER_S));
    cr_assert(timeout_is("3S", 3U * KW_NS_PER_S));
    cr_assert(timeout_is("4m", 4000000));
    cr_assert(timeout_is("5u", 5000));
    cr_assert(timeout_is("6n", 6));
    cr_assert(timeout_is("0S", 0));
    cr_assert(timeout_is("00000001n", 1));
}

Test(edge_timeout, holds_what_no_clock_can_say)
{
    cr_assert(timeout_is("99999999H", UINT64_MAX));
}

Test(edge_timeout, refuses_everything_else)
{
    static const char *const wrong[] = {"",    "S",   "1",    "1s",   "1 S",        " 1S", "1S ",
                                        "-1S", "+1S", "1.5S", "0x1S", "123456789S", "1SS", "m1"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_expect(timeout_refused(wrong[i]), "%s", wrong[i]);
    }
}

/* --- metadata values --- */

static bool encodes_to(const char *value, const char *text)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};

    return kw_ok(kw_edge_base64_encode(kw_bytes_str(value), &out, NULL)) &&
           kw_bytes_equal(kw_buf_bytes(&out), kw_bytes_str(text));
}

static bool decodes_to(const char *text, const char *value)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};

    return kw_ok(kw_edge_base64_decode(kw_bytes_str(text), &out, NULL)) &&
           kw_bytes_equal(kw_buf_bytes(&out), kw_bytes_str(value));
}

/* RFC 4648 section 10. */
static const char *const base64_vectors[][3] = {
    {"", "", ""},
    {"f", "Zg", "Zg=="},
    {"fo", "Zm8", "Zm8="},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg", "Zm9vYg=="},
    {"fooba", "Zm9vYmE", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
};

Test(edge_base64, encodes_without_padding)
{
    for (size_t i = 0; i < sizeof(base64_vectors) / sizeof(base64_vectors[0]); i++) {
        cr_expect(encodes_to(base64_vectors[i][0], base64_vectors[i][1]));
    }
}

Test(edge_base64, decodes_with_and_without_padding)
{
    for (size_t i = 0; i < sizeof(base64_vectors) / sizeof(base64_vectors[0]); i++) {
        cr_expect(decodes_to(base64_vectors[i][1], base64_vectors[i][0]));
        cr_expect(decodes_to(base64_vectors[i][2], base64_vectors[i][0]));
    }
}

Test(edge_base64, every_byte_comes_back)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf back = {0};
    uint8_t all[256];

    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (uint8_t)i;
    }
    cr_assert(kw_ok(kw_edge_base64_encode(KW_BYTES_OF(all), &text, NULL)));
    cr_assert(kw_ok(kw_edge_base64_decode(kw_buf_bytes(&text), &back, NULL)));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&back), KW_BYTES_OF(all)));
}

Test(edge_base64, refuses_a_second_spelling)
{
    static const char *const wrong[] = {"Z",     "Zh==", "Zm9=", "Zg=",  "Zg===",  "=",     "====",
                                        "Zm9v=", "Z_8",  "Z-8",  "Zm 9", "Zm9v\n", "Zg,Zg", "Zg=g"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
        struct kw_result r = kw_edge_base64_decode(kw_bytes_str(wrong[i]), &out, NULL);

        cr_expect(r.reason == KW_E_METADATA_INVALID, "%s", wrong[i]);
    }
}

Test(edge_percent, encodes_what_is_not_printable)
{
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};

    cr_assert(kw_ok(kw_edge_percent_encode(kw_bytes_str("50% \xc3\xa9\n~"), &out, NULL)));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&out), kw_bytes_str("50%25 %C3%A9%0A~")));
}

Test(edge_names, binary_by_suffix)
{
    cr_assert(kw_edge_name_is_binary("grpc-status-details-bin"));
    cr_assert(not(kw_edge_name_is_binary("grpc-message")));
    cr_assert(not(kw_edge_name_is_binary("-bin")));
    cr_assert(not(kw_edge_name_is_binary("bin")));
}

Test(edge_names, request_ids_are_harmless_to_repeat)
{
    char long_id[KW_EDGE_REQUEST_ID_LEN_MAX + 1];

    memset(long_id, 'a', sizeof(long_id));
    cr_assert(kw_edge_request_id_valid(kw_bytes_str("req_1-a.B")));
    cr_assert(kw_edge_request_id_valid(KW_BYTES(long_id, sizeof(long_id) - 1)));
    cr_assert(not(kw_edge_request_id_valid(KW_BYTES_OF(long_id))));
    cr_assert(not(kw_edge_request_id_valid(KW_BYTES_NONE)));
    cr_assert(not(kw_edge_request_id_valid(kw_bytes_str("a b"))));
    cr_assert(not(kw_edge_request_id_valid(kw_bytes_str("a\"b"))));
}

/* --- addresses --- */

static struct kw_edge_address address_of(const char *text)
{
    struct kw_edge_address address = {0};

    cr_assert(kw_ok(kw_edge_address_parse(text, &address, NULL)), "%s", text);
    return address;
}

Test(edge_address, text_and_back)
{
    static const char *const texts[] = {"127.0.0.1:0", "0.0.0.0:65535", "[::1]:8443",
                                        "[2001:db8::1]:1"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct kw_edge_address address = address_of(texts[i]);
        char text[KW_EDGE_ADDRESS_SIZE];

        kw_edge_address_text(&address, text);
        cr_expect_str_eq(text, texts[i]);
    }
}

Test(edge_address, refuses_what_is_no_address)
{
    static const char *const wrong[] = {"",
                                        ":",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "localhost:1",
                                        "127.0.0.1:x",
                                        "127.0.0.1:65536",
                                        "127.0.0.1:-1",
                                        "::1:80",
                                        "[::1]",
                                        "[::1]80",
                                        "[]:80",
                                        "127.0.0.1: 1",
                                        "[127.0.0.1]:1"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct kw_edge_address address;

        cr_expect(kw_edge_address_parse(wrong[i], &address, NULL).reason == KW_E_CONFIG_INVALID,
                  "%s", wrong[i]);
    }
}

static bool same_source(const char *a, const char *b)
{
    struct kw_edge_address first = address_of(a);
    struct kw_edge_address second = address_of(b);

    return kw_edge_address_same_source(&first, &second);
}

Test(edge_address, a_source_is_an_ipv4_address_or_an_ipv6_64)
{
    cr_assert(same_source("192.0.2.1:1", "192.0.2.1:2"));
    cr_assert(not(same_source("192.0.2.1:1", "192.0.2.2:1")));
    cr_assert(same_source("[2001:db8::1]:1", "[2001:db8::ffff:ffff:ffff:ffff]:1"));
    cr_assert(not(same_source("[2001:db8::1]:1", "[2001:db8:0:1::1]:1")));
    cr_assert(not(same_source("[::1]:1", "127.0.0.1:1")));
}

static bool same_host(const char *a, const char *b)
{
    struct kw_edge_address first = address_of(a);
    struct kw_edge_address second = address_of(b);

    return kw_edge_address_same_host(&first, &second);
}

Test(edge_address, a_host_is_one_address)
{
    cr_assert(same_host("192.0.2.1:1", "192.0.2.1:2"));
    cr_assert(not(same_host("192.0.2.1:1", "192.0.2.2:1")));
    cr_assert(same_host("[2001:db8::1]:1", "[2001:db8::1]:2"));
    cr_assert(not(same_host("[2001:db8::1]:1", "[2001:db8::2]:1")));
    cr_assert(not(same_host("[::1]:1", "127.0.0.1:1")));
}

/* --- header blocks --- */

Test(edge_fields, binary_names_are_encoded)
{
    KW_SCOPED(kw_edge_fields_done) struct kw_edge_fields fields = {0};

    kw_edge_fields_put(&fields, "a", kw_bytes_str("1"));
    kw_edge_fields_put_metadata(&fields, "b-bin", kw_bytes_str("foob"));
    kw_edge_fields_put_percent(&fields, "c", kw_bytes_str("%"));
    cr_assert(not(fields.failed));
    cr_assert(eq(sz, fields.count, 3));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&fields.text), kw_bytes_str("a1b-binZm9vYgc%25")));
    cr_assert(not(fields.field[0].varies));
    cr_assert(fields.field[1].varies);
}

Test(edge_fields, too_many_is_remembered)
{
    KW_SCOPED(kw_edge_fields_done) struct kw_edge_fields fields = {0};

    for (int i = 0; i <= KW_EDGE_FIELDS_MAX; i++) {
        cr_assert(not(fields.failed));
        kw_edge_fields_put(&fields, "a", kw_bytes_str("1"));
    }
    cr_assert(fields.failed);
    cr_assert(eq(sz, fields.count, KW_EDGE_FIELDS_MAX));
}

/* --- framing --- */

static bool next_is(struct kw_edge_inbox *inbox, const char *text)
{
    struct kw_bytes message = KW_BYTES_NONE;
    bool whole = false;

    return kw_ok(kw_edge_inbox_next(inbox, 100, &message, &whole, NULL)) && whole &&
           kw_bytes_equal(message, kw_bytes_str(text));
}

static bool next_waits(struct kw_edge_inbox *inbox)
{
    struct kw_bytes message = KW_BYTES_NONE;
    bool whole = true;

    return kw_ok(kw_edge_inbox_next(inbox, 100, &message, &whole, NULL)) && !whole;
}

Test(edge_inbox, gives_messages_cut_at_any_byte)
{
    KW_SCOPED(kw_buf_done) struct kw_buf wire = {0};

    cr_assert(kw_ok(kw_edge_message_put(&wire, kw_bytes_str("one"), NULL)));
    cr_assert(kw_ok(kw_edge_message_put(&wire, KW_BYTES_NONE, NULL)));
    cr_assert(kw_ok(kw_edge_message_put(&wire, kw_bytes_str("three"), NULL)));
    for (size_t cut = 0; cut <= wire.len; cut++) {
        KW_SCOPED(kw_edge_inbox_done) struct kw_edge_inbox inbox = {0};
        size_t seen = 0;
        struct kw_bytes message;
        bool whole;

        cr_assert(kw_ok(kw_edge_inbox_put(&inbox, KW_BYTES(wire.data, cut), NULL)));
        while (kw_ok(kw_edge_inbox_next(&inbox, 100, &message, &whole, NULL)) && whole) {
            seen++;
        }
        cr_assert(
            kw_ok(kw_edge_inbox_put(&inbox, KW_BYTES(wire.data + cut, wire.len - cut), NULL)));
        cr_expect(seen > 0 || next_is(&inbox, "one"));
        cr_expect(seen > 1 || next_is(&inbox, ""));
        cr_expect(seen > 2 || next_is(&inbox, "three"));
        cr_expect(next_waits(&inbox));
        cr_expect(eq(sz, kw_edge_inbox_held(&inbox), 0));
    }
}

Test(edge_inbox, refuses_too_large_before_the_message_is_there)
{
    static const uint8_t prefix[] = {0, 0, 0, 0, 101};
    KW_SCOPED(kw_edge_inbox_done) struct kw_edge_inbox inbox = {0};
    struct kw_bytes message;
    bool whole;

    cr_assert(kw_ok(kw_edge_inbox_put(&inbox, KW_BYTES_OF(prefix), NULL)));
    cr_assert(kw_edge_inbox_next(&inbox, 100, &message, &whole, NULL).reason ==
              KW_E_BODY_TOO_LARGE);
}

Test(edge_inbox, refuses_the_compressed_flag)
{
    static const uint8_t prefix[] = {1, 0, 0, 0, 1};
    KW_SCOPED(kw_edge_inbox_done) struct kw_edge_inbox inbox = {0};
    struct kw_bytes message;
    bool whole;

    cr_assert(kw_ok(kw_edge_inbox_put(&inbox, KW_BYTES_OF(prefix), NULL)));
    cr_assert(kw_edge_inbox_next(&inbox, 100, &message, &whole, NULL).reason ==
              KW_E_COMPRESSION_UNSUPPORTED);
}

/* --- waste budget --- */

Test(edge_budget, cuts_a_peer_that_moves_nothing)
{
    struct kw_edge_budget budget;
    size_t taken = 0;

    kw_edge_budget_init(&budget, 1000, 0);
    while (kw_edge_budget_charge(&budget, 9, 0)) {
        taken += 9;
    }
    cr_assert(eq(sz, taken, 999));
}

Test(edge_budget, lets_a_working_peer_go_on_for_ever)
{
    struct kw_edge_budget budget;

    kw_edge_budget_init(&budget, 65536, 0);
    for (int call = 0; call < 100000; call++) {
        /* HEADERS, DATA of 256 bytes, two WINDOW_UPDATEs: what gRPC C core sends for a call */
        cr_assert(kw_edge_budget_charge(&budget, 60 + 270 + 26, 0));
        kw_edge_budget_refund(&budget, 60);
        kw_edge_budget_refund(&budget, 270);
    }
}

Test(edge_budget, refund_never_exceeds_the_budget)
{
    struct kw_edge_budget budget;

    kw_edge_budget_init(&budget, 1000, 0);
    for (int i = 0; i < 100; i++) {
        kw_edge_budget_refund(&budget, 1000);
    }
    cr_assert(eq(i64, budget.left, 1000));
    cr_assert(not(kw_edge_budget_charge(&budget, 1001, 0)));
}

Test(edge_budget, forgives_what_was_in_flight_but_no_more_than_a_window)
{
    struct kw_edge_budget budget;

    kw_edge_budget_init(&budget, 1000, 0);
    kw_edge_budget_forgive(&budget, 500000);
    cr_assert(kw_edge_budget_charge(&budget, 500000, 0));
    cr_assert(eq(i64, budget.left, 1000));
    for (int i = 0; i < 100; i++) {
        kw_edge_budget_forgive(&budget, 500000);
    }
    kw_edge_budget_refund(&budget, 1);
    cr_assert(eq(i64, budget.left, 1000 + KW_EDGE_CONNECTION_WINDOW));
}

Test(edge_budget, calls_made_to_be_reset_use_it_up)
{
    struct kw_edge_budget budget;
    int calls = 0;

    kw_edge_budget_init(&budget, 65536, 0);
    while (kw_edge_budget_charge(&budget, 80, 0) && calls < 1000) {
        kw_edge_budget_refund(&budget, 60);
        kw_edge_budget_punish(&budget);
        calls++;
    }
    cr_assert(lt(int, calls, 30));
}

Test(edge_budget, time_pays_for_keepalive)
{
    struct kw_edge_budget budget;
    uint64_t now_ns = 0;

    kw_edge_budget_init(&budget, 1000, now_ns);
    for (int ping = 0; ping < 10000; ping++) {
        now_ns += KW_NS_PER_S / 2;
        cr_assert(kw_edge_budget_charge(&budget, 17, now_ns));
    }
}

/* --- timers --- */

#define TIMER_COUNT 500

struct alarm {
    struct kw_edge_timer timer;
    int fired;
};

static uint64_t last_due_ns;
static struct kw_edge_timers timers;

static void note_firing(struct kw_edge_timer *timer)
{
    cr_assert(ge(u64, timer->due_ns, last_due_ns));
    last_due_ns = timer->due_ns;
    ((struct alarm *)timer)->fired++;
}

static void set_again_for_now(struct kw_edge_timer *timer)
{
    ((struct alarm *)timer)->fired++;
    kw_edge_timers_set(&timers, timer, timer->due_ns);
}

Test(edge_timers, fire_in_order_and_once)
{
    static struct alarm alarms[TIMER_COUNT];

    for (size_t i = 0; i < TIMER_COUNT; i++) {
        cr_assert(kw_ok(kw_edge_timers_add(&timers, &alarms[i].timer, note_firing, NULL)));
        kw_edge_timers_set(&timers, &alarms[i].timer, (i * 7919) % 1000);
    }
    for (size_t i = 0; i < TIMER_COUNT; i += 3) {
        kw_edge_timers_set(&timers, &alarms[i].timer, (i * 104729) % 2000); /* moved */
    }
    for (size_t i = 1; i < TIMER_COUNT; i += 5) {
        kw_edge_timers_remove(&timers, &alarms[i].timer);
    }
    kw_edge_timers_run(&timers, 500);
    cr_assert(lt(u64, 500, kw_edge_timers_next(&timers)));
    kw_edge_timers_run(&timers, 2000);
    for (size_t i = 0; i < TIMER_COUNT; i++) {
        cr_expect(eq(int, alarms[i].fired, i % 5 == 1 ? 0 : 1));
    }
    cr_assert(eq(u64, kw_edge_timers_next(&timers), UINT64_MAX));
    kw_edge_timers_done(&timers);
}

Test(edge_timers, one_that_sets_itself_for_now_does_not_hold_the_loop)
{
    struct alarm alarm = {0};

    cr_assert(kw_ok(kw_edge_timers_add(&timers, &alarm.timer, set_again_for_now, NULL)));
    kw_edge_timers_set(&timers, &alarm.timer, 10);
    kw_edge_timers_run(&timers, 10);
    cr_assert(eq(int, alarm.fired, 1));
    kw_edge_timers_remove(&timers, &alarm.timer);
    kw_edge_timers_done(&timers);
}

Test(edge_timers, removing_one_never_added_is_harmless)
{
    struct kw_edge_timer timer = {0};

    kw_edge_timers_remove(&timers, &timer);
    cr_assert(eq(sz, timers.added, 0));
}
