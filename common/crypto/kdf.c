/* The key schedule: SP 800-108 blocks as messages, their CMACs as keys, and X9.63 by OpenSSL's
 * EVP_KDF. */
#include "common/crypto/kdf.h"

#include "common/base/codec.h"
#include "common/crypto/cmac.h"
#include "common/crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

static void put_bytes(struct kw_kdf_block *block, const void *data, size_t len)
{
    kw_copy(block->bytes + block->len, data, len);
    block->len += len;
}

static void put_u32(struct kw_kdf_block *block, uint32_t value)
{
    uint8_t bytes[4];

    kw_be32_store(bytes, value);
    put_bytes(block, bytes, sizeof(bytes));
}

struct kw_result kw_kdf_block_input(const struct kw_kdf_input *input, uint32_t index,
                                    struct kw_kdf_block *ret_block, struct kw_error *err)
{
    size_t label_len = strlen(input->label);

    KW_ENSURE(label_len <= KW_KDF_LABEL_LEN_MAX, err, ARGUMENT_INVALID, "label of %zu bytes",
              label_len);
    KW_ENSURE(input->context.len <= KW_KDF_CONTEXT_LEN_MAX, err, ARGUMENT_INVALID,
              "context of %zu bytes", input->context.len);
    KW_ENSURE(input->bits % 8 == 0, err, ARGUMENT_INVALID, "%u bits are no bytes", input->bits);
    KW_ENSURE(index >= 1 && index <= kw_kdf_block_count(input->bits), err, ARGUMENT_INVALID,
              "block %u of an output of %u bits", index, input->bits);
    *ret_block = (struct kw_kdf_block){0};
    put_u32(ret_block, index);
    put_bytes(ret_block, input->label,
              label_len + 1); /* its NUL is the standard's separator 0x00 */
    put_bytes(ret_block, input->context.data, input->context.len);
    put_u32(ret_block, input->bits);
    return KW_OK;
}

static struct kw_result derive_block(const struct kw_secret *key, const struct kw_kdf_input *input,
                                     uint32_t index, struct kw_secret *key_out,
                                     struct kw_error *err)
{
    size_t at = (size_t)(index - 1) * KW_KDF_BLOCK_LEN;
    size_t left = key_out->len - at;
    struct kw_kdf_block block;
    uint8_t mac[KW_CMAC_LEN];

    KW_TRY(kw_kdf_block_input(input, index, &block, err));
    KW_TRY(kw_cmac_aes256(key, &KW_BYTES(block.bytes, block.len), 1, mac, err));
    kw_copy(key_out->slot + at, mac, left < KW_KDF_BLOCK_LEN ? left : KW_KDF_BLOCK_LEN);
    kw_wipe(mac, sizeof(mac));
    return KW_OK;
}

struct kw_result kw_kdf_counter_cmac(const struct kw_secret *key, const struct kw_kdf_input *input,
                                     struct kw_secret *ret_key, struct kw_error *err)
{
    KW_SCOPED(kw_secret_done) struct kw_secret derived = {0};
    uint32_t blocks = kw_kdf_block_count(input->bits);

    KW_ENSURE(blocks > 0, err, ARGUMENT_INVALID, "an output of 0 bits");
    KW_TRY(kw_secret_init(&derived, input->bits / 8, err));
    for (uint32_t i = 1; i <= blocks; i++) {
        KW_TRY(derive_block(key, input, i, &derived, err));
    }
    *ret_key = derived;
    derived = (struct kw_secret){0};
    return KW_OK;
}

void kw_kdf_partner_key_context(struct kw_id partner, uint32_t epoch, uint16_t suite,
                                uint8_t ret_context[KW_PARTNER_KEY_CONTEXT_LEN])
{
    uint8_t *suite_at = ret_context + KW_ID_LEN + 4;

    kw_copy(ret_context, partner.bytes, KW_ID_LEN);
    kw_be32_store(ret_context + KW_ID_LEN, epoch);
    suite_at[0] = (uint8_t)(suite >> 8);
    suite_at[1] = (uint8_t)suite;
}

void kw_kdf_session_context(const struct kw_session_context *session,
                            uint8_t ret_context[KW_SESSION_CONTEXT_LEN])
{
    kw_copy(ret_context, session->nonce_app, KW_NONCE_LEN);
    kw_copy(ret_context + KW_NONCE_LEN, session->nonce_pen, KW_NONCE_LEN);
    kw_be32_store(ret_context + 2 * KW_NONCE_LEN, session->counter);
}

struct kw_result kw_kdf_partner_key(const struct kw_secret *device_key, struct kw_id partner,
                                    uint32_t epoch, uint16_t suite, struct kw_secret *ret_key,
                                    struct kw_error *err)
{
    uint8_t context[KW_PARTNER_KEY_CONTEXT_LEN];
    const struct kw_kdf_input input = {
        .label = KW_KDF_LABEL_PARTNER_KEY,
        .context = KW_BYTES_OF(context),
        .bits = 8 * KW_PARTNER_KEY_LEN,
    };

    kw_kdf_partner_key_context(partner, epoch, suite, context);
    return kw_kdf_counter_cmac(device_key, &input, ret_key, err);
}

struct kw_result kw_kdf_session_keys(const struct kw_secret *partner_key,
                                     const struct kw_session_context *session,
                                     struct kw_secret *ret_keys, struct kw_error *err)
{
    uint8_t context[KW_SESSION_CONTEXT_LEN];
    const struct kw_kdf_input input = {
        .label = KW_KDF_LABEL_SESSION_KEYS,
        .context = KW_BYTES_OF(context),
        .bits = 8 * KW_SESSION_KEYS_LEN,
    };

    kw_kdf_session_context(session, context);
    return kw_kdf_counter_cmac(partner_key, &input, ret_keys, err);
}

struct kw_result kw_kdf_x963_sha384(const struct kw_secret *z, struct kw_bytes info, size_t len,
                                    struct kw_secret *ret_key, struct kw_error *err)
{
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"SHA384"}, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, z->slot, z->len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.data,
                                          info.len),
        OSSL_PARAM_construct_end(),
    };
    const struct kw_algorithms *algorithms;
    KW_SCOPED(kw_openssl_kdf_done) EVP_KDF_CTX *context = NULL;
    KW_SCOPED(kw_secret_done) struct kw_secret derived = {0};

    KW_ENSURE(len > 0, err, ARGUMENT_INVALID, "an output of 0 bytes");
    KW_TRY(kw_algorithms(&algorithms, err));
    KW_TRY(kw_secret_init(&derived, len, err));
    context = EVP_KDF_CTX_new(algorithms->x963);
    KW_ENSURE(context != NULL, err, MEMORY, "X9.63 context");
    KW_ENSURE(EVP_KDF_derive(context, derived.slot, derived.len, params) == 1, err, CRYPTO,
              "X9.63: %s", kw_openssl_reason());
    *ret_key = derived;
    derived = (struct kw_secret){0};
    return KW_OK;
}
