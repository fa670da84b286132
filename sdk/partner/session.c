/* The app's side of a connection with a pen: handshake, dose records, acknowledgements
 * (docs/formats-pen.md). */
#include "primitives.h"

#include <string.h>

#define HEADER_SIZE 8U
#define DOSE_SIZE   12U
#define ACK_SIZE    4U
#define NONCE_SIZE  13U
#define KIND_DOSE   1U
#define KIND_ACK    2U
#define FLAGS_KNOWN 7U

/* Where the fields of M1 and M2 begin. */
#define M1_PARTNER_AT 2U
#define M1_EPOCH_AT   18U
#define M1_NONCE_AT   22U
#define M2_TAG_AT     20U

void kw_partner_hello(struct kw_partner_session *session, const uint8_t partner[KW_PARTNER_ID_SIZE],
                      uint32_t epoch, const uint8_t nonce_app[KW_PARTNER_NONCE_SIZE],
                      uint8_t ret_m1[KW_PARTNER_M1_SIZE])
{
    memset(session, 0, sizeof(*session));
    session->m1[1] = KW_PARTNER_SUITE_AES256;
    memcpy(session->m1 + M1_PARTNER_AT, partner, KW_PARTNER_ID_SIZE);
    kw_partner_store32(session->m1 + M1_EPOCH_AT, epoch);
    memcpy(session->m1 + M1_NONCE_AT, nonce_app, KW_PARTNER_NONCE_SIZE);
    memcpy(ret_m1, session->m1, KW_PARTNER_M1_SIZE);
}

/* With the session keys in place: is M2 the pen's, and what is M3? */
static enum kw_partner_result finish(struct kw_partner_session *session, const uint8_t *m2,
                                     uint8_t ret_m3[KW_PARTNER_M3_SIZE])
{
    const struct kw_partner_part pen[] = {
        {"P", 1}, {session->m1, KW_PARTNER_M1_SIZE}, {m2, M2_TAG_AT}};
    const struct kw_partner_part app[] = {
        {"A", 1}, {session->m1, KW_PARTNER_M1_SIZE}, {m2, KW_PARTNER_M2_SIZE}};
    uint8_t tag[KW_PARTNER_TAG_SIZE];

    if (!kw_partner_cmac(session->keys.auth, pen, 3, tag)) {
        return KW_PARTNER_E_CRYPTO;
    }
    if (!kw_partner_equal(tag, m2 + M2_TAG_AT, KW_PARTNER_TAG_SIZE)) {
        return KW_PARTNER_E_AUTHENTIC;
    }
    if (!kw_partner_cmac(session->keys.auth, app, 3, tag)) {
        return KW_PARTNER_E_CRYPTO;
    }
    memcpy(ret_m3, tag, KW_PARTNER_M3_SIZE);
    session->open = 1;
    return KW_PARTNER_OK;
}

/* What can be said of M2 before any key is used. */
static enum kw_partner_result m2_check(const struct kw_partner_session *session, const uint8_t *m2,
                                       size_t m2_size, uint32_t counter_last)
{
    if (session->open || session->m1[1] != KW_PARTNER_SUITE_AES256 ||
        m2_size != KW_PARTNER_M2_SIZE) {
        return KW_PARTNER_E_FORMAT;
    }
    return kw_partner_load32(m2 + KW_PARTNER_NONCE_SIZE) > counter_last ? KW_PARTNER_OK
                                                                        : KW_PARTNER_E_REPLAY;
}

/* Only a handshake that succeeded leaves something in the session. The one that was tried is wiped
 * either way, and there is none before M2 is worth a try. */
static enum kw_partner_result keep_if_open(struct kw_partner_session *session,
                                           struct kw_partner_session *tried,
                                           enum kw_partner_result result)
{
    if (tried->open) {
        *session = *tried;
    }
    kw_partner_wipe(tried, sizeof(*tried));
    return result;
}

enum kw_partner_result kw_partner_handshake(struct kw_partner_session *session,
                                            const uint8_t partner_key[KW_PARTNER_KEY_SIZE],
                                            const uint8_t *m2, size_t m2_size,
                                            uint32_t counter_last,
                                            uint8_t ret_m3[KW_PARTNER_M3_SIZE])
{
    enum kw_partner_result result = m2_check(session, m2, m2_size, counter_last);
    struct kw_partner_session tried;

    if (result != KW_PARTNER_OK) {
        return result;
    }
    tried = *session;
    tried.counter = kw_partner_load32(m2 + KW_PARTNER_NONCE_SIZE);
    result = kw_partner_session_derive(partner_key, tried.m1 + M1_NONCE_AT, m2, tried.counter,
                                       &tried.keys)
                 ? finish(&tried, m2, ret_m3)
                 : KW_PARTNER_E_CRYPTO;
    return keep_if_open(session, &tried, result);
}

/* Were these keys derived for this M1 and this M2? */
static int envelope_fits(const struct kw_partner_envelope *envelope, const uint8_t *m1,
                         const uint8_t *m2)
{
    return envelope->kind == KW_PARTNER_ENVELOPE_SESSION &&
           kw_partner_equal(envelope->partner, m1 + M1_PARTNER_AT, KW_PARTNER_ID_SIZE) &&
           envelope->epoch == kw_partner_load32(m1 + M1_EPOCH_AT) &&
           kw_partner_equal(envelope->nonce_app, m1 + M1_NONCE_AT, KW_PARTNER_NONCE_SIZE) &&
           kw_partner_equal(envelope->nonce_pen, m2, KW_PARTNER_NONCE_SIZE) &&
           envelope->counter == kw_partner_load32(m2 + KW_PARTNER_NONCE_SIZE);
}

enum kw_partner_result kw_partner_handshake_derived(struct kw_partner_session *session,
                                                    const struct kw_partner_envelope *envelope,
                                                    const uint8_t *m2, size_t m2_size,
                                                    uint32_t counter_last,
                                                    uint8_t ret_m3[KW_PARTNER_M3_SIZE])
{
    enum kw_partner_result result = m2_check(session, m2, m2_size, counter_last);
    struct kw_partner_session tried;

    if (result != KW_PARTNER_OK) {
        return result;
    }
    if (!envelope_fits(envelope, session->m1, m2)) {
        return KW_PARTNER_E_OWNER;
    }
    tried = *session;
    tried.counter = envelope->counter;
    tried.keys = envelope->session_keys;
    return keep_if_open(session, &tried, finish(&tried, m2, ret_m3));
}

static void nonce_make(const struct kw_partner_session *session, const uint8_t header[HEADER_SIZE],
                       uint8_t ret_nonce[NONCE_SIZE])
{
    memcpy(ret_nonce, session->keys.salt, KW_PARTNER_SALT_SIZE);
    ret_nonce[8] = header[1];
    memcpy(ret_nonce + 9, header + 4, 4);
}

/* The receiving rules, in the order of formats-pen.md §4. */
static enum kw_partner_result header_check(const struct kw_partner_session *session,
                                           const uint8_t *record, size_t size)
{
    static const uint8_t expected[4] = {KIND_DOSE, 'P', 0, DOSE_SIZE};
    uint32_t sequence;

    if (!session->open || size != KW_PARTNER_DOSE_RECORD_SIZE ||
        !kw_partner_equal(record, expected, sizeof(expected))) {
        return KW_PARTNER_E_FORMAT;
    }
    sequence = kw_partner_load32(record + 4);
    if (sequence <= session->received) {
        return KW_PARTNER_E_REPLAY;
    }
    if (sequence > KW_PARTNER_RECORDS_MAX) {
        return KW_PARTNER_E_LIMIT;
    }
    return sequence == session->received + 1 ? KW_PARTNER_OK : KW_PARTNER_E_GAP;
}

static enum kw_partner_result dose_read(const uint8_t plain[DOSE_SIZE],
                                        struct kw_partner_dose *ret_dose)
{
    struct kw_partner_dose dose = {.time_s = kw_partner_load32(plain),
                                   .units_x100 = (uint16_t)(plain[4] << 8 | plain[5]),
                                   .type = plain[6],
                                   .flags = plain[7],
                                   .number = kw_partner_load32(plain + 8)};

    if (dose.type < 1 || dose.type > 3 || (dose.flags & ~FLAGS_KNOWN) != 0 || dose.number == 0) {
        return KW_PARTNER_E_FORMAT;
    }
    *ret_dose = dose;
    return KW_PARTNER_OK;
}

enum kw_partner_result kw_partner_dose_open(struct kw_partner_session *session,
                                            const uint8_t *record, size_t size,
                                            struct kw_partner_dose *ret_dose)
{
    enum kw_partner_result result = header_check(session, record, size);
    uint8_t nonce[NONCE_SIZE];
    uint8_t tag[KW_PARTNER_TAG_SIZE];
    uint8_t plain[DOSE_SIZE];

    if (result != KW_PARTNER_OK) {
        return result;
    }
    nonce_make(session, record, nonce);
    memcpy(tag, record + HEADER_SIZE + DOSE_SIZE, sizeof(tag));
    if (!kw_partner_ccm(0, session->keys.enc, nonce, record, HEADER_SIZE, record + HEADER_SIZE,
                        DOSE_SIZE, tag, plain)) {
        return KW_PARTNER_E_AUTHENTIC;
    }
    result = dose_read(plain, ret_dose);
    if (result == KW_PARTNER_OK) {
        session->received++;
    }
    kw_partner_wipe(plain, sizeof(plain)); /* a patient's dose */
    return result;
}

enum kw_partner_result kw_partner_ack_seal(struct kw_partner_session *session,
                                           uint8_t ret_record[KW_PARTNER_ACK_RECORD_SIZE])
{
    uint8_t record[KW_PARTNER_ACK_RECORD_SIZE] = {KIND_ACK, 'A', 0, ACK_SIZE};
    uint8_t nonce[NONCE_SIZE];
    uint8_t plain[ACK_SIZE];

    if (!session->open) {
        return KW_PARTNER_E_FORMAT;
    }
    if (session->sent >= KW_PARTNER_RECORDS_MAX) {
        return KW_PARTNER_E_LIMIT;
    }
    kw_partner_store32(record + 4, session->sent + 1);
    kw_partner_store32(plain, session->received);
    nonce_make(session, record, nonce);
    if (!kw_partner_ccm(1, session->keys.enc, nonce, record, HEADER_SIZE, plain, ACK_SIZE,
                        record + HEADER_SIZE + ACK_SIZE, record + HEADER_SIZE)) {
        return KW_PARTNER_E_CRYPTO;
    }
    session->sent++;
    memcpy(ret_record, record, sizeof(record));
    return KW_PARTNER_OK;
}
