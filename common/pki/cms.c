/* CMS EnvelopedData by OpenSSL, with the one set of algorithms we use named on the way in and on
 * the way out. */
#include "common/pki/cms.h"

#include "common/base/limits.h"
#include "common/pki/x509.h"

#include <openssl/ec.h>

KW_OPENSSL_SCOPED(algorithm_done, X509_ALGOR, X509_ALGOR_free)
KW_OPENSSL_SCOPED(chain_done, BIO, BIO_free_all)

/* OpenSSL's default for CMS is a KDF with SHA-1. */
static struct kw_result add_recipient(CMS_ContentInfo *cms, X509 *recipient, struct kw_error *err)
{
    CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, recipient, CMS_KEY_PARAM);
    EVP_PKEY_CTX *context = info != NULL ? CMS_RecipientInfo_get0_pkey_ctx(info) : NULL;

    KW_ENSURE(context != NULL && EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha384()) > 0, err,
              CRYPTO, "CMS recipient: %s", kw_openssl_reason());
    return KW_OK;
}

static struct kw_result cms_encode(CMS_ContentInfo *cms, struct kw_buf *ret_der,
                                   struct kw_error *err)
{
    int len = i2d_CMS_ContentInfo(cms, NULL);
    uint8_t *at;

    KW_ENSURE(len > 0, err, CRYPTO, "CMS: %s", kw_openssl_reason());
    KW_TRY(kw_buf_reserve(ret_der, (size_t)len, err));
    at = ret_der->data + ret_der->len;
    ret_der->len += (size_t)i2d_CMS_ContentInfo(cms, &at);
    return KW_OK;
}

static struct kw_result recipient_check(const struct kw_certificate *recipient,
                                        struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

    KW_TRY(kw_certificate_public_key(recipient, &key, err));
    KW_ENSURE(key.curve == KW_CURVE_P384, err, ARGUMENT_INVALID,
              "the transport key is not on P-384");
    return KW_OK;
}

/* Straight into the cipher: CMS_final would take the secret through a buffer on the stack and one on
 * the heap, and wipe neither. */
static struct kw_result content_encrypt(CMS_ContentInfo *cms, struct kw_bytes content,
                                        struct kw_error *err)
{
    KW_SCOPED(chain_done) BIO *chain = CMS_dataInit(cms, NULL);

    KW_ENSURE(chain != NULL &&
                  BIO_write(chain, content.data, (int)content.len) == (int)content.len &&
                  BIO_flush(chain) == 1 && CMS_dataFinal(cms, chain) == 1,
              err, CRYPTO, "CMS: %s", kw_openssl_reason());
    return KW_OK;
}

struct kw_result kw_cms_seal(const struct kw_secret *secret, const struct kw_certificate *recipient,
                             struct kw_buf *ret_der, struct kw_error *err)
{
    const unsigned flags = CMS_BINARY | CMS_PARTIAL;
    KW_SCOPED(kw_cms_done) CMS_ContentInfo *cms = NULL;

    KW_TRY(recipient_check(recipient, err));
    cms = CMS_encrypt(NULL, NULL, EVP_aes_256_cbc(), flags);
    KW_ENSURE(cms != NULL, err, MEMORY, "CMS: %s", kw_openssl_reason());
    KW_TRY(add_recipient(cms, recipient->x509, err));
    KW_TRY(content_encrypt(cms, kw_secret_bytes(secret), err));
    return cms_encode(cms, ret_der, err);
}

static struct kw_result cms_decode(struct kw_bytes der, CMS_ContentInfo **ret_cms,
                                   struct kw_error *err)
{
    const uint8_t *at = der.data;
    KW_SCOPED(kw_cms_done) CMS_ContentInfo *cms = NULL;

    KW_ENSURE(der.len > 0 && der.len <= KW_CMS_LEN_MAX, err, ARGUMENT_INVALID, "CMS of %zu bytes",
              der.len);
    cms = d2i_CMS_ContentInfo(NULL, &at, (long)der.len);
    KW_ENSURE(cms != NULL && at == der.data + der.len, err, ARGUMENT_INVALID, "CMS: %s",
              kw_openssl_reason());
    KW_ENSURE(kw_x509_spelled(cms, ASN1_ITEM_rptr(CMS_ContentInfo), der), err, ARGUMENT_INVALID,
              "CMS: not in DER's one spelling");
    KW_ENSURE(OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_enveloped, err, ARGUMENT_INVALID,
              "CMS: not EnvelopedData");
    *ret_cms = cms;
    cms = NULL;
    return KW_OK;
}

/* The wrapping algorithm, which RFC 5753 hides in the parameters of the agreement's. */
static int wrap_nid(const X509_ALGOR *agreement)
{
    KW_SCOPED(algorithm_done) X509_ALGOR *wrap = NULL;
    const ASN1_OBJECT *object = NULL;
    const void *value = NULL;
    int type = V_ASN1_UNDEF;

    X509_ALGOR_get0(NULL, &type, &value, agreement);
    if (type != V_ASN1_SEQUENCE) {
        return NID_undef;
    }
    wrap = ASN1_item_unpack(value, ASN1_ITEM_rptr(X509_ALGOR));
    if (wrap == NULL) {
        return NID_undef;
    }
    X509_ALGOR_get0(&object, NULL, NULL, wrap);
    return OBJ_obj2nid(object);
}

static struct kw_result algorithms_check(CMS_ContentInfo *cms, struct kw_error *err)
{
    STACK_OF(CMS_RecipientInfo) *infos = CMS_get0_RecipientInfos(cms);
    CMS_RecipientInfo *info = sk_CMS_RecipientInfo_value(infos, 0);
    const ASN1_OBJECT *scheme = NULL;
    X509_ALGOR *agreement = NULL;

    KW_ENSURE(sk_CMS_RecipientInfo_num(infos) == 1 &&
                  CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE &&
                  CMS_RecipientInfo_kari_get0_alg(info, &agreement, NULL) == 1,
              err, ARGUMENT_INVALID, "CMS: not one recipient by key agreement");
    X509_ALGOR_get0(&scheme, NULL, NULL, agreement);
    KW_ENSURE(OBJ_obj2nid(scheme) == NID_dhSinglePass_stdDH_sha384kdf_scheme, err, ARGUMENT_INVALID,
              "CMS: the key agreement is %s", OBJ_nid2sn(OBJ_obj2nid(scheme)));
    KW_ENSURE(wrap_nid(agreement) == NID_id_aes256_wrap, err, ARGUMENT_INVALID,
              "CMS: the key is not wrapped with AES-256");
    return KW_OK;
}

struct kw_result kw_cms_open(struct kw_bytes der, const struct kw_private_key *key,
                             const struct kw_certificate *recipient, struct kw_secret *ret_secret,
                             struct kw_error *err)
{
    KW_SCOPED(kw_cms_done) CMS_ContentInfo *cms = NULL;
    KW_SCOPED(kw_openssl_bio_done) BIO *content = NULL; /* clears itself when freed */
    char *data = NULL;
    long len;

    KW_TRY(cms_decode(der, &cms, err));
    KW_TRY(algorithms_check(cms, err));
    content = BIO_new(BIO_s_secmem());
    KW_ENSURE(content != NULL, err, MEMORY, "BIO");
    KW_ENSURE(CMS_decrypt(cms, key->evp, recipient->x509, NULL, content, CMS_BINARY) == 1, err,
              BINDING_INVALID, "CMS: %s", kw_openssl_reason());
    len = BIO_get_mem_data(content, &data);
    KW_ENSURE(len > 0 && len <= KW_SECRET_LEN_MAX, err, ARGUMENT_INVALID,
              "CMS: content of %ld bytes", len);
    return kw_secret_copy(ret_secret, KW_BYTES(data, (size_t)len), err);
}
