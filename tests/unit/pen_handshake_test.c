/* The pen's side of the handshake: what it accepts, and everything it must refuse. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "tests/unit/pen_test_support.h"

static const struct kw_pen_session closed;

static void assert_closed(const struct kw_pen_session *session)
{
    cr_assert(eq(int, memcmp(session, &closed, sizeof(closed)), 0));
}

/* Offers `m1` and expects `want`, a closed and wiped session, and an unused counter. */
static void assert_m1_refused(struct kw_pen_device *device, const uint8_t *m1, size_t size,
                              uint32_t counter, enum kw_pen_result want)
{
    static const uint8_t nonce[KW_PEN_NONCE_SIZE];
    uint32_t counter_before = device->counter_last;
    struct kw_pen_session session;
    uint8_t m2[KW_PEN_M2_SIZE];

    memset(&session, 0xff, sizeof(session));
    cr_assert(
        eq(int, kw_pen_handshake_answer(&session, device, m1, size, nonce, counter, m2), want));
    assert_closed(&session);
    cr_assert(eq(u32, device->counter_last, counter_before));
}

Test(pen_handshake, follows_the_vectors_to_an_open_session)
{
    for (size_t i = 0; i < 2; i++) {
        const json_t *handshake = pen_handshake(i);
        struct kw_pen_device device = pen_device(handshake);
        struct kw_pen_session session = {0};

        pen_session_open(&session, &device, handshake);
        cr_assert(eq(int, session.state, KW_PEN_SESSION_OPEN));
        cr_assert(eq(u32, device.counter_last, pen_number(handshake, "session_counter")));
        pen_assert_bytes(session.key_enc, pen_hex(handshake, "k_enc"));
        pen_assert_bytes(session.salt, pen_hex(handshake, "nonce_salt"));
    }
}

Test(pen_handshake, refuses_an_epoch_below_its_minimum)
{
    struct kw_pen_device device = pen_device(pen_handshake(0));
    struct pen_bytes m1 = pen_hex(pen_handshake(0), "m1"); /* epoch 1 */

    device.min_epoch = 2;
    assert_m1_refused(&device, m1.data, m1.size, 7, KW_PEN_E_EPOCH);
}

Test(pen_handshake, accepts_the_minimum_epoch_itself)
{
    struct kw_pen_device device = pen_device(pen_handshake(0));
    struct kw_pen_session session = {0};

    device.min_epoch = 1;
    pen_session_open(&session, &device, pen_handshake(0));
}

Test(pen_handshake, refuses_an_unknown_suite)
{
    struct kw_pen_device device = pen_device(pen_handshake(0));
    struct pen_bytes m1 = pen_hex(pen_handshake(0), "m1");

    m1.data[1] = 2;
    assert_m1_refused(&device, m1.data, m1.size, 7, KW_PEN_E_SUITE);
}

Test(pen_handshake, refuses_a_counter_used_before_or_lower)
{
    struct kw_pen_device device = pen_device(pen_handshake(0));
    struct pen_bytes m1 = pen_hex(pen_handshake(0), "m1");
    struct kw_pen_session session = {0};

    pen_session_open(&session, &device, pen_handshake(0)); /* counter 7 */
    assert_m1_refused(&device, m1.data, m1.size, 7, KW_PEN_E_COUNTER);
    assert_m1_refused(&device, m1.data, m1.size, 6, KW_PEN_E_COUNTER);
    assert_m1_refused(&device, m1.data, m1.size, 0, KW_PEN_E_COUNTER);
}

Test(pen_handshake, is_over_when_the_counter_is_used_up)
{
    struct kw_pen_device device = pen_device(pen_handshake(1));
    struct pen_bytes m1 = pen_hex(pen_handshake(1), "m1");
    struct kw_pen_session session = {0};

    pen_session_open(&session, &device, pen_handshake(1)); /* counter 2^32 - 1 */
    assert_m1_refused(&device, m1.data, m1.size, 0, KW_PEN_E_COUNTER);
    assert_m1_refused(&device, m1.data, m1.size, UINT32_MAX, KW_PEN_E_COUNTER);
}

Test(pen_handshake, refuses_m1_of_any_other_size)
{
    struct kw_pen_device device = pen_device(pen_handshake(0));
    struct pen_bytes m1 = pen_hex(pen_handshake(0), "m1");

    for (size_t size = 0; size < m1.size; size++) {
        assert_m1_refused(&device, m1.data, size, 7, KW_PEN_E_LENGTH);
    }
    assert_m1_refused(&device, m1.data, m1.size + 1, 7, KW_PEN_E_LENGTH);
}

Test(pen_handshake, refuses_m3_with_any_byte_changed_and_closes)
{
    struct pen_bytes m3 = pen_hex(pen_handshake(0), "m3");

    for (size_t i = 0; i < m3.size; i++) {
        struct kw_pen_device device = pen_device(pen_handshake(0));
        struct kw_pen_session session = {0};

        pen_session_await(&session, &device, pen_handshake(0));
        m3.data[i] ^= 1;
        cr_assert(eq(int, kw_pen_handshake_finish(&session, m3.data, m3.size), KW_PEN_E_TAG));
        m3.data[i] ^= 1;
        assert_closed(&session);
    }
}

Test(pen_handshake, gives_one_try_for_each_m1)
{
    struct kw_pen_device device = pen_device(pen_handshake(0));
    struct pen_bytes m3 = pen_hex(pen_handshake(0), "m3");
    struct kw_pen_session session = {0};

    pen_session_await(&session, &device, pen_handshake(0));
    cr_assert(eq(int, kw_pen_handshake_finish(&session, m3.data, m3.size - 1), KW_PEN_E_LENGTH));
    cr_assert(eq(int, kw_pen_handshake_finish(&session, m3.data, m3.size), KW_PEN_E_STATE));
    assert_closed(&session);
}

Test(pen_handshake, refuses_m2_sent_back_as_m3)
{
    struct kw_pen_device device = pen_device(pen_handshake(0));
    struct pen_bytes m2 = pen_hex(pen_handshake(0), "m2");
    struct kw_pen_session session = {0};

    pen_session_await(&session, &device, pen_handshake(0));
    cr_assert(
        eq(int, kw_pen_handshake_finish(&session, m2.data + 20, KW_PEN_M3_SIZE), KW_PEN_E_TAG));
}

Test(pen_handshake, does_not_finish_twice)
{
    struct kw_pen_device device = pen_device(pen_handshake(0));
    struct pen_bytes m3 = pen_hex(pen_handshake(0), "m3");
    struct kw_pen_session session = {0};

    pen_session_open(&session, &device, pen_handshake(0));
    cr_assert(eq(int, kw_pen_handshake_finish(&session, m3.data, m3.size), KW_PEN_E_STATE));
    cr_assert(eq(int, session.state, KW_PEN_SESSION_OPEN));
}

Test(pen_handshake, refuses_an_old_m3_for_a_new_nonce)
{
    struct kw_pen_device device = pen_device(pen_handshake(0));
    struct pen_bytes m1 = pen_hex(pen_handshake(0), "m1");
    struct pen_bytes m3 = pen_hex(pen_handshake(0), "m3");
    static const uint8_t nonce[KW_PEN_NONCE_SIZE] = {0x23};
    struct kw_pen_session session = {0};
    uint8_t m2[KW_PEN_M2_SIZE];

    pen_session_open(&session, &device, pen_handshake(0));
    cr_assert(eq(int, kw_pen_handshake_answer(&session, &device, m1.data, m1.size, nonce, 8, m2),
                 KW_PEN_OK));
    cr_assert(eq(int, kw_pen_handshake_finish(&session, m3.data, m3.size), KW_PEN_E_TAG));
}

Test(pen_handshake, answers_nothing_when_the_engine_fails_at_any_block)
{
    struct pen_bytes m1 = pen_hex(pen_handshake(0), "m1");
    struct kw_pen_device device = pen_device(pen_handshake(0));
    struct kw_pen_session session = {0};
    uint8_t m2[KW_PEN_M2_SIZE];
    unsigned blocks = UINT32_MAX;

    device.aes = pen_aes_failing_after(&blocks);
    cr_assert(eq(int, kw_pen_handshake_answer(&session, &device, m1.data, m1.size, m1.data, 1, m2),
                 KW_PEN_OK));
    blocks = UINT32_MAX - blocks;
    for (unsigned works = 0; works < blocks; works++) {
        unsigned left = works;

        device.aes = pen_aes_failing_after(&left);
        assert_m1_refused(&device, m1.data, m1.size, 2, KW_PEN_E_AES);
    }
}

Test(pen_handshake, leaves_nothing_behind_when_closed)
{
    struct kw_pen_device device = pen_device(pen_handshake(0));
    struct kw_pen_session session = {0};

    pen_session_open(&session, &device, pen_handshake(0));
    kw_pen_session_close(&session);
    assert_closed(&session);
}
