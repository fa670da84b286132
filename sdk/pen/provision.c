/* Provisioning on the line: taking the device key in, and proving that it arrived. */
#include <string.h>

#include "bytes.h"
#include "keyward_pen.h"

#define PROOF_PREFIX   "KEYWARD-PROV"
#define SEMIBLOCK_SIZE 8u
#define KEY_SEMIBLOCKS (KW_PEN_KEY_SIZE / SEMIBLOCK_SIZE)
#define WRAP_ROUNDS    6u

/* RFC 5649 section 3: the constant A65959A6, then the key's size. 32 bytes need no padding. */
static const uint8_t wrap_initial_value[SEMIBLOCK_SIZE] = {0xa6, 0x59, 0x59, 0xa6, 0, 0, 0, 32};

/* Undoes the 24 steps of RFC 3394 section 2.2.2 on `semiblocks`: integrity value, then the key. */
static int unwrap_steps(const struct kw_pen_aes *aes, const uint8_t line_key[KW_PEN_KEY_SIZE],
                        uint8_t semiblocks[KW_PEN_WRAPPED_KEY_SIZE])
{
    uint8_t block[KW_PEN_BLOCK_SIZE];
    int failed = 0;

    for (size_t step = WRAP_ROUNDS * KEY_SEMIBLOCKS; step > 0; step--) {
        uint8_t *part = semiblocks + SEMIBLOCK_SIZE * (1 + (step - 1) % KEY_SEMIBLOCKS);

        memcpy(block, semiblocks, SEMIBLOCK_SIZE);
        block[SEMIBLOCK_SIZE - 1] ^= (uint8_t)step;
        memcpy(block + SEMIBLOCK_SIZE, part, SEMIBLOCK_SIZE);
        failed |= aes->decrypt(aes->ctx, line_key, block, block) != 0;
        memcpy(semiblocks, block, SEMIBLOCK_SIZE);
        memcpy(part, block + SEMIBLOCK_SIZE, SEMIBLOCK_SIZE);
    }
    kw_pen_wipe(block, sizeof(block));
    return failed;
}

enum kw_pen_result kw_pen_key_unwrap(const struct kw_pen_aes *aes,
                                     const uint8_t line_key[KW_PEN_KEY_SIZE],
                                     const uint8_t *wrapped, size_t wrapped_size,
                                     uint8_t ret_key[KW_PEN_KEY_SIZE])
{
    uint8_t semiblocks[KW_PEN_WRAPPED_KEY_SIZE];
    enum kw_pen_result result = KW_PEN_OK;

    if (wrapped_size != KW_PEN_WRAPPED_KEY_SIZE) {
        return KW_PEN_E_LENGTH;
    }
    memcpy(semiblocks, wrapped, sizeof(semiblocks));
    if (aes->decrypt == NULL || unwrap_steps(aes, line_key, semiblocks)) {
        result = KW_PEN_E_AES;
    } else if (!kw_pen_equal(semiblocks, wrap_initial_value, SEMIBLOCK_SIZE)) {
        result = KW_PEN_E_WRAP;
    } else {
        memcpy(ret_key, semiblocks + SEMIBLOCK_SIZE, KW_PEN_KEY_SIZE);
    }
    kw_pen_wipe(semiblocks, sizeof(semiblocks));
    return result;
}

enum kw_pen_result kw_pen_check_value(const struct kw_pen_aes *aes,
                                      const uint8_t key[KW_PEN_KEY_SIZE],
                                      uint8_t ret_check_value[KW_PEN_CHECK_VALUE_SIZE])
{
    static const uint8_t zeros[KW_PEN_BLOCK_SIZE];
    struct kw_pen_cmac mac;
    uint8_t tag[KW_PEN_TAG_SIZE];
    enum kw_pen_result result;

    kw_pen_cmac_init(&mac, aes, key);
    kw_pen_cmac_update(&mac, zeros, sizeof(zeros));
    result = kw_pen_cmac_final(&mac, tag);
    if (result == KW_PEN_OK) {
        memcpy(ret_check_value, tag, KW_PEN_CHECK_VALUE_SIZE);
    }
    /* more of this tag than three bytes is nobody's business */
    kw_pen_wipe(tag, sizeof(tag));
    return result;
}

enum kw_pen_result kw_pen_possession_proof(const struct kw_pen_device *device,
                                           const uint8_t challenge[KW_PEN_NONCE_SIZE],
                                           uint8_t ret_tag[KW_PEN_TAG_SIZE])
{
    struct kw_pen_cmac mac;

    kw_pen_cmac_init(&mac, &device->aes, device->key);
    kw_pen_cmac_update(&mac, (const uint8_t *)PROOF_PREFIX, sizeof(PROOF_PREFIX) - 1);
    kw_pen_cmac_update(&mac, challenge, KW_PEN_NONCE_SIZE);
    kw_pen_cmac_update(&mac, device->id, KW_PEN_ID_SIZE);
    return kw_pen_cmac_final(&mac, ret_tag);
}
