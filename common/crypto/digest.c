/* SHA-256, SHA-384 and HMAC by OpenSSL's EVP. */
#include "common/crypto/digest.h"

#include "common/crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

static const EVP_MD *digest_algorithm(const struct kw_algorithms *algorithms,
                                      enum kw_digest_kind kind)
{
    return kind == KW_DIGEST_SHA256 ? algorithms->sha256 : algorithms->sha384;
}

struct kw_result kw_digest_init(struct kw_digest *digest, enum kw_digest_kind kind,
                                struct kw_error *err)
{
    const struct kw_algorithms *algorithms;
    EVP_MD_CTX *context;

    KW_TRY(kw_algorithms(&algorithms, err));
    context = EVP_MD_CTX_new();
    KW_ENSURE(context != NULL, err, MEMORY, "digest context");
    if (EVP_DigestInit_ex2(context, digest_algorithm(algorithms, kind), NULL) != 1) {
        EVP_MD_CTX_free(context);
        KW_FAIL(err, CRYPTO, "start of a digest: %s", kw_openssl_reason());
    }
    *digest = (struct kw_digest){.context = context, .kind = kind};
    return KW_OK;
}

struct kw_result kw_digest_update(struct kw_digest *digest, struct kw_bytes data,
                                  struct kw_error *err)
{
    KW_ENSURE(EVP_DigestUpdate(digest->context, data.data, data.len) == 1, err, CRYPTO,
              "digest: %s", kw_openssl_reason());
    return KW_OK;
}

struct kw_result kw_digest_final(struct kw_digest *digest, uint8_t *ret_digest,
                                 struct kw_error *err)
{
    KW_ENSURE(EVP_DigestFinal_ex(digest->context, ret_digest, NULL) == 1 &&
                  EVP_DigestInit_ex2(digest->context, NULL, NULL) == 1,
              err, CRYPTO, "end of a digest: %s", kw_openssl_reason());
    return KW_OK;
}

void kw_digest_done(struct kw_digest *digest)
{
    if (digest != NULL) {
        EVP_MD_CTX_free(digest->context);
        *digest = (struct kw_digest){0};
    }
}

static struct kw_result digest_list(enum kw_digest_kind kind, const struct kw_bytes *parts,
                                    size_t count, uint8_t *ret_digest, struct kw_error *err)
{
    KW_SCOPED(kw_digest_done) struct kw_digest digest = {0};

    KW_TRY(kw_digest_init(&digest, kind, err));
    for (size_t i = 0; i < count; i++) {
        KW_TRY(kw_digest_update(&digest, parts[i], err));
    }
    return kw_digest_final(&digest, ret_digest, err);
}

struct kw_result kw_sha256(struct kw_bytes data, uint8_t ret_digest[KW_SHA256_LEN],
                           struct kw_error *err)
{
    return digest_list(KW_DIGEST_SHA256, &data, 1, ret_digest, err);
}

struct kw_result kw_sha384(struct kw_bytes data, uint8_t ret_digest[KW_SHA384_LEN],
                           struct kw_error *err)
{
    return digest_list(KW_DIGEST_SHA384, &data, 1, ret_digest, err);
}

struct kw_result kw_sha256_list(const struct kw_bytes *parts, size_t count,
                                uint8_t ret_digest[KW_SHA256_LEN], struct kw_error *err)
{
    return digest_list(KW_DIGEST_SHA256, parts, count, ret_digest, err);
}

struct kw_result kw_sha384_list(const struct kw_bytes *parts, size_t count,
                                uint8_t ret_digest[KW_SHA384_LEN], struct kw_error *err)
{
    return digest_list(KW_DIGEST_SHA384, parts, count, ret_digest, err);
}

struct kw_result kw_hmac_sha256(const struct kw_secret *key, const struct kw_bytes *parts,
                                size_t count, uint8_t ret_mac[KW_SHA256_LEN], struct kw_error *err)
{
    struct kw_bytes key_bytes = kw_secret_bytes(key);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    const struct kw_algorithms *algorithms;
    KW_SCOPED(kw_openssl_mac_done) EVP_MAC_CTX *context = NULL;
    size_t len;

    KW_TRY(kw_algorithms(&algorithms, err));
    context = EVP_MAC_CTX_new(algorithms->hmac);
    KW_ENSURE(context != NULL, err, MEMORY, "HMAC context");
    KW_ENSURE(EVP_MAC_init(context, key_bytes.data, key_bytes.len, params) == 1, err, CRYPTO,
              "start of an HMAC: %s", kw_openssl_reason());
    for (size_t i = 0; i < count; i++) {
        KW_ENSURE(EVP_MAC_update(context, parts[i].data, parts[i].len) == 1, err, CRYPTO,
                  "HMAC: %s", kw_openssl_reason());
    }
    KW_ENSURE(EVP_MAC_final(context, ret_mac, &len, KW_SHA256_LEN) == 1, err, CRYPTO,
              "end of an HMAC: %s", kw_openssl_reason());
    return KW_OK;
}
