/* The pen's side of the handshake. Three messages, after which both sides have proved that they
 * hold K_pd and share session keys that neither chose alone:
 *
 *     app -> pen   M1  suite, partner id, epoch, nonce_app
 *     pen -> app   M2  nonce_pen, session counter, CMAC(k_auth, 'P' | M1 | nonce_pen | counter)
 *     app -> pen   M3  CMAC(k_auth, 'A' | M1 | M2) */
#include <string.h>

#include "bytes.h"
#include "keyward_pen.h"

#define M1_PARTNER_ID 2u
#define M1_EPOCH      18u
#define M1_NONCE      22u
#define M2_COUNTER    16u
#define M2_TAG        20u
#define TAG_BY_PEN    ((uint8_t)'P')
#define TAG_BY_APP    ((uint8_t)'A')

static enum kw_pen_result check_m1(const struct kw_pen_device *device, const uint8_t *m1,
                                   size_t m1_size, uint32_t counter)
{
    if (m1_size != KW_PEN_M1_SIZE) {
        return KW_PEN_E_LENGTH;
    }
    if (kw_pen_get_u16(m1) != KW_PEN_SUITE_AES256) {
        return KW_PEN_E_SUITE;
    }
    if (kw_pen_get_u32(m1 + M1_EPOCH) < device->min_epoch) {
        return KW_PEN_E_EPOCH;
    }
    return counter > device->counter_last ? KW_PEN_OK : KW_PEN_E_COUNTER;
}

/* Session keys for `m1` and the nonce and counter that already stand in `m2`. */
static enum kw_pen_result derive_keys(const struct kw_pen_device *device, const uint8_t *m1,
                                      const uint8_t *m2, struct kw_pen_session_keys *ret_keys)
{
    uint8_t partner_key[KW_PEN_KEY_SIZE];
    enum kw_pen_result result;

    result = kw_pen_partner_key(&device->aes, device->key, m1 + M1_PARTNER_ID,
                                kw_pen_get_u32(m1 + M1_EPOCH), kw_pen_get_u16(m1), partner_key);
    if (result == KW_PEN_OK) {
        result = kw_pen_session_keys_derive(&device->aes, partner_key, m1 + M1_NONCE, m2,
                                            kw_pen_get_u32(m2 + M2_COUNTER), ret_keys);
    }
    kw_pen_wipe(partner_key, sizeof(partner_key));
    return result;
}

/* CMAC(k_auth, who | M1 | first m2_size bytes of M2): M2's own tag leaves out the tag field. */
static enum kw_pen_result transcript_tag(const struct kw_pen_aes *aes,
                                         const struct kw_pen_session_keys *keys, uint8_t who,
                                         const uint8_t *m1, const uint8_t *m2, size_t m2_size,
                                         uint8_t ret_tag[KW_PEN_TAG_SIZE])
{
    struct kw_pen_cmac mac;

    kw_pen_cmac_init(&mac, aes, keys->auth);
    kw_pen_cmac_update(&mac, &who, sizeof(who));
    kw_pen_cmac_update(&mac, m1, KW_PEN_M1_SIZE);
    kw_pen_cmac_update(&mac, m2, m2_size);
    return kw_pen_cmac_final(&mac, ret_tag);
}

/* Both tags are computed now, so that the session needs to keep neither messages nor k_auth. */
static enum kw_pen_result compute_tags(const struct kw_pen_aes *aes,
                                       const struct kw_pen_session_keys *keys, const uint8_t *m1,
                                       uint8_t m2[KW_PEN_M2_SIZE], uint8_t ret_m3[KW_PEN_M3_SIZE])
{
    enum kw_pen_result result;

    result = transcript_tag(aes, keys, TAG_BY_PEN, m1, m2, M2_TAG, m2 + M2_TAG);
    if (result != KW_PEN_OK) {
        return result;
    }
    return transcript_tag(aes, keys, TAG_BY_APP, m1, m2, KW_PEN_M2_SIZE, ret_m3);
}

static void await_m3(struct kw_pen_session *session, const struct kw_pen_aes *aes,
                     const struct kw_pen_session_keys *keys)
{
    memcpy(session->key_enc, keys->enc, KW_PEN_KEY_SIZE);
    memcpy(session->salt, keys->salt, KW_PEN_SALT_SIZE);
    session->aes = aes;
    session->state = KW_PEN_SESSION_AWAITS_M3;
}

enum kw_pen_result kw_pen_handshake_answer(struct kw_pen_session *session,
                                           struct kw_pen_device *device, const uint8_t *m1,
                                           size_t m1_size,
                                           const uint8_t nonce_pen[KW_PEN_NONCE_SIZE],
                                           uint32_t counter, uint8_t ret_m2[KW_PEN_M2_SIZE])
{
    struct kw_pen_session_keys keys;
    uint8_t m2[KW_PEN_M2_SIZE];
    enum kw_pen_result result;

    kw_pen_session_close(session);
    result = check_m1(device, m1, m1_size, counter);
    if (result != KW_PEN_OK) {
        return result;
    }
    memcpy(m2, nonce_pen, KW_PEN_NONCE_SIZE);
    kw_pen_put_u32(m2 + M2_COUNTER, counter);
    result = derive_keys(device, m1, m2, &keys);
    if (result == KW_PEN_OK) {
        result = compute_tags(&device->aes, &keys, m1, m2, session->m3_expected);
    }
    if (result == KW_PEN_OK) {
        await_m3(session, &device->aes, &keys);
        device->counter_last = counter;
        memcpy(ret_m2, m2, sizeof(m2));
    } else {
        kw_pen_session_close(session);
    }
    kw_pen_wipe(&keys, sizeof(keys));
    return result;
}

enum kw_pen_result kw_pen_handshake_finish(struct kw_pen_session *session, const uint8_t *m3,
                                           size_t m3_size)
{
    enum kw_pen_result result = KW_PEN_OK;

    if (session->state != KW_PEN_SESSION_AWAITS_M3) {
        return KW_PEN_E_STATE;
    }
    if (m3_size != KW_PEN_M3_SIZE) {
        result = KW_PEN_E_LENGTH;
    } else if (!kw_pen_equal(session->m3_expected, m3, KW_PEN_M3_SIZE)) {
        result = KW_PEN_E_TAG;
    }
    if (result != KW_PEN_OK) {
        kw_pen_session_close(session);
        return result;
    }
    kw_pen_wipe(session->m3_expected, sizeof(session->m3_expected));
    session->state = KW_PEN_SESSION_OPEN;
    return KW_PEN_OK;
}

void kw_pen_session_close(struct kw_pen_session *session)
{
    kw_pen_wipe(session, sizeof(*session));
}
