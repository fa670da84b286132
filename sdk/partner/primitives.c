/* CMAC, key unwrap, counter KDF, CCM. */
#include "primitives.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#define WRAPPED_MAX 80U

void kw_partner_wipe(void *data, size_t size)
{
    OPENSSL_cleanse(data, size);
}

int kw_partner_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

uint32_t kw_partner_load32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t kw_partner_load64(const uint8_t *p)
{
    return (uint64_t)kw_partner_load32(p) << 32 | kw_partner_load32(p + 4);
}

void kw_partner_store32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

int kw_partner_cmac(const uint8_t key[KW_PARTNER_KEY_SIZE], const struct kw_partner_part *parts,
                    size_t count, uint8_t ret_tag[KW_PARTNER_TAG_SIZE])
{
    char cipher[] = "AES-256-CBC";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    size_t len = 0;
    int ok = ctx != NULL && EVP_MAC_init(ctx, key, KW_PARTNER_KEY_SIZE, params);

    for (size_t i = 0; ok && i < count; i++) {
        ok = EVP_MAC_update(ctx, parts[i].data, parts[i].size);
    }
    ok = ok && EVP_MAC_final(ctx, ret_tag, &len, KW_PARTNER_TAG_SIZE) && len == KW_PARTNER_TAG_SIZE;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return ok;
}

int kw_partner_unwrap(const uint8_t key[KW_PARTNER_KEY_SIZE], const uint8_t *wrapped, size_t size,
                      uint8_t *ret_plain, size_t plain_size)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-WRAP-PAD", NULL);
    uint8_t plain[WRAPPED_MAX + 8];
    int len = 0;
    int ok = ctx != NULL && cipher != NULL && size <= WRAPPED_MAX;

    if (ok) {
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    }
    ok = ok && EVP_DecryptInit_ex2(ctx, cipher, key, NULL, NULL) &&
         EVP_DecryptUpdate(ctx, plain, &len, wrapped, (int)size) && len == (int)plain_size;
    if (ok) {
        memcpy(ret_plain, plain, plain_size);
    }
    kw_partner_wipe(plain, sizeof(plain));
    EVP_CIPHER_free(cipher);
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

int kw_partner_session_derive(const uint8_t partner_key[KW_PARTNER_KEY_SIZE],
                              const uint8_t *nonce_app, const uint8_t *nonce_pen, uint32_t counter,
                              struct kw_partner_session_keys *ret_keys)
{
    char mode[] = "counter";
    char mac[] = "CMAC";
    char cipher[] = "AES-256-CBC";
    char label[] = "KEYWARD-SS-v1";
    uint8_t key[KW_PARTNER_KEY_SIZE];
    uint8_t context[2 * KW_PARTNER_NONCE_SIZE + 4];
    uint8_t out[2 * KW_PARTNER_KEY_SIZE + KW_PARTNER_SALT_SIZE];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, mode, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, mac, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_CIPHER, cipher, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, sizeof(key)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, label, sizeof(label) - 1),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, context, sizeof(context)),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    int ok;

    memcpy(key, partner_key, sizeof(key));
    memcpy(context, nonce_app, KW_PARTNER_NONCE_SIZE);
    memcpy(context + KW_PARTNER_NONCE_SIZE, nonce_pen, KW_PARTNER_NONCE_SIZE);
    kw_partner_store32(context + 2 * KW_PARTNER_NONCE_SIZE, counter);
    ok = ctx != NULL && EVP_KDF_derive(ctx, out, sizeof(out), params) == 1;
    if (ok) {
        memcpy(ret_keys->enc, out, KW_PARTNER_KEY_SIZE);
        memcpy(ret_keys->auth, out + KW_PARTNER_KEY_SIZE, KW_PARTNER_KEY_SIZE);
        memcpy(ret_keys->salt, out + 2 * KW_PARTNER_KEY_SIZE, KW_PARTNER_SALT_SIZE);
    }
    kw_partner_wipe(key, sizeof(key));
    kw_partner_wipe(out, sizeof(out));
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

int kw_partner_ccm(int encrypt, const uint8_t key[KW_PARTNER_KEY_SIZE], const uint8_t nonce[13],
                   const uint8_t *aad, size_t aad_size, const uint8_t *in, size_t size,
                   uint8_t *tag, uint8_t *ret_out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;
    int ok = ctx != NULL && EVP_CipherInit_ex(ctx, EVP_aes_256_ccm(), NULL, NULL, NULL, encrypt) &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 13, NULL) &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, KW_PARTNER_TAG_SIZE,
                                 encrypt ? NULL : tag) &&
             EVP_CipherInit_ex(ctx, NULL, NULL, key, nonce, encrypt) &&
             EVP_CipherUpdate(ctx, NULL, &len, NULL, (int)size) &&
             EVP_CipherUpdate(ctx, NULL, &len, aad, (int)aad_size) &&
             EVP_CipherUpdate(ctx, ret_out, &len, in, (int)size) && len == (int)size;

    if (ok && encrypt) {
        ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, KW_PARTNER_TAG_SIZE, tag);
    }
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}
