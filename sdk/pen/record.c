/* Records inside an open session: doses to the app, acknowledgements from it.
 *
 *     kind u8 | direction u8 | size u16 | sequence u32 | sealed payload | tag 16
 *     `------------- header = AAD ------------------'
 *
 * The nonce is salt | direction | sequence, so neither side can ever repeat the other's. */
#include <string.h>

#include "bytes.h"
#include "keyward_pen.h"

#define KIND_DOSE          0x01u
#define KIND_ACK           0x02u
#define DIRECTION_FROM_PEN ((uint8_t)'P')
#define DIRECTION_FROM_APP ((uint8_t)'A')
#define HEADER_DIRECTION   1u
#define HEADER_PAYLOAD     2u
#define HEADER_SEQUENCE    4u

static void make_nonce(const struct kw_pen_session *session, const uint8_t *header,
                       uint8_t ret_nonce[KW_PEN_CCM_NONCE_SIZE])
{
    memcpy(ret_nonce, session->salt, KW_PEN_SALT_SIZE);
    ret_nonce[KW_PEN_SALT_SIZE] = header[HEADER_DIRECTION];
    memcpy(ret_nonce + KW_PEN_SALT_SIZE + 1, header + HEADER_SEQUENCE, 4);
}

static void encode_dose(const struct kw_pen_dose *dose, uint8_t ret_plain[KW_PEN_DOSE_SIZE])
{
    kw_pen_put_u32(ret_plain, dose->time_s);
    kw_pen_put_u16(ret_plain + 4, dose->units_x100);
    ret_plain[6] = dose->type;
    ret_plain[7] = dose->flags;
    kw_pen_put_u32(ret_plain + 8, dose->number);
}

static int dose_is_valid(const struct kw_pen_dose *dose)
{
    return dose->type >= KW_PEN_DOSE_INJECTED && dose->type <= KW_PEN_DOSE_UNKNOWN &&
           (dose->flags & ~KW_PEN_DOSE_FLAGS) == 0 && dose->number > 0;
}

enum kw_pen_result kw_pen_dose_seal(struct kw_pen_session *session, const struct kw_pen_dose *dose,
                                    uint8_t ret_record[KW_PEN_DOSE_RECORD_SIZE])
{
    uint8_t record[KW_PEN_DOSE_RECORD_SIZE] = {KIND_DOSE, DIRECTION_FROM_PEN};
    uint8_t nonce[KW_PEN_CCM_NONCE_SIZE];
    uint8_t *payload = record + KW_PEN_HEADER_SIZE;
    const struct kw_pen_ccm ccm = {session->aes, session->key_enc, nonce, record,
                                   KW_PEN_HEADER_SIZE};
    enum kw_pen_result result;

    if (session->state != KW_PEN_SESSION_OPEN) {
        return KW_PEN_E_STATE;
    }
    if (session->sent >= KW_PEN_RECORDS_MAX) {
        return KW_PEN_E_LIMIT;
    }
    if (!dose_is_valid(dose)) {
        return KW_PEN_E_ARGUMENT;
    }
    kw_pen_put_u16(record + HEADER_PAYLOAD, KW_PEN_DOSE_SIZE);
    kw_pen_put_u32(record + HEADER_SEQUENCE, session->sent + 1);
    make_nonce(session, record, nonce);
    encode_dose(dose, payload);
    result = kw_pen_ccm_seal(&ccm, payload, KW_PEN_DOSE_SIZE, payload, payload + KW_PEN_DOSE_SIZE);
    if (result == KW_PEN_OK) {
        session->sent++;
        memcpy(ret_record, record, sizeof(record));
    }
    return result;
}

/* What can be refused before any cryptography: layout, direction, place in the sequence. */
static enum kw_pen_result check_ack_header(const struct kw_pen_session *session,
                                           const uint8_t *record, size_t size)
{
    uint32_t sequence;

    if (size != KW_PEN_ACK_RECORD_SIZE) {
        return KW_PEN_E_LENGTH;
    }
    if (record[HEADER_DIRECTION] != DIRECTION_FROM_APP) {
        return KW_PEN_E_DIRECTION;
    }
    if (record[0] != KIND_ACK || kw_pen_get_u16(record + HEADER_PAYLOAD) != KW_PEN_ACK_SIZE) {
        return KW_PEN_E_FORMAT;
    }
    sequence = kw_pen_get_u32(record + HEADER_SEQUENCE);
    if (sequence <= session->received) {
        return KW_PEN_E_REPLAY;
    }
    if (sequence > KW_PEN_RECORDS_MAX) {
        return KW_PEN_E_LIMIT;
    }
    return sequence == session->received + 1 ? KW_PEN_OK : KW_PEN_E_GAP;
}

enum kw_pen_result kw_pen_ack_open(struct kw_pen_session *session, const uint8_t *record,
                                   size_t size, uint32_t *ret_sequence)
{
    uint8_t nonce[KW_PEN_CCM_NONCE_SIZE];
    uint8_t plain[KW_PEN_ACK_SIZE];
    const uint8_t *payload = record + KW_PEN_HEADER_SIZE;
    const struct kw_pen_ccm ccm = {session->aes, session->key_enc, nonce, record,
                                   KW_PEN_HEADER_SIZE};
    enum kw_pen_result result;

    if (session->state != KW_PEN_SESSION_OPEN) {
        return KW_PEN_E_STATE;
    }
    result = check_ack_header(session, record, size);
    if (result != KW_PEN_OK) {
        return result;
    }
    make_nonce(session, record, nonce);
    result = kw_pen_ccm_open(&ccm, payload, KW_PEN_ACK_SIZE, payload + KW_PEN_ACK_SIZE, plain);
    if (result != KW_PEN_OK) {
        return result;
    }
    if (kw_pen_get_u32(plain) > session->sent) {
        return KW_PEN_E_FORMAT;
    }
    session->received++;
    *ret_sequence = kw_pen_get_u32(plain);
    return KW_PEN_OK;
}
