/* Records of an open session: doses out, acknowledgements in. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "tests/unit/pen_test_support.h"

static struct kw_pen_device device;
static struct kw_pen_session session;
static const struct kw_pen_dose any_dose = {1767225600, 200, KW_PEN_DOSE_INJECTED, 0, 1};

static void open_session(void)
{
    device = pen_device(pen_handshake(0));
    pen_session_open(&session, &device, pen_handshake(0));
}

static const json_t *doses(void)
{
    return json_object_get(pen_vectors("pen.json"), "doses");
}

static struct kw_pen_dose dose_at(size_t index)
{
    const json_t *v = json_array_get(doses(), index);

    return (struct kw_pen_dose){
        .time_s = pen_number(v, "time_s"),
        .units_x100 = (uint16_t)pen_number(v, "units_x100"),
        .type = (uint8_t)pen_number(v, "type"),
        .flags = (uint8_t)pen_number(v, "flags"),
        .number = pen_number(v, "number"),
    };
}

static void send_doses(size_t count)
{
    uint8_t record[KW_PEN_DOSE_RECORD_SIZE];

    for (size_t i = 0; i < count; i++) {
        cr_assert(eq(int, kw_pen_dose_seal(&session, &any_dose, record), KW_PEN_OK));
    }
}

static const json_t *acks(void)
{
    return json_object_get(pen_vectors("pen.json"), "acks");
}

static struct pen_bytes good_ack(size_t index)
{
    return pen_hex(json_array_get(json_object_get(acks(), "good"), index), "record");
}

static struct pen_bytes bad_ack(const char *name)
{
    return pen_hex(json_object_get(acks(), name), "record");
}

/* Offers `record` and expects `want` and a session in which nothing has changed. */
static void assert_ack_refused(const uint8_t *record, size_t size, enum kw_pen_result want)
{
    struct kw_pen_session before = session;
    uint32_t last = 99;

    cr_assert(eq(int, kw_pen_ack_open(&session, record, size, &last), want));
    cr_assert(eq(u32, last, 99));
    cr_assert(eq(int, memcmp(&session, &before, sizeof(before)), 0));
}

static void accept_ack(struct pen_bytes ack, uint32_t want)
{
    uint32_t last = 0;

    cr_assert(eq(int, kw_pen_ack_open(&session, ack.data, ack.size, &last), KW_PEN_OK));
    cr_assert(eq(u32, last, want));
}

TestSuite(pen_dose, .init = open_session);
TestSuite(pen_ack, .init = open_session);

Test(pen_dose, seals_the_known_records_in_sequence)
{
    cr_assert(lt(sz, 0, json_array_size(doses())));
    for (size_t i = 0; i < json_array_size(doses()); i++) {
        struct kw_pen_dose dose = dose_at(i);
        uint8_t record[KW_PEN_DOSE_RECORD_SIZE];

        cr_assert(eq(int, kw_pen_dose_seal(&session, &dose, record), KW_PEN_OK));
        pen_assert_bytes(record, pen_hex(json_array_get(doses(), i), "record"));
    }
}

Test(pen_dose, is_not_sealed_before_m3_nor_after_close)
{
    struct kw_pen_session early = {0};
    struct kw_pen_device pen = pen_device(pen_handshake(0));
    uint8_t record[KW_PEN_DOSE_RECORD_SIZE];

    cr_assert(eq(int, kw_pen_dose_seal(&early, &any_dose, record), KW_PEN_E_STATE));
    pen_session_await(&early, &pen, pen_handshake(0));
    cr_assert(eq(int, kw_pen_dose_seal(&early, &any_dose, record), KW_PEN_E_STATE));
    kw_pen_session_close(&session);
    cr_assert(eq(int, kw_pen_dose_seal(&session, &any_dose, record), KW_PEN_E_STATE));
}

Test(pen_dose, ends_at_the_sessions_limit)
{
    uint8_t record[KW_PEN_DOSE_RECORD_SIZE];

    send_doses(KW_PEN_RECORDS_MAX);
    cr_assert(eq(int, kw_pen_dose_seal(&session, &any_dose, record), KW_PEN_E_LIMIT));
}

Test(pen_dose, refuses_what_its_format_does_not_name)
{
    struct kw_pen_dose bad[] = {any_dose, any_dose, any_dose, any_dose};
    uint8_t record[KW_PEN_DOSE_RECORD_SIZE];

    bad[0].type = 0;
    bad[1].type = KW_PEN_DOSE_UNKNOWN + 1;
    bad[2].flags = KW_PEN_DOSE_FLAGS + 1;
    bad[3].number = 0;
    for (size_t i = 0; i < 4; i++) {
        cr_assert(eq(int, kw_pen_dose_seal(&session, &bad[i], record), KW_PEN_E_ARGUMENT));
    }
    cr_assert(eq(u32, session.sent, 0));
}

Test(pen_dose, uses_no_sequence_number_when_the_engine_fails)
{
    unsigned left = 0;
    struct kw_pen_aes failing = pen_aes_failing_after(&left);
    struct kw_pen_dose dose = dose_at(0);
    uint8_t record[KW_PEN_DOSE_RECORD_SIZE];

    session.aes = &failing;
    cr_assert(eq(int, kw_pen_dose_seal(&session, &dose, record), KW_PEN_E_AES));
    session.aes = &pen_aes;
    cr_assert(eq(int, kw_pen_dose_seal(&session, &dose, record), KW_PEN_OK));
    pen_assert_bytes(record, pen_hex(json_array_get(doses(), 0), "record"));
}

Test(pen_ack, opens_the_known_records_in_sequence)
{
    send_doses(4);
    accept_ack(good_ack(0), 2);
    accept_ack(good_ack(1), 4);
}

Test(pen_ack, is_not_opened_before_m3)
{
    struct kw_pen_session early = {0};
    struct kw_pen_device pen = pen_device(pen_handshake(0));
    struct pen_bytes ack = good_ack(0);
    uint32_t last;

    pen_session_await(&early, &pen, pen_handshake(0));
    cr_assert(eq(int, kw_pen_ack_open(&early, ack.data, ack.size, &last), KW_PEN_E_STATE));
}

Test(pen_ack, is_refused_when_replayed)
{
    struct pen_bytes first = good_ack(0);
    struct pen_bytes second = good_ack(1);

    send_doses(4);
    accept_ack(first, 2);
    assert_ack_refused(first.data, first.size, KW_PEN_E_REPLAY);
    accept_ack(second, 4);
    assert_ack_refused(first.data, first.size, KW_PEN_E_REPLAY);
    assert_ack_refused(second.data, second.size, KW_PEN_E_REPLAY);
}

Test(pen_ack, is_refused_after_a_gap)
{
    struct pen_bytes gap = bad_ack("gap");

    send_doses(4);
    accept_ack(good_ack(0), 2);
    assert_ack_refused(gap.data, gap.size, KW_PEN_E_GAP);
    accept_ack(good_ack(1), 4);
    accept_ack(gap, 4); /* once the one before it has come, it is in its place */
}

Test(pen_ack, is_refused_beyond_the_sessions_limit)
{
    struct pen_bytes beyond = bad_ack("beyond_limit");

    send_doses(4);
    session.received = KW_PEN_RECORDS_MAX;
    assert_ack_refused(beyond.data, beyond.size, KW_PEN_E_LIMIT);
}

Test(pen_ack, is_refused_from_the_wrong_direction)
{
    struct pen_bytes reflected = pen_hex(json_array_get(doses(), 0), "record");
    struct pen_bytes as_pen = bad_ack("own_direction");

    send_doses(4);
    assert_ack_refused(reflected.data, KW_PEN_ACK_RECORD_SIZE, KW_PEN_E_DIRECTION);
    assert_ack_refused(as_pen.data, as_pen.size, KW_PEN_E_DIRECTION);
    as_pen.data[1] = 'A'; /* relabelled: the nonce and the header no longer fit the tag */
    assert_ack_refused(as_pen.data, as_pen.size, KW_PEN_E_TAG);
}

Test(pen_ack, is_refused_for_what_was_never_sent)
{
    struct pen_bytes fifth = bad_ack("never_sent");

    send_doses(4);
    assert_ack_refused(fifth.data, fifth.size, KW_PEN_E_FORMAT);
}

Test(pen_ack, is_refused_as_another_kind_even_if_authentic)
{
    struct pen_bytes dose_kind = bad_ack("other_kind");

    send_doses(4);
    assert_ack_refused(dose_kind.data, dose_kind.size, KW_PEN_E_FORMAT);
}

Test(pen_ack, is_refused_truncated_or_longer)
{
    struct pen_bytes ack = good_ack(0);
    struct pen_bytes longer = bad_ack("longer");

    send_doses(4);
    for (size_t size = 0; size < ack.size; size++) {
        assert_ack_refused(ack.data, size, KW_PEN_E_LENGTH);
    }
    assert_ack_refused(longer.data, longer.size, KW_PEN_E_LENGTH);
    longer.data[3] = 5; /* a payload size that does not fit the record's */
    assert_ack_refused(longer.data, longer.size - 1, KW_PEN_E_FORMAT);
}

Test(pen_ack, is_refused_with_any_sealed_byte_changed)
{
    struct pen_bytes ack = good_ack(0);

    send_doses(4);
    for (size_t i = KW_PEN_HEADER_SIZE; i < ack.size; i++) {
        ack.data[i] ^= 1;
        assert_ack_refused(ack.data, ack.size, KW_PEN_E_TAG);
        ack.data[i] ^= 1;
    }
}

Test(pen_ack, is_refused_in_another_session)
{
    struct pen_bytes ack = good_ack(0);

    device = pen_device(pen_handshake(1));
    pen_session_open(&session, &device, pen_handshake(1));
    send_doses(4);
    assert_ack_refused(ack.data, ack.size, KW_PEN_E_TAG);
}
