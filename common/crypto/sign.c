/* ECDSA by OpenSSL's EVP_DigestSign, which serves provider keys and libp11's alike. */
#include "common/crypto/sign.h"

#include "common/crypto/openssl.h"

static const char *digest_name(enum kw_curve curve)
{
    return curve == KW_CURVE_P256 ? "SHA256" : "SHA384";
}

struct kw_result kw_ecdsa_sign(const struct kw_private_key *key, struct kw_bytes message,
                               struct kw_signature *ret_signature, struct kw_error *err)
{
    KW_SCOPED(kw_openssl_md_done) EVP_MD_CTX *context = EVP_MD_CTX_new();
    struct kw_signature signature = {.len = sizeof(signature.bytes)};

    KW_ENSURE(context != NULL, err, MEMORY, "signing context");
    KW_ENSURE(EVP_DigestSignInit_ex(context, NULL, digest_name(key->curve), NULL, NULL, key->evp,
                                    NULL) == 1 &&
                  EVP_DigestSign(context, signature.bytes, &signature.len, message.data,
                                 message.len) == 1,
              err, CRYPTO, "ECDSA: %s", kw_openssl_reason());
    *ret_signature = signature;
    return KW_OK;
}

struct kw_result kw_ecdsa_verify(const struct kw_public_key *key, struct kw_bytes message,
                                 struct kw_bytes signature, struct kw_error *err)
{
    KW_SCOPED(kw_openssl_md_done) EVP_MD_CTX *context = EVP_MD_CTX_new();
    int verdict;

    KW_ENSURE(context != NULL, err, MEMORY, "verifying context");
    KW_ENSURE(EVP_DigestVerifyInit_ex(context, NULL, digest_name(key->curve), NULL, NULL, key->evp,
                                      NULL) == 1,
              err, CRYPTO, "ECDSA: %s", kw_openssl_reason());
    verdict = EVP_DigestVerify(context, signature.data, signature.len, message.data, message.len);
    KW_ENSURE(verdict == 1, err, SIGNATURE_INVALID, "ECDSA: %s", kw_openssl_reason());
    return KW_OK;
}
