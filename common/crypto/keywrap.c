/* RFC 5649 and RFC 3394 by OpenSSL's wrap ciphers, which take one key in one update. */
#include "common/crypto/keywrap.h"

#include "common/crypto/cmac.h"
#include "common/crypto/openssl.h"

#define SEMIBLOCK  8U
#define KW_LEN_MIN 16U

enum wrap_direction {
    UNWRAP = 0,
    WRAP = 1, /* the values of EVP_CipherInit's `enc` */
};

static struct kw_result wrap_start(const EVP_CIPHER *cipher, const struct kw_secret *kek,
                                   enum wrap_direction direction, EVP_CIPHER_CTX **ret_context,
                                   struct kw_error *err)
{
    EVP_CIPHER_CTX *context;

    KW_ENSURE(kek->len == KW_AES256_LEN, err, ARGUMENT_INVALID, "wrapping key of %zu bytes",
              kek->len);
    context = EVP_CIPHER_CTX_new();
    KW_ENSURE(context != NULL, err, MEMORY, "wrapping context");
    EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex2(context, cipher, kek->slot, NULL, (int)direction, NULL) != 1) {
        EVP_CIPHER_CTX_free(context);
        KW_FAIL(err, CRYPTO, "start of key wrapping: %s", kw_openssl_reason());
    }
    *ret_context = context;
    return KW_OK;
}

static struct kw_result wrap(const EVP_CIPHER *cipher, const struct kw_secret *kek,
                             const struct kw_secret *key, struct kw_wrapped *ret_wrapped,
                             struct kw_error *err)
{
    KW_SCOPED(kw_openssl_cipher_done) EVP_CIPHER_CTX *context = NULL;
    int len = 0;

    KW_TRY(wrap_start(cipher, kek, WRAP, &context, err));
    KW_ENSURE(EVP_CipherUpdate(context, ret_wrapped->bytes, &len, key->slot, (int)key->len) == 1,
              err, CRYPTO, "key wrapping: %s", kw_openssl_reason());
    ret_wrapped->len = (size_t)len;
    return KW_OK;
}

static struct kw_result unwrap(const EVP_CIPHER *cipher, const struct kw_secret *kek,
                               struct kw_bytes wrapped, struct kw_secret *ret_key,
                               struct kw_error *err)
{
    KW_SCOPED(kw_openssl_cipher_done) EVP_CIPHER_CTX *context = NULL;
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    int len = 0;
    int done;

    KW_TRY(wrap_start(cipher, kek, UNWRAP, &context, err));
    KW_ENSURE(wrapped.len % SEMIBLOCK == 0 && wrapped.len > SEMIBLOCK &&
                  wrapped.len <= KW_WRAPPED_LEN_MAX,
              err, BINDING_INVALID, "%zu bytes are no wrapped key", wrapped.len);
    KW_TRY(kw_secret_init(&key, wrapped.len - KW_WRAP_OVERHEAD, err));
    done = EVP_CipherUpdate(context, key.slot, &len, wrapped.data, (int)wrapped.len);
    KW_ENSURE(done == 1 && len > 0, err, BINDING_INVALID, "key unwrapping: %s",
              kw_openssl_reason());
    key.len = (size_t)len; /* less than the room when the key was padded */
    *ret_key = key;
    key = (struct kw_secret){0};
    return KW_OK;
}

struct kw_result kw_kwp_wrap(const struct kw_secret *kek, const struct kw_secret *key,
                             struct kw_wrapped *ret_wrapped, struct kw_error *err)
{
    const struct kw_algorithms *algorithms;

    KW_ENSURE(key->len > 0, err, ARGUMENT_INVALID, "nothing to wrap");
    KW_TRY(kw_algorithms(&algorithms, err));
    return wrap(algorithms->kwp, kek, key, ret_wrapped, err);
}

struct kw_result kw_kwp_unwrap(const struct kw_secret *kek, struct kw_bytes wrapped,
                               struct kw_secret *ret_key, struct kw_error *err)
{
    const struct kw_algorithms *algorithms;

    KW_TRY(kw_algorithms(&algorithms, err));
    return unwrap(algorithms->kwp, kek, wrapped, ret_key, err);
}

struct kw_result kw_kw_wrap(const struct kw_secret *kek, const struct kw_secret *key,
                            struct kw_wrapped *ret_wrapped, struct kw_error *err)
{
    const struct kw_algorithms *algorithms;

    KW_ENSURE(key->len >= KW_LEN_MIN && key->len % SEMIBLOCK == 0, err, ARGUMENT_INVALID,
              "RFC 3394 does not wrap %zu bytes", key->len);
    KW_TRY(kw_algorithms(&algorithms, err));
    return wrap(algorithms->kw, kek, key, ret_wrapped, err);
}

struct kw_result kw_kw_unwrap(const struct kw_secret *kek, struct kw_bytes wrapped,
                              struct kw_secret *ret_key, struct kw_error *err)
{
    const struct kw_algorithms *algorithms;

    KW_TRY(kw_algorithms(&algorithms, err));
    return unwrap(algorithms->kw, kek, wrapped, ret_key, err);
}
