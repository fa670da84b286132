/* Certificate requests: checked for the key they prove, made for ourselves. */
#include "common/pki/csr.h"

#include "common/base/limits.h"
#include "common/pki/x509.h"

struct kw_result kw_csr_verify(struct kw_bytes der, struct kw_public_key *ret_key,
                               struct kw_error *err)
{
    const uint8_t *at = der.data;
    KW_SCOPED(kw_x509_req_done) X509_REQ *request = NULL;
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

    KW_ENSURE(der.len > 0 && der.len <= KW_CSR_LEN_MAX, err, ARGUMENT_INVALID,
              "request of %zu bytes", der.len);
    request = d2i_X509_REQ(NULL, &at, (long)der.len);
    KW_ENSURE(request != NULL, err, ARGUMENT_INVALID, "request: %s", kw_openssl_reason());
    KW_ENSURE(at == der.data + der.len, err, ARGUMENT_INVALID, "request: bytes after its end");
    KW_ENSURE(i2d_re_X509_REQ_tbs(request, NULL) > 0 &&
                  kw_x509_spelled(request, ASN1_ITEM_rptr(X509_REQ), der),
              err, ARGUMENT_INVALID, "request: not in DER's one spelling");
    KW_ENSURE(kw_signature_nid_allowed(X509_REQ_get_signature_nid(request)), err, ARGUMENT_INVALID,
              "request signed with %s", OBJ_nid2sn(X509_REQ_get_signature_nid(request)));
    KW_TRY(kw_x509_pubkey_read(X509_REQ_get_X509_PUBKEY(request), &key, err));
    KW_ENSURE(X509_REQ_verify(request, key.evp) == 1, err, SIGNATURE_INVALID,
              "request: not signed by its key: %s", kw_openssl_reason());
    *ret_key = key;
    key = (struct kw_public_key){0};
    return KW_OK;
}

struct kw_result kw_csr_build(const struct kw_private_key *key, struct kw_buf *ret_der,
                              struct kw_error *err)
{
    const EVP_MD *digest = key->curve == KW_CURVE_P256 ? EVP_sha256() : EVP_sha384();
    KW_SCOPED(kw_x509_req_done) X509_REQ *request = X509_REQ_new();
    uint8_t *at;
    int len;

    KW_ENSURE(request != NULL, err, MEMORY, "request");
    KW_ENSURE(X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
                  X509_REQ_set_pubkey(request, key->evp) == 1 &&
                  X509_REQ_sign(request, key->evp, digest) > 0,
              err, CRYPTO, "request: %s", kw_openssl_reason());
    len = i2d_X509_REQ(request, NULL);
    KW_ENSURE(len > 0, err, CRYPTO, "request: %s", kw_openssl_reason());
    KW_TRY(kw_buf_reserve(ret_der, (size_t)len, err));
    at = ret_der->data + ret_der->len;
    ret_der->len += (size_t)i2d_X509_REQ(request, &at);
    return KW_OK;
}
