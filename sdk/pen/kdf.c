/* Key derivation: SP 800-108 in counter mode with CMAC,
 *     K(i) = CMAC(K_in, i_be32 | label | 0x00 | context | bits_be32),
 * and the two contexts in which the pen uses it. */
#include <string.h>

#include "bytes.h"
#include "keyward_pen.h"

#define LABEL_PARTNER_KEY    "KEYWARD-PD-v1"
#define LABEL_SESSION_KEYS   "KEYWARD-SS-v1"
#define PARTNER_CONTEXT_SIZE (KW_PEN_ID_SIZE + 4 + 2)
#define SESSION_CONTEXT_SIZE (2 * KW_PEN_NONCE_SIZE + 4)
#define SESSION_KEYS_SIZE    (2 * KW_PEN_KEY_SIZE + KW_PEN_SALT_SIZE)

/* What goes into every block of one derivation. */
struct kdf_input {
    const struct kw_pen_aes *aes;
    const uint8_t *key;
    const char *label;
    const uint8_t *context;
    size_t context_size;
    uint32_t bits;
};

static enum kw_pen_result derive_block(const struct kdf_input *input, uint32_t index,
                                       uint8_t ret_block[KW_PEN_BLOCK_SIZE])
{
    struct kw_pen_cmac mac;
    uint8_t number[4];

    kw_pen_cmac_init(&mac, input->aes, input->key);
    kw_pen_put_u32(number, index);
    kw_pen_cmac_update(&mac, number, sizeof(number));
    /* the label's terminating NUL is the standard's separator 0x00 */
    kw_pen_cmac_update(&mac, (const uint8_t *)input->label, strlen(input->label) + 1);
    kw_pen_cmac_update(&mac, input->context, input->context_size);
    kw_pen_put_u32(number, input->bits);
    kw_pen_cmac_update(&mac, number, sizeof(number));
    return kw_pen_cmac_final(&mac, ret_block);
}

static enum kw_pen_result derive(const struct kdf_input *input, uint8_t *ret_key)
{
    size_t size = input->bits / 8;
    uint8_t block[KW_PEN_BLOCK_SIZE];
    enum kw_pen_result result = KW_PEN_OK;
    uint32_t index = 1;

    for (size_t at = 0; at < size && result == KW_PEN_OK; at += KW_PEN_BLOCK_SIZE, index++) {
        size_t part = size - at < KW_PEN_BLOCK_SIZE ? size - at : KW_PEN_BLOCK_SIZE;

        result = derive_block(input, index, block);
        if (result == KW_PEN_OK) {
            memcpy(ret_key + at, block, part);
        }
    }
    if (result != KW_PEN_OK) {
        kw_pen_wipe(ret_key, size);
    }
    kw_pen_wipe(block, sizeof(block));
    return result;
}

enum kw_pen_result kw_pen_partner_key(const struct kw_pen_aes *aes,
                                      const uint8_t device_key[KW_PEN_KEY_SIZE],
                                      const uint8_t partner_id[KW_PEN_ID_SIZE], uint32_t epoch,
                                      uint16_t suite, uint8_t ret_key[KW_PEN_KEY_SIZE])
{
    uint8_t context[PARTNER_CONTEXT_SIZE];
    const struct kdf_input input = {
        .aes = aes,
        .key = device_key,
        .label = LABEL_PARTNER_KEY,
        .context = context,
        .context_size = sizeof(context),
        .bits = 8 * KW_PEN_KEY_SIZE,
    };

    memcpy(context, partner_id, KW_PEN_ID_SIZE);
    kw_pen_put_u32(context + KW_PEN_ID_SIZE, epoch);
    kw_pen_put_u16(context + KW_PEN_ID_SIZE + 4, suite);
    return derive(&input, ret_key);
}

enum kw_pen_result kw_pen_session_keys_derive(const struct kw_pen_aes *aes,
                                              const uint8_t partner_key[KW_PEN_KEY_SIZE],
                                              const uint8_t nonce_app[KW_PEN_NONCE_SIZE],
                                              const uint8_t nonce_pen[KW_PEN_NONCE_SIZE],
                                              uint32_t session_counter,
                                              struct kw_pen_session_keys *ret_keys)
{
    uint8_t context[SESSION_CONTEXT_SIZE];
    uint8_t output[SESSION_KEYS_SIZE];
    const struct kdf_input input = {
        .aes = aes,
        .key = partner_key,
        .label = LABEL_SESSION_KEYS,
        .context = context,
        .context_size = sizeof(context),
        .bits = 8 * SESSION_KEYS_SIZE,
    };
    enum kw_pen_result result;

    memcpy(context, nonce_app, KW_PEN_NONCE_SIZE);
    memcpy(context + KW_PEN_NONCE_SIZE, nonce_pen, KW_PEN_NONCE_SIZE);
    kw_pen_put_u32(context + 2 * KW_PEN_NONCE_SIZE, session_counter);
    result = derive(&input, output);
    if (result == KW_PEN_OK) {
        memcpy(ret_keys->enc, output, KW_PEN_KEY_SIZE);
        memcpy(ret_keys->auth, output + KW_PEN_KEY_SIZE, KW_PEN_KEY_SIZE);
        memcpy(ret_keys->salt, output + 2 * KW_PEN_KEY_SIZE, KW_PEN_SALT_SIZE);
    }
    kw_pen_wipe(output, sizeof(output));
    return result;
}
