/* The partner's side of sdk/partner: M2 and dose records from a pen, with the partner key of tests/vectors. Input: how
 * the handshake begins, then messages with their lengths before them. A refusal changes nothing.
 */
#include "sdk/partner/keyward_partner.h"
#include "tests/fuzz/fuzz.h"

static uint8_t partner_key[KW_PARTNER_KEY_SIZE];
static uint8_t partner_id[KW_PARTNER_ID_SIZE];

static void set_up(void)
{
    struct kw_buf file = kw_fuzz_load("keys/partner.bin"); /* partner key, partner id */

    KW_FUZZ_CHECK(file.len == KW_PARTNER_KEY_SIZE + KW_PARTNER_ID_SIZE);
    kw_copy(partner_key, file.data, KW_PARTNER_KEY_SIZE);
    kw_copy(partner_id, file.data + KW_PARTNER_KEY_SIZE, KW_PARTNER_ID_SIZE);
    kw_buf_done(&file);
}

static void records(struct kw_partner_session *session, struct kw_fuzz_input *input)
{
    uint8_t ack[KW_PARTNER_ACK_RECORD_SIZE];

    while (input->rest.len > 0) {
        struct kw_bytes record = kw_fuzz_piece(input);
        struct kw_partner_session before = *session;
        struct kw_partner_dose dose;

        if (kw_partner_dose_open(session, record.data, record.len, &dose) == KW_PARTNER_OK) {
            KW_FUZZ_CHECK(session->received == before.received + 1);
            KW_FUZZ_CHECK(dose.number > 0 && dose.type >= 1 && dose.type <= 3 && dose.flags < 8);
            KW_FUZZ_CHECK(kw_partner_ack_seal(session, ack) == KW_PARTNER_OK);
        } else {
            KW_FUZZ_CHECK(session->received == before.received && session->sent == before.sent);
        }
    }
}

/* The derived way: the session keys come in an envelope, which here is made of the input. */
static void derived(struct kw_partner_session *session, struct kw_bytes m2,
                    struct kw_fuzz_input *input)
{
    struct kw_partner_envelope envelope = {.kind = KW_PARTNER_ENVELOPE_SESSION};
    uint8_t m3[KW_PARTNER_M3_SIZE];
    struct kw_bytes keys = kw_fuzz_bytes(input, sizeof(envelope.session_keys));

    kw_copy(&envelope.session_keys, keys.data, keys.len);
    envelope.counter = kw_fuzz_u32(input);
    if (kw_partner_handshake_derived(session, &envelope, m2.data, m2.len, 0, m3) != KW_PARTNER_OK) {
        KW_FUZZ_CHECK(!session->open);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    struct kw_partner_session session = {0};
    uint8_t nonce[KW_PARTNER_NONCE_SIZE] = {0};
    uint8_t m1[KW_PARTNER_M1_SIZE];
    uint8_t m3[KW_PARTNER_M3_SIZE];
    uint8_t how = kw_fuzz_u8(&input);
    struct kw_bytes given = kw_fuzz_bytes(&input, sizeof(nonce));
    uint32_t epoch = kw_fuzz_u32(&input);
    struct kw_bytes m2 = kw_fuzz_piece(&input);

    if (partner_key[0] == 0) {
        set_up();
    }
    kw_copy(nonce, given.data, given.len);
    kw_partner_hello(&session, partner_id, epoch, nonce, m1);
    if (how % 4 == 3) {
        derived(&session, m2, &input);
    } else if (kw_partner_handshake(&session, partner_key, m2.data, m2.len, 0, m3) !=
               KW_PARTNER_OK) {
        KW_FUZZ_CHECK(!session.open);
    }
    records(&session, &input);
    return 0;
}
