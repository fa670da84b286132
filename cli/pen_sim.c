/* The simulated pen. */
#include "cli/pen_sim.h"

#include "common/base/random.h"

#include <openssl/evp.h>
#include <stdio.h>

static int aes_block(const uint8_t *key, const uint8_t *in, uint8_t *ret_out, int encrypt)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int size = 0;
    int ok = cipher != NULL &&
             EVP_CipherInit_ex(cipher, EVP_aes_256_ecb(), NULL, key, NULL, encrypt) == 1 &&
             EVP_CIPHER_CTX_set_padding(cipher, 0) == 1 &&
             EVP_CipherUpdate(cipher, ret_out, &size, in, KW_PEN_BLOCK_SIZE) == 1 &&
             size == (int)KW_PEN_BLOCK_SIZE;

    EVP_CIPHER_CTX_free(cipher);
    return ok ? 0 : -1;
}

static int aes_encrypt(void *ctx, const uint8_t *key, const uint8_t *in, uint8_t *ret_out)
{
    (void)ctx;
    return aes_block(key, in, ret_out, 1);
}

static int aes_decrypt(void *ctx, const uint8_t *key, const uint8_t *in, uint8_t *ret_out)
{
    (void)ctx;
    return aes_block(key, in, ret_out, 0);
}

struct kw_result kw_pen_sim_program(struct kw_pen_sim *pen, const struct kw_delivery *delivery,
                                    const struct kw_secret *transport_key, struct kw_error *err)
{
    struct kw_pen_sim p = {.device = {.aes = {aes_encrypt, aes_decrypt, NULL}, .min_epoch = 1}};
    uint8_t check_value[KW_PEN_CHECK_VALUE_SIZE];
    bool whole;

    whole = kw_pen_key_unwrap(&p.device.aes, transport_key->slot, delivery->wrapped_key,
                              sizeof(delivery->wrapped_key), p.device.key) == KW_PEN_OK &&
            kw_pen_check_value(&p.device.aes, p.device.key, check_value) == KW_PEN_OK &&
            kw_bytes_equal(KW_BYTES_OF(check_value), KW_BYTES_OF(delivery->check_value));
    if (whole) {
        kw_copy(p.device.id, delivery->device_id.bytes, KW_ID_LEN);
        (void)snprintf(p.serial, sizeof(p.serial), "SIM-%02X%02X%02X%02X%02X%02X", p.device.id[0],
                       p.device.id[1], p.device.id[2], p.device.id[3], p.device.id[4],
                       p.device.id[5]);
        *pen = p;
    }
    kw_pen_sim_wipe(&p, 1);
    KW_ENSURE(whole, err, BINDING_INVALID, "the key of %s did not arrive whole", delivery->device);
    return KW_OK;
}

struct kw_result kw_pen_sim_prove(const struct kw_pen_sim *pen,
                                  const uint8_t challenge[KW_PEN_NONCE_SIZE],
                                  uint8_t ret_tag[KW_PEN_TAG_SIZE], struct kw_error *err)
{
    KW_ENSURE(kw_pen_possession_proof(&pen->device, challenge, ret_tag) == KW_PEN_OK, err, CRYPTO,
              "the pen's proof");
    return KW_OK;
}

struct kw_result kw_pen_sim_answer(struct kw_pen_sim *pen, struct kw_bytes m1,
                                   uint8_t ret_m2[KW_PEN_M2_SIZE], struct kw_error *err)
{
    uint8_t nonce[KW_PEN_NONCE_SIZE];
    enum kw_pen_result result;

    KW_TRY(kw_random(nonce, sizeof(nonce), err));
    result = kw_pen_handshake_answer(&pen->session, &pen->device, m1.data, m1.len, nonce,
                                     pen->device.counter_last + 1, ret_m2);
    KW_ENSURE(result == KW_PEN_OK, err, BINDING_INVALID, "the pen refuses M1: %d", (int)result);
    return KW_OK;
}

struct kw_result kw_pen_sim_finish(struct kw_pen_sim *pen, struct kw_bytes m3, struct kw_error *err)
{
    enum kw_pen_result result = kw_pen_handshake_finish(&pen->session, m3.data, m3.len);

    KW_ENSURE(result == KW_PEN_OK, err, BINDING_INVALID, "the pen refuses M3: %d", (int)result);
    return KW_OK;
}

struct kw_result kw_pen_sim_dose(struct kw_pen_sim *pen, const struct kw_pen_dose *dose,
                                 uint8_t ret_record[KW_PEN_DOSE_RECORD_SIZE], struct kw_error *err)
{
    struct kw_pen_dose next = *dose;
    enum kw_pen_result result;

    next.number = pen->doses + 1;
    result = kw_pen_dose_seal(&pen->session, &next, ret_record);
    KW_ENSURE(result == KW_PEN_OK, err, BINDING_INVALID, "the pen seals no dose: %d", (int)result);
    pen->doses++;
    return KW_OK;
}

struct kw_result kw_pen_sim_acknowledge(struct kw_pen_sim *pen, struct kw_bytes record,
                                        uint32_t *ret_sequence, struct kw_error *err)
{
    enum kw_pen_result result =
        kw_pen_ack_open(&pen->session, record.data, record.len, ret_sequence);

    KW_ENSURE(result == KW_PEN_OK, err, BINDING_INVALID, "the pen refuses it: %d", (int)result);
    return KW_OK;
}

void kw_pen_sim_wipe(struct kw_pen_sim *pens, size_t count)
{
    if (pens != NULL) {
        kw_wipe(pens, count * sizeof(*pens));
    }
}
