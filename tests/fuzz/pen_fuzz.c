/* The pen's side of sdk/pen, with the key of tests/vectors: wrapped keys, M1, M3, acknowledgements. Input: a byte that
 * chooses, then the bytes as they come over the air.
 *
 * No key: no session, no record. The device's counter only grows.
 */
#include "sdk/pen/keyward_pen.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/pen_aes.h"

static struct kw_pen_device device;
static uint8_t line_key[KW_PEN_KEY_SIZE];

static void set_up(void)
{
    struct kw_buf file = kw_fuzz_load("keys/pen.bin"); /* device key, line key, device id */

    KW_FUZZ_CHECK(file.len == 2U * KW_PEN_KEY_SIZE + KW_PEN_ID_SIZE);
    device.aes = kw_fuzz_pen_aes();
    kw_copy(device.key, file.data, KW_PEN_KEY_SIZE);
    kw_copy(line_key, file.data + KW_PEN_KEY_SIZE, KW_PEN_KEY_SIZE);
    kw_copy(device.id, file.data + 2U * KW_PEN_KEY_SIZE, KW_PEN_ID_SIZE);
    kw_buf_done(&file);
}

static void unwrap(struct kw_bytes wrapped)
{
    uint8_t key[KW_PEN_KEY_SIZE];
    enum kw_pen_result result =
        kw_pen_key_unwrap(&device.aes, line_key, wrapped.data, wrapped.len, key);

    KW_FUZZ_CHECK(result == KW_PEN_OK || result == KW_PEN_E_LENGTH || result == KW_PEN_E_WRAP);
    KW_FUZZ_CHECK((result == KW_PEN_E_LENGTH) == (wrapped.len != KW_PEN_WRAPPED_KEY_SIZE));
}

/* A session that M1 began and that what comes next is said to. The honest M3 and records are those of the vectors'
 * first handshake, whose nonce and counter are used here. */
static enum kw_pen_result answer(struct kw_pen_session *session, struct kw_bytes m1,
                                 struct kw_fuzz_input *input)
{
    uint8_t nonce[KW_PEN_NONCE_SIZE] = {0};
    uint8_t m2[KW_PEN_M2_SIZE];
    struct kw_bytes given = kw_fuzz_bytes(input, sizeof(nonce));
    uint32_t counter = kw_fuzz_u32(input);
    enum kw_pen_result result;

    device.counter_last = 0;
    device.min_epoch = 1;

    kw_copy(nonce, given.data, given.len);
    result = kw_pen_handshake_answer(session, &device, m1.data, m1.len, nonce, counter, m2);
    KW_FUZZ_CHECK((result == KW_PEN_OK) == (session->state == KW_PEN_SESSION_AWAITS_M3));
    KW_FUZZ_CHECK(device.counter_last == (result == KW_PEN_OK ? counter : 0));
    return result;
}

static void session(struct kw_fuzz_input *input)
{
    struct kw_pen_session session = {0};
    struct kw_bytes m1 = kw_fuzz_piece(input);
    struct kw_bytes m3;
    uint32_t acknowledged;
    uint8_t record[KW_PEN_DOSE_RECORD_SIZE];
    const struct kw_pen_dose dose = {.type = KW_PEN_DOSE_INJECTED, .number = 1};

    if (answer(&session, m1, input) != KW_PEN_OK) {
        return;
    }
    m3 = kw_fuzz_piece(input);
    if (kw_pen_handshake_finish(&session, m3.data, m3.len) != KW_PEN_OK) {
        KW_FUZZ_CHECK(session.state == KW_PEN_SESSION_CLOSED);
        KW_FUZZ_CHECK(kw_pen_dose_seal(&session, &dose, record) == KW_PEN_E_STATE);
        return;
    }
    KW_FUZZ_CHECK(kw_pen_dose_seal(&session, &dose, record) == KW_PEN_OK);
    while (input->rest.len > 0) {
        struct kw_bytes ack = kw_fuzz_piece(input);
        uint32_t before = session.received;

        if (kw_pen_ack_open(&session, ack.data, ack.len, &acknowledged) == KW_PEN_OK) {
            KW_FUZZ_CHECK(acknowledged <= session.sent && session.received == before + 1);
        } else {
            KW_FUZZ_CHECK(session.received == before);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);

    if (device.aes.encrypt == NULL) {
        set_up();
    }
    if (kw_fuzz_u8(&input) % 2 == 0) {
        unwrap(input.rest);
    } else {
        session(&input);
    }
    return 0;
}
