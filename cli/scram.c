/* SCRAM's verifier (RFC 5802, 3). */
#include "cli/scram.h"

#include "common/crypto/digest.h"
#include "common/crypto/openssl.h"

#include <stdio.h>

#define ITERATIONS  4096 /* PostgreSQL's own number */
#define BASE64_SIZE 48   /* of 32 bytes, with a NUL */

static const char *base64(const uint8_t *bytes, int len, char text[BASE64_SIZE])
{
    (void)EVP_EncodeBlock((unsigned char *)text, bytes, len);
    return text;
}

static struct kw_result salted_password(const struct kw_secret *password,
                                        const uint8_t salt[KW_SCRAM_SALT_LEN],
                                        struct kw_secret *ret_salted, struct kw_error *err)
{
    struct kw_bytes bytes = kw_secret_bytes(password);

    KW_TRY(kw_secret_init(ret_salted, KW_SHA256_LEN, err));
    KW_ENSURE(PKCS5_PBKDF2_HMAC((const char *)bytes.data, (int)bytes.len, salt, KW_SCRAM_SALT_LEN,
                                ITERATIONS, EVP_sha256(), KW_SHA256_LEN, ret_salted->slot) == 1,
              err, CRYPTO, "a password's verifier: %s", kw_openssl_reason());
    return KW_OK;
}

static struct kw_result stored_key(const struct kw_secret *salted,
                                   uint8_t ret_stored[KW_SHA256_LEN], struct kw_error *err)
{
    const struct kw_bytes words = kw_bytes_str("Client Key");
    uint8_t client_key[KW_SHA256_LEN];
    struct kw_result result;

    KW_TRY(kw_hmac_sha256(salted, &words, 1, client_key, err));
    result = kw_sha256(KW_BYTES_OF(client_key), ret_stored, err);
    kw_wipe(client_key, sizeof(client_key)); /* who has it can log in */
    return result;
}

struct kw_result kw_scram_verifier(const struct kw_secret *password,
                                   const uint8_t salt[KW_SCRAM_SALT_LEN],
                                   char ret_text[KW_SCRAM_VERIFIER_SIZE], struct kw_error *err)
{
    const struct kw_bytes words = kw_bytes_str("Server Key");
    KW_SCOPED(kw_secret_done) struct kw_secret salted = {0};
    uint8_t stored[KW_SHA256_LEN];
    uint8_t server[KW_SHA256_LEN];
    char text[3][BASE64_SIZE];

    KW_TRY(salted_password(password, salt, &salted, err));
    KW_TRY(stored_key(&salted, stored, err));
    KW_TRY(kw_hmac_sha256(&salted, &words, 1, server, err));
    (void)snprintf(ret_text, KW_SCRAM_VERIFIER_SIZE, "SCRAM-SHA-256$%d:%s$%s:%s", ITERATIONS,
                   base64(salt, KW_SCRAM_SALT_LEN, text[0]),
                   base64(stored, sizeof(stored), text[1]),
                   base64(server, sizeof(server), text[2]));
    return KW_OK;
}
