/* Algorithms fetched once, and OpenSSL's errors as text. */
#include "common/crypto/openssl.h"

#include <openssl/err.h>
#include <pthread.h>

static struct kw_algorithms algorithms;
static pthread_once_t algorithms_once = PTHREAD_ONCE_INIT;

/* Never freed: they are in use until the last thread ends, and OpenSSL itself cleans up at exit. */
static void algorithms_fetch(void)
{
    algorithms = (struct kw_algorithms){
        .sha256 = EVP_MD_fetch(NULL, "SHA256", NULL),
        .sha384 = EVP_MD_fetch(NULL, "SHA384", NULL),
        .cmac = EVP_MAC_fetch(NULL, "CMAC", NULL),
        .hmac = EVP_MAC_fetch(NULL, "HMAC", NULL),
        .x963 = EVP_KDF_fetch(NULL, "X963KDF", NULL),
        .kwp = EVP_CIPHER_fetch(NULL, "AES-256-WRAP-PAD", NULL),
        .kw = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL),
    };
}

struct kw_result kw_algorithms(const struct kw_algorithms **ret_algorithms, struct kw_error *err)
{
    const struct kw_algorithms *a = &algorithms;

    KW_ENSURE(pthread_once(&algorithms_once, algorithms_fetch) == 0, err, CRYPTO, "pthread_once");
    KW_ENSURE(a->sha256 != NULL && a->sha384 != NULL && a->cmac != NULL && a->hmac != NULL &&
                  a->x963 != NULL && a->kwp != NULL && a->kw != NULL,
              err, CRYPTO, "an algorithm is missing from this OpenSSL's providers");
    *ret_algorithms = a;
    return KW_OK;
}

const char *kw_openssl_reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return text != NULL ? text : "no reason given";
}

struct kw_result kw_openssl_take(BIO *bio, struct kw_buf *ret_bytes, struct kw_error *err)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);

    KW_ENSURE(len >= 0, err, CRYPTO, "memory BIO: %s", kw_openssl_reason());
    return kw_buf_append(ret_bytes, KW_BYTES(data, (size_t)len), err);
}
