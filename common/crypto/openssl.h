/* How our code meets OpenSSL 3: algorithms fetched once, its error queue as a text, its objects
 * scoped. For common/crypto, common/pki and others that call OpenSSL themselves; no part of their
 * contracts. */
#ifndef KW_COMMON_CRYPTO_OPENSSL_H
#define KW_COMMON_CRYPTO_OPENSSL_H

#include "common/base/bytes.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/x509.h>

/* Fetched once and shared by all threads until the process ends: a fetch by name takes locks and
 * costs more than hashing a kilobyte. */
struct kw_algorithms {
    EVP_MD *sha256;
    EVP_MD *sha384;
    EVP_MAC *cmac;
    EVP_MAC *hmac;
    EVP_KDF *x963;
    EVP_CIPHER *kwp; /* AES-256, RFC 5649 */
    EVP_CIPHER *kw;  /* AES-256, RFC 3394 */
};

/* Any thread. Fails: CRYPTO (an algorithm is missing from the library). */
struct kw_result kw_algorithms(const struct kw_algorithms **ret_algorithms, struct kw_error *err);

/* Why the last OpenSSL call of this thread failed, and an empty queue. A static text, never NULL.
 */
const char *kw_openssl_reason(void);

/* Appends what a memory BIO holds. Fails: MEMORY. */
struct kw_result kw_openssl_take(BIO *bio, struct kw_buf *ret_bytes, struct kw_error *err);

/* Destructors for KW_SCOPED; all accept what is NULL. */
#define KW_OPENSSL_SCOPED(name, type, release)                                                     \
    static inline void name(type **object)                                                         \
    {                                                                                              \
        release(*object);                                                                          \
    }

KW_OPENSSL_SCOPED(kw_openssl_bio_done, BIO, BIO_free_all)
KW_OPENSSL_SCOPED(kw_openssl_cipher_done, EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
KW_OPENSSL_SCOPED(kw_openssl_kdf_done, EVP_KDF_CTX, EVP_KDF_CTX_free)
KW_OPENSSL_SCOPED(kw_openssl_mac_done, EVP_MAC_CTX, EVP_MAC_CTX_free)
KW_OPENSSL_SCOPED(kw_openssl_md_done, EVP_MD_CTX, EVP_MD_CTX_free)
KW_OPENSSL_SCOPED(kw_openssl_pkey_done, EVP_PKEY, EVP_PKEY_free)
KW_OPENSSL_SCOPED(kw_openssl_pkey_ctx_done, EVP_PKEY_CTX, EVP_PKEY_CTX_free)

#endif
