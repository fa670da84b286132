/* AES-256-CCM (SP 800-38C) with a 13-byte nonce and a 16-byte tag: CBC-MAC over header and
 * plaintext, CTR over plaintext and tag. Needs the block cipher's forward direction only. */
#include <string.h>

#include "bytes.h"
#include "keyward_pen.h"

#define LENGTH_FIELD_SIZE 2u /* 15 - 13 */
#define FLAG_AAD          0x40u
#define FLAGS_MAC         ((((KW_PEN_TAG_SIZE - 2u) / 2u) << 3) | (LENGTH_FIELD_SIZE - 1u))
#define FLAGS_CTR         (LENGTH_FIELD_SIZE - 1u)

struct cbc_mac {
    const struct kw_pen_ccm *ccm;
    uint8_t state[KW_PEN_BLOCK_SIZE];
    size_t fill;
    int hook_failed;
};

static int encrypt_block(const struct kw_pen_ccm *ccm, const uint8_t in[KW_PEN_BLOCK_SIZE],
                         uint8_t ret_out[KW_PEN_BLOCK_SIZE])
{
    return ccm->aes->encrypt(ccm->aes->ctx, ccm->key, in, ret_out) != 0;
}

/* Ends the current block; the bytes it lacks count as zero. */
static void mac_pad(struct cbc_mac *mac)
{
    if (mac->fill > 0) {
        mac->hook_failed |= encrypt_block(mac->ccm, mac->state, mac->state);
        mac->fill = 0;
    }
}

static void mac_update(struct cbc_mac *mac, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        mac->state[mac->fill++] ^= data[i];
        if (mac->fill == KW_PEN_BLOCK_SIZE) {
            mac_pad(mac);
        }
    }
}

/* One of the standard's formatted blocks: flags, nonce, and a length or counter of two bytes. */
static void format_block(const struct kw_pen_ccm *ccm, unsigned flags, uint16_t number,
                         uint8_t ret_block[KW_PEN_BLOCK_SIZE])
{
    ret_block[0] = (uint8_t)flags;
    memcpy(ret_block + 1, ccm->nonce, KW_PEN_CCM_NONCE_SIZE);
    kw_pen_put_u16(ret_block + 1 + KW_PEN_CCM_NONCE_SIZE, number);
}

/* Gives the tag that goes on the wire: the CBC-MAC under the key stream's block 0. */
static int compute_tag(const struct kw_pen_ccm *ccm, const uint8_t *plain, size_t size,
                       uint8_t ret_tag[KW_PEN_TAG_SIZE])
{
    struct cbc_mac mac = {.ccm = ccm};
    uint8_t block[KW_PEN_BLOCK_SIZE];
    int failed;

    format_block(ccm, FLAGS_MAC | (ccm->aad_size > 0 ? FLAG_AAD : 0u), (uint16_t)size, block);
    mac_update(&mac, block, sizeof(block));
    if (ccm->aad_size > 0) {
        uint8_t aad_size[LENGTH_FIELD_SIZE];

        kw_pen_put_u16(aad_size, (uint16_t)ccm->aad_size);
        mac_update(&mac, aad_size, sizeof(aad_size));
        mac_update(&mac, ccm->aad, ccm->aad_size);
        mac_pad(&mac);
    }
    mac_update(&mac, plain, size);
    mac_pad(&mac);

    format_block(ccm, FLAGS_CTR, 0, block);
    failed = mac.hook_failed | encrypt_block(ccm, block, block);
    for (size_t i = 0; i < KW_PEN_TAG_SIZE; i++) {
        ret_tag[i] = mac.state[i] ^ block[i];
    }
    kw_pen_wipe(&mac, sizeof(mac));
    kw_pen_wipe(block, sizeof(block));
    return failed;
}

/* Encrypts and decrypts alike. Byte by byte, so that `in` and `ret_out` may be the same. */
static int apply_key_stream(const struct kw_pen_ccm *ccm, const uint8_t *in, size_t size,
                            uint8_t *ret_out)
{
    uint8_t stream[KW_PEN_BLOCK_SIZE];
    int failed = 0;

    for (size_t i = 0; i < size; i++) {
        if (i % KW_PEN_BLOCK_SIZE == 0) {
            format_block(ccm, FLAGS_CTR, (uint16_t)(i / KW_PEN_BLOCK_SIZE + 1), stream);
            failed |= encrypt_block(ccm, stream, stream);
        }
        ret_out[i] = in[i] ^ stream[i % KW_PEN_BLOCK_SIZE];
    }
    kw_pen_wipe(stream, sizeof(stream));
    return failed;
}

static int sizes_fit(const struct kw_pen_ccm *ccm, size_t size)
{
    return size <= KW_PEN_CCM_TEXT_MAX && ccm->aad_size <= KW_PEN_CCM_AAD_MAX;
}

enum kw_pen_result kw_pen_ccm_seal(const struct kw_pen_ccm *ccm, const uint8_t *plain, size_t size,
                                   uint8_t *ret_cipher, uint8_t ret_tag[KW_PEN_TAG_SIZE])
{
    uint8_t tag[KW_PEN_TAG_SIZE];
    int failed;

    if (!sizes_fit(ccm, size)) {
        return KW_PEN_E_LENGTH;
    }
    failed = compute_tag(ccm, plain, size, tag);
    failed |= apply_key_stream(ccm, plain, size, ret_cipher);
    if (failed) {
        kw_pen_wipe(ret_cipher, size);
        kw_pen_wipe(tag, sizeof(tag));
        return KW_PEN_E_AES;
    }
    memcpy(ret_tag, tag, KW_PEN_TAG_SIZE);
    return KW_PEN_OK;
}

enum kw_pen_result kw_pen_ccm_open(const struct kw_pen_ccm *ccm, const uint8_t *cipher, size_t size,
                                   const uint8_t tag[KW_PEN_TAG_SIZE], uint8_t *ret_plain)
{
    uint8_t expected[KW_PEN_TAG_SIZE];
    enum kw_pen_result result = KW_PEN_OK;
    int failed;

    if (!sizes_fit(ccm, size)) {
        return KW_PEN_E_LENGTH;
    }
    failed = apply_key_stream(ccm, cipher, size, ret_plain);
    failed |= compute_tag(ccm, ret_plain, size, expected);
    if (failed) {
        result = KW_PEN_E_AES;
    } else if (!kw_pen_equal(expected, tag, KW_PEN_TAG_SIZE)) {
        result = KW_PEN_E_TAG;
    }
    if (result != KW_PEN_OK) {
        kw_pen_wipe(ret_plain, size);
    }
    kw_pen_wipe(expected, sizeof(expected));
    return result;
}
