/* AES-256-CMAC (SP 800-38B), fed piece by piece, because what Keyward authenticates is mostly a
 * concatenation and the pen has no buffer to spare for joining it. */
#include <string.h>

#include "keyward_pen.h"

#define GF128_REDUCTION 0x87u /* x^7 + x^2 + x + 1, SP 800-38B section 5.3 */

static void absorb_block(struct kw_pen_cmac *mac)
{
    for (size_t i = 0; i < KW_PEN_BLOCK_SIZE; i++) {
        mac->state[i] ^= mac->block[i];
    }
    if (mac->aes->encrypt(mac->aes->ctx, mac->key, mac->state, mac->state) != 0) {
        mac->hook_failed = 1;
    }
    mac->fill = 0;
}

/* Multiplies by x in GF(2^128). The carry becomes a mask, not a branch: the value is secret. */
static void double_in_field(uint8_t value[KW_PEN_BLOCK_SIZE])
{
    unsigned carry = value[0] >> 7;

    for (size_t i = 0; i + 1 < KW_PEN_BLOCK_SIZE; i++) {
        value[i] = (uint8_t)((value[i] << 1) | (value[i + 1] >> 7));
    }
    value[KW_PEN_BLOCK_SIZE - 1] = (uint8_t)((unsigned)value[KW_PEN_BLOCK_SIZE - 1] << 1);
    value[KW_PEN_BLOCK_SIZE - 1] ^= (uint8_t)((0u - carry) & GF128_REDUCTION);
}

/* Pads the last block and mixes in the subkey that says whether it was padded. */
static void seal_last_block(struct kw_pen_cmac *mac)
{
    uint8_t subkey[KW_PEN_BLOCK_SIZE] = {0};

    if (mac->aes->encrypt(mac->aes->ctx, mac->key, subkey, subkey) != 0) {
        mac->hook_failed = 1;
    }
    double_in_field(subkey);
    if (mac->fill < KW_PEN_BLOCK_SIZE) {
        double_in_field(subkey);
        memset(mac->block + mac->fill, 0, KW_PEN_BLOCK_SIZE - mac->fill);
        mac->block[mac->fill] = 0x80;
    }
    for (size_t i = 0; i < KW_PEN_BLOCK_SIZE; i++) {
        mac->block[i] ^= subkey[i];
    }
    kw_pen_wipe(subkey, sizeof(subkey));
}

void kw_pen_cmac_init(struct kw_pen_cmac *mac, const struct kw_pen_aes *aes,
                      const uint8_t key[KW_PEN_KEY_SIZE])
{
    memset(mac, 0, sizeof(*mac));
    mac->aes = aes;
    mac->key = key;
}

void kw_pen_cmac_update(struct kw_pen_cmac *mac, const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t part = KW_PEN_BLOCK_SIZE - mac->fill;

        /* A full block waits here until more arrives: the last one is treated differently. */
        if (part == 0) {
            absorb_block(mac);
            continue;
        }
        part = part < size ? part : size;
        memcpy(mac->block + mac->fill, data, part);
        mac->fill += part;
        data += part;
        size -= part;
    }
}

enum kw_pen_result kw_pen_cmac_final(struct kw_pen_cmac *mac, uint8_t ret_tag[KW_PEN_TAG_SIZE])
{
    int failed;

    seal_last_block(mac);
    absorb_block(mac);
    failed = mac->hook_failed;
    if (!failed) {
        memcpy(ret_tag, mac->state, KW_PEN_TAG_SIZE);
    }
    kw_pen_wipe(mac, sizeof(*mac));
    return failed ? KW_PEN_E_AES : KW_PEN_OK;
}
