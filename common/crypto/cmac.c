/* AES-256-CMAC by OpenSSL's EVP_MAC. */
#include "common/crypto/cmac.h"

#include "common/crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

struct kw_result kw_cmac_aes256(const struct kw_secret *key, const struct kw_bytes *parts,
                                size_t count, uint8_t ret_mac[KW_CMAC_LEN], struct kw_error *err)
{
    struct kw_bytes key_bytes = kw_secret_bytes(key);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, (char[]){"AES-256-CBC"}, 0),
        OSSL_PARAM_construct_end(),
    };
    const struct kw_algorithms *algorithms;
    KW_SCOPED(kw_openssl_mac_done) EVP_MAC_CTX *context = NULL;
    size_t len;

    KW_ENSURE(key_bytes.len == KW_AES256_LEN, err, ARGUMENT_INVALID, "CMAC key of %zu bytes",
              key_bytes.len);
    KW_TRY(kw_algorithms(&algorithms, err));
    context = EVP_MAC_CTX_new(algorithms->cmac);
    KW_ENSURE(context != NULL, err, MEMORY, "CMAC context");
    KW_ENSURE(EVP_MAC_init(context, key_bytes.data, key_bytes.len, params) == 1, err, CRYPTO,
              "start of a CMAC: %s", kw_openssl_reason());
    for (size_t i = 0; i < count; i++) {
        KW_ENSURE(EVP_MAC_update(context, parts[i].data, parts[i].len) == 1, err, CRYPTO,
                  "CMAC: %s", kw_openssl_reason());
    }
    KW_ENSURE(EVP_MAC_final(context, ret_mac, &len, KW_CMAC_LEN) == 1, err, CRYPTO,
              "end of a CMAC: %s", kw_openssl_reason());
    return KW_OK;
}

struct kw_result kw_cmac_aes256_verify(const struct kw_secret *key, const struct kw_bytes *parts,
                                       size_t count, struct kw_bytes mac, struct kw_error *err)
{
    uint8_t expected[KW_CMAC_LEN];
    bool equal;

    KW_TRY(kw_cmac_aes256(key, parts, count, expected, err));
    equal = kw_bytes_equal_ct(KW_BYTES_OF(expected), mac);
    /* The right MAC of a wrong message is what a forger is after: it does not stay on the stack. */
    kw_wipe(expected, sizeof(expected));
    KW_ENSURE(equal, err, BINDING_INVALID, "CMAC differs");
    return KW_OK;
}

struct kw_result kw_check_value(const struct kw_secret *key, uint8_t ret_value[KW_CHECK_VALUE_LEN],
                                struct kw_error *err)
{
    static const uint8_t zeros[KW_CMAC_LEN];
    uint8_t mac[KW_CMAC_LEN];

    KW_TRY(kw_cmac_aes256(key, &KW_BYTES_OF(zeros), 1, mac, err));
    kw_copy(ret_value, mac, KW_CHECK_VALUE_LEN);
    kw_wipe(mac, sizeof(mac));
    return KW_OK;
}
