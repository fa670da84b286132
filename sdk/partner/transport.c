/* The transport key: opened once from CMS, proved to be held. */
#include "primitives.h"

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <string.h>

static enum kw_partner_result decrypt(CMS_ContentInfo *cms, EVP_PKEY *key, X509 *certificate,
                                      uint8_t ret_key[KW_PARTNER_KEY_SIZE])
{
    BIO *out = BIO_new(BIO_s_mem());
    enum kw_partner_result result = KW_PARTNER_E_AUTHENTIC;
    char *data = NULL;

    if (out == NULL) {
        return KW_PARTNER_E_CRYPTO;
    }
    if (CMS_decrypt(cms, key, certificate, NULL, out, 0) == 1) {
        long size = BIO_get_mem_data(out, &data);

        result = size == (long)KW_PARTNER_KEY_SIZE ? KW_PARTNER_OK : KW_PARTNER_E_FORMAT;
        if (result == KW_PARTNER_OK) {
            memcpy(ret_key, data, KW_PARTNER_KEY_SIZE);
        }
        kw_partner_wipe(data, (size_t)size);
    }
    BIO_free(out);
    return result;
}

/* OpenSSL also reads BER; what Keyward sends is DER, which has one spelling. */
static int spelled(CMS_ContentInfo *cms, const uint8_t *der, size_t size)
{
    uint8_t *again = NULL;
    int len = i2d_CMS_ContentInfo(cms, &again);
    int same = len > 0 && (size_t)len == size && kw_partner_equal(again, der, size);

    OPENSSL_free(again);
    return same;
}

enum kw_partner_result kw_partner_transport_open(const uint8_t *cms, size_t cms_size, EVP_PKEY *key,
                                                 X509 *certificate,
                                                 uint8_t ret_transport_key[KW_PARTNER_KEY_SIZE])
{
    const uint8_t *at = cms;
    CMS_ContentInfo *info;
    enum kw_partner_result result = KW_PARTNER_E_FORMAT;

    ERR_set_mark(); /* a refusal is our answer, not something to find in the caller's queue */
    info = d2i_CMS_ContentInfo(NULL, &at, (long)cms_size);
    if (info != NULL && at == cms + cms_size && spelled(info, cms, cms_size) &&
        OBJ_obj2nid(CMS_get0_type(info)) == NID_pkcs7_enveloped) {
        result = decrypt(info, key, certificate, ret_transport_key);
    }
    CMS_ContentInfo_free(info);
    ERR_pop_to_mark();
    return result;
}

enum kw_partner_result kw_partner_transport_proof(const uint8_t transport_key[KW_PARTNER_KEY_SIZE],
                                                  const uint8_t nonce[KW_PARTNER_NONCE_SIZE],
                                                  uint8_t ret_proof[KW_PARTNER_TAG_SIZE])
{
    static const char label[] = "KEYWARD-PTK-OK";
    const struct kw_partner_part parts[] = {{label, sizeof(label) - 1},
                                            {nonce, KW_PARTNER_NONCE_SIZE}};

    return kw_partner_cmac(transport_key, parts, 2, ret_proof) ? KW_PARTNER_OK
                                                               : KW_PARTNER_E_CRYPTO;
}
